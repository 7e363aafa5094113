"""Relations as texts: ``{subject, predicate, object}``, or lists of three, with the types of their ends where they say
them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from t2t.authoring.new.annotations import sources
from t2t.authoring.new.columns import Table
from t2t.authoring.new.items import Items, find_items, is_text, keys_of, last_name, name_of
from t2t.authoring.new.keyed import occurs_in
from t2t.authoring.new.proposal import FROM_DATA, Proposal, label_column
from t2t.authoring.new.related import relation_list
from t2t.structures import Json

_HEAD = ("head", "subject", "subj", "sub", "s", "h", "[0]")
_KIND = ("relation", "predicate", "type", "label", "p", "r", "rel", "[1]")
_TAIL = ("tail", "object", "obj", "o", "t", "[2]")
_TYPES = ("type", "label", "entity_type", "kind", "category")


def triples(table: Table) -> Proposal | None:
    for source in sources(table):
        for items in find_items(table.raw):
            keys = keys_of(items)
            kind = _plain(items, keys, _KIND)
            head, tail = (_end(items, keys, names) for names in (_HEAD, _TAIL))
            if not (head and kind and tail) or len({head, kind, tail}) < 3:
                continue
            whole = [text for text, own in zip(source.texts, items.of_records, strict=True) for _ in own]
            if not occurs_in(items.read(head), whole):
                continue
            inside = occurs_in(items.read(tail), whole)
            types = {name: _type(items, keys, end) for name, end in (("head_type", head), ("tail_type", tail))}
            read = {"head": head, "type": kind, "tail": tail} | {name: key for name, key in types.items() if key}
            fields: dict[str, Json] = {source.field: source.read, "relations": [items.path, {"map": read}]}
            target = relation_list(source.field, kind, {"span_of": source.field})
            target["fields"]["tail"] = {"span_of": source.field} if inside else {"text": "tail"}
            _add_types(target, [name for name in types if name in read])
            by = source.tokens or str(source.read)
            return Proposal("relation", fields, [source.field], target, _metrics(read, inside), by, long=source.field)
    return None


def given_ends(table: Table) -> Proposal | None:
    """One relation a record, between two pieces of its text that are given: ``{text, h: {name, pos}, t: {...}}``."""
    label = label_column(table)
    for source in sources(table) if label is not None else ():
        found = [_given(table, source.texts, names) for names in (_HEAD, _TAIL)]
        if label is None or not all(found) or label.path in found:
            continue
        fields: dict[str, Json] = {
            source.field: source.read,
            "head": found[0],
            "tail": found[1],
            "relation": label.path,
        }
        target = {"label": FROM_DATA, "gold": "relation"}
        names, by = ["head", "tail", source.field], source.tokens or str(source.read)
        return Proposal("classification", fields, names, target, ["accuracy", "macro_f1"], by, long=source.field)
    return None


def _given(table: Table, texts: Sequence[str], names: Sequence[str]) -> str | None:
    """The expression of an object's text that is in each text, under one of the names."""
    for key in dict.fromkeys(key for record in table.raw for key in record if key.lower() in names):
        values = [record.get(key) for record in table.raw]
        for inner in _SAID if all(isinstance(value, dict) for value in values) else ():
            said = [value.get(inner) if isinstance(value, dict) else None for value in values]
            if occurs_in(said, texts):
                return f"{name_of(key)}.{inner}"
    return None


_SAID = ("text", "name", "word", "mention", "surface", "value")


def _add_types(target: dict[str, Any], names: Sequence[str]) -> None:
    """Each type behind its end."""
    for name in names:
        end = name.removesuffix("_type")
        target["fields"][name] = {"label": FROM_DATA}
        target["as"] = target["as"].replace(f"{{{end}}}", f"{{{end}}} = {{{name}}}")


def _metrics(read: dict[str, str], inside: bool) -> list[Json]:
    if not inside:
        return [{"item_f1": {"over": "relations"}}]
    types = [name for name in ("head_type", "tail_type") if name in read]
    over = {"over": "relations", "head": "head", "relation": "type", "tail": "tail"}
    return [{"relation_f1": over | (dict(zip(types, types, strict=True)) if len(types) == 2 else {})}]


def _plain(items: Items, keys: Sequence[str], names: Sequence[str]) -> str | None:
    """The key of a text that is in the item itself."""
    own = [key for key in keys if "." not in key and items.has(key, is_text)]
    return next((key for key in own if last_name(key) in names or key in names), None)


def _end(items: Items, keys: Sequence[str], names: Sequence[str]) -> str | None:
    """The expression of an end: a text, or the text of an object (``object."@value"``)."""
    if plain := _plain(items, keys, names):
        return plain
    inner = [key for key in keys if "." in key and key.partition(".")[0].lower() in names and items.has(key, is_text)]
    said = [key for key in inner if last_name(key) not in _TYPES]
    return said[0] if said else None


def _type(items: Items, keys: Sequence[str], end: str) -> str | None:
    """What says of which type an end is: ``subject_type`` of ``subject``, ``head.type`` of ``head.text``."""
    name = end.partition(".")[0]
    beside = [key for key in keys if key.partition(".")[0] in [f"{name}_{word}" for word in _TYPES]]
    inner = [key for key in keys if "." in end and key in [f"{name}.{word}" for word in _TYPES]]
    return next((key for key in (*beside, *inner) if items.has(key, is_text)), None)
