"""Items whose parts are objects with offsets of their own: the two ends of a relation, the trigger and the arguments of
an event. Their mentions are gathered, and the items refer to them by their offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from t2t.authoring.new.annotations import Marked, TextColumn, marked_in, offsets_field, sources, untrimmed
from t2t.authoring.new.columns import Table
from t2t.authoring.new.items import (
    END,
    LENGTH,
    PLACE,
    START,
    Items,
    by_name,
    find_items,
    is_number,
    is_text,
    keys_of,
    name_of,
)
from t2t.authoring.new.keyed import ARGUMENTS, ROLE, TRIGGER, event_proposal
from t2t.authoring.new.proposal import Proposal
from t2t.authoring.new.related import HEAD, RELATION, TAIL, Linked, joint, relation_list
from t2t.linear.scope import Expression
from t2t.structures import Json


def linked_objects(table: Table) -> Proposal | None:
    """Relations whose two ends are objects with offsets."""
    for source, items, parts in _with_places(table):
        ends = _two_ends(parts)
        if ends is None:
            continue
        found = _gathered(items, source, [f"[{', '.join(map(name_of, ends))}]"])
        if found is None:
            continue
        plain = [key for key in keys_of(items) if "." not in key and "[" not in key]
        kind = by_name([key for key in plain if items.has(key, is_text)], RELATION)
        at = [_at(end, found) for end in ends]
        known = _listed_too(table, source, found)
        fields = {source.field: source.read, "mentions": _mentions(source, known)}
        link = Linked(items, at[0], at[1], kind, _id(known))
        proposal = joint(source, fields, link) if known.type else _relation(source, fields, link)
        proposal.remarks = untrimmed(source, known)
        return proposal
    return None


def _listed_too(table: Table, source: TextColumn, ends: Marked) -> Marked:
    """The list of mentions among which all the ends stand, with others; the ends where there is none."""
    wanted = [_placed(own, ends) for own in ends.items.of_records]
    for items in find_items(table.raw):
        found = marked_in(items, source) if not ends.items.path.startswith(items.path) else None
        if found is None or found.type is None or found.counting != ends.counting:
            continue
        if all(own <= _placed(all_, found) for own, all_ in zip(wanted, found.items.of_records, strict=True)):
            return found
    return ends


def _placed(own: Sequence[Json], found: Marked) -> set[str]:
    read = Expression(_id(found), "new")
    return {str(read.read(item, "item")) for item in own}


def events_with_places(table: Table) -> Proposal | None:
    """Events whose trigger and arguments are objects with offsets."""
    for source, items, parts in _with_places(table):
        trigger = next((part for part in parts if part.lower() in TRIGGER), None)
        listed = next((key for key in _keys(items) if key.lower() in ARGUMENTS and _are_objects(items, key)), None)
        plain = [key for key in keys_of(items) if "." not in key and "[" not in key]
        kind = by_name([key for key in plain if items.has(key, is_text)], ("event_type", "type", "label", "class"))
        found = trigger and listed and _gathered(items, source, [name_of(trigger), f"{name_of(listed)}[]"])
        if not (trigger and listed and kind and found):
            continue
        arguments = Items("", tuple([one for event in own for one in event[listed]] for own in items.of_records))
        role = by_name(keys_of(arguments), ROLE)
        if role is None:
            continue
        inner = {"of": name_of(listed), "at": {"text": _id(found)}, "fields": {"role": role}}
        refer = {"of": items.path, "to": "mentions", "at": {"trigger": _at(trigger, found)}}
        fields = {source.field: source.read, "mentions": _mentions(source, found)}
        fields["events"] = {"refer": {**refer, "fields": {"type": kind, "args": inner}}}
        return event_proposal(source, fields, numbered=True)
    return None


def _with_places(table: Table) -> Iterator[tuple[TextColumn, Items, list[str]]]:
    """Texts, lists of items, and the keys of items under which objects with offsets stand."""
    for source in sources(table):
        for items in find_items(table.raw):
            parts = [key for key in _keys(items) if all(map(_has_place, (item.get(key) for item in items.all)))]
            if parts:
                yield source, items, parts


def _keys(items: Items) -> list[str]:
    if not all(isinstance(item, dict) for item in items.all):
        return []
    return list(dict.fromkeys(key for item in items.all for key in item))


def _has_place(value: Json) -> bool:
    if not isinstance(value, dict):
        return False
    names = {key.lower(): inner for key, inner in value.items()}
    counted = [any(is_number(names.get(name)) for name in known) for known in (START, (*END, *LENGTH))]
    return all(counted) or any(_is_pair(names.get(name)) for name in PLACE)


def _is_pair(value: Json) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))


def _are_objects(items: Items, key: str) -> bool:
    values = [one for item in items.all for one in item.get(key) or [None]]
    return any(map(_has_place, values)) and all(map(_has_place, (one for one in values if one is not None)))


def _two_ends(parts: Sequence[str]) -> tuple[str, str] | None:
    head, tail = by_name(parts, HEAD), by_name(parts, TAIL)
    if head and tail and head != tail:
        return head, tail
    return (parts[0], parts[1]) if len(parts) == 2 else None


def _gathered(items: Items, source: TextColumn, parts: Sequence[str]) -> Marked | None:
    """All objects under ``parts`` of the items as one list of mentions."""
    inner = f"{items.path}[].[{', '.join(parts)}]" if len(parts) > 1 else f"{items.path}[].{parts[0]}"
    everything = Items(f"{inner}[]" + ("[]" if len(parts) > 1 else ""), ())
    gathered = Items(everything.path, tuple(_objects(own) for own in items.of_records))
    return marked_in(gathered, source)


def _objects(own: Sequence[Json]) -> list[Json]:
    """The objects with offsets directly under items, and in lists under them."""
    found: list[Json] = []
    for item in own:
        for value in item.values():
            found += [one for one in (value if isinstance(value, list) else [value]) if _has_place(one)]
    return found


def _mentions(source: TextColumn, found: Marked) -> Json:
    field = offsets_field(source, found, _id(found))
    if found.type is None:
        field["offsets"]["type"] = "`null`"
    return field


def _id(found: Marked) -> str:
    return f"[{found.start}, {found.end}]"


def _at(part: str, found: Marked) -> str:
    return f"{name_of(part)} | {_id(found)}"


def _relation(source: TextColumn, fields: dict[str, Json], found: Linked) -> Proposal:
    """Relations alone, where nothing says what kind their ends are of."""
    whole = joint(source, fields, found)
    ends = {"over": "relations", "head": "head", "tail": "tail"} | ({"relation": "type"} if found.type else {})
    target = relation_list(source.field, found.type)
    return replace(whole, family="relation", target=target, metrics=[{"relation_f1": ends}])
