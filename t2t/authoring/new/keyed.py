"""Structures whose keys say something: types above their mentions, slots by name, wanted types, triples, events."""

from __future__ import annotations

from collections.abc import Sequence

from t2t.authoring.new.annotations import TextColumn, marked, mention_list, offsets_field, sources, span_metric
from t2t.authoring.new.columns import Table
from t2t.authoring.new.items import Items, by_name, find_items, is_number, is_text, keys_of, last_name, name_of
from t2t.authoring.new.proposal import FROM_DATA, LABEL_NAMES, Proposal, label_column, text_columns
from t2t.authoring.new.related import linked
from t2t.structures import Json
from t2t.tasks.fields.offsets import counting_of

_MOST_KEYS = 200
_SLOTS = ("slots", "slot", "parameters", "params", "frame", "槽位")
_WANTED = ("prompt", "type", "entity_type", "label", "query", "schema")
ROLE = ("role", "argument_role", "type", "label", "name")
ARGUMENTS = ("arguments", "args", "argument_list", "roles")
TRIGGER = ("trigger", "trigger_word", "anchor")


def types_above(table: Table) -> Proposal | None:
    """``{type: {surface: [[start, end]]}}``, as CLUENER has it, ``{type: [surface]}`` or ``{type: [[start, end]]}``."""
    for key in dict.fromkeys(key for record in table.raw for key in record):
        values = [record.get(key) for record in table.raw]
        if not any(values) or not all(isinstance(value, dict | None) for value in values):
            continue
        for source in sources(table):
            if str(source.read).partition(".")[0] == name_of(key):
                continue  # the text itself is there
            if source.tokens is None and (found := _unfolded(key, values, source)):
                return found
    return None


def _unfolded(key: str, values: list[Json], source: TextColumn) -> Proposal | None:
    rows = [
        (text, kind, inner)
        for text, value in zip(source.texts, values, strict=True)
        for kind, inner in (value or {}).items()
    ]
    if len({kind for _, kind, _ in rows}) > _MOST_KEYS or not any(inner for *_, inner in rows):
        return None
    read = f"{name_of(key)} || `{{}}`"
    if all(isinstance(inner, dict) for *_, inner in rows):
        places = [
            (text, *place, said) for text, _, inner in rows for said, own in inner.items() for place in _pairs(own)
        ]
        if not places or any(not is_number(start) for _, start, *_ in places):
            return None
        counting = counting_of(places)
        unfold = {"unfold": {"of": read, "names": ["type", "text", "place"]}}
        given: dict[str, Json] = {"of": unfold, "in": source.read, "start": "place[0]", "end": "place[1]"}
        given |= {"ends": "inclusive"} if counting and counting.last else {}
        given |= {"units": "utf16"} if counting and counting.utf16 else {}
        return _ner(source, {"offsets": {**given, "surface": "text"}})
    said = [(text, one) for text, _, inner in rows for one in (inner if isinstance(inner, list) else [inner])]
    if said and all(is_text(one) and one in text for text, one in said):
        return _ner(source, {"unfold": {"of": read, "names": ["type", "text"]}})
    return None


def _pairs(places: Json) -> list[list[Json]]:
    return (
        [place for place in places if isinstance(place, list) and len(place) == 2] if isinstance(places, list) else []
    )


def _ner(source: TextColumn, mentions: Json) -> Proposal:
    fields = {source.field: source.read, "mentions": mentions}
    target = mention_list("mentions", source.field)
    return Proposal("ner", fields, [source.field], target, [span_metric()], str(source.read), long=source.field)


def surfaces(table: Table) -> Proposal | None:
    """Mentions by their text alone, each with a type: aspects and what is thought of them, entities without offsets."""
    for source in sources(table):
        for items in find_items(table.raw) if source.tokens is None else ():
            keys = keys_of(items)
            texts = [text for text, own in zip(source.texts, items.of_records, strict=True) for _ in own]
            inside = [key for key in keys if occurs_in(items.read(key), texts)]
            said = by_name(inside, _SAID) or max(inside, key=lambda key: len({*items.read(key)}), default=None)
            kind = _kind(items, keys, said)
            if said is None or kind is None or _has_more(items, keys, (said, kind), texts):
                continue
            liking = last_name(kind) in ("polarity", "sentiment")
            mentions = [items.path, {"map": {"text": said, "type": kind}}]
            found = _ner(source, mentions)
            found.family = "aspect_sentiment" if liking else "ner"
            return found
    return None


def occurs_in(said: Sequence[Json], texts: Sequence[str]) -> bool:
    fits = [is_text(one) and one in text for one, text in zip(said, texts, strict=True)]
    return bool(fits) and sum(fits) * 10 >= len(fits) * 9


_SAID = ("value", "text", "word", "surface", "mention", "term")


def _kind(items: Items, keys: Sequence[str], said: str | None) -> str | None:
    few = [
        key
        for key in keys
        if key != said and items.has(key, is_text) and len(set(items.read(key))) * 2 <= len(items.all)
    ]
    return by_name(few, ("type", "label", "polarity", "sentiment", "category", "entity_type")) or next(iter(few), None)


def _has_more(items: Items, keys: Sequence[str], taken: Sequence[str], texts: Sequence[str]) -> bool:
    """True where items hold a second piece of the text: they are triples."""
    return any(occurs_in(items.read(key), texts) for key in keys if key not in taken)


def wanted_type(table: Table) -> Proposal | None:
    """One record a wanted type, as UIE has it: ``{content, prompt, result_list: [{text, start, end}]}``."""
    found = marked(table)
    if found is None or found[1].type is not None:
        return None
    source, mentions = found
    columns = [c for c in table.columns.values() if c.is_a("a text") and c.fills(table.total) and c.path != source.read]
    wanted = next((c for name in _WANTED for c in columns if c.name.lower() == name and c.values is not None), None)
    if wanted is None:
        return None
    field = offsets_field(source, mentions)
    field["offsets"]["types"] = wanted.path
    fields = {source.field: source.read, "wanted": f"[{wanted.path}]", "mentions": field}
    target = mention_list("mentions", source.field)
    target["fields"]["type"] = {"choice": "wanted", "by": "text"}
    lists = {"types": {"each": "wanted", "as": "{type}", "fields": {"type": "@"}, "between": ", "}}
    proposal = Proposal("wanted_types", fields, [source.field], target, [span_metric()], str(source.read), lists=lists)
    proposal.long = source.field
    return proposal


def slots_by_name(table: Table) -> Proposal | None:
    """``{slots: {name: value}}`` or ``{slots: [{name, value}]}`` beside an intent."""
    label = label_column(table)
    texts = text_columns(table)
    for key in dict.fromkeys(key for record in table.raw for key in record):
        values = [record.get(key) for record in table.raw]
        if not any(values) or not all(isinstance(value, dict) for value in values) or label is None:
            continue
        filled: list[dict[str, Json]] = [value for value in values if value]
        said = [one for value in filled for one in value.values()]
        names = {name for value in filled for name in value}
        text = next((c for c in texts if c is not label and c.path not in (f"{name_of(key)}.{n}" for n in names)), None)
        if text is None or len(names) > _MOST_KEYS or not all(isinstance(one, str | list) for one in said):
            continue
        if key.lower() not in _SLOTS and not _most_stand_in(table, key, text.path):
            continue
        slots = {"items": {"of": key, "key": "type", "value": "text", "each": True}}
        return _intent_and_slots(table, text.name, text.path, label.path, slots)
    return None


def _most_stand_in(table: Table, key: str, text: str) -> bool:
    pairs = [(str(one), str(record.get(text))) for record in table.raw for one in _values(record, key)]
    return sum(said in whole for said, whole in pairs) * 2 > len(pairs)


def _intent_and_slots(table: Table, text: str, path: str, intent: str, slots: Json) -> Proposal:
    known = [(record.get(path), one) for record in table.raw for one in _values(record, slots["items"]["of"])]
    inside = sum(isinstance(said, str) and said in str(whole) for whole, said in known)
    value: Json = {"span_of": text} if inside * 10 >= len(known) * 9 else {"text": "text"}
    listed = {"each": "slots", "as": "{type} = {text}", "fields": {"type": {"label": FROM_DATA}, "text": value}}
    target = {
        "as": "{intent} @ {slots}",
        "fields": {
            "intent": {"label": FROM_DATA},
            "slots": {**listed, "between": " ; ", "empty": "none", "reuse": True},
        },
    }
    metrics: list[Json] = [{"accuracy": {"of": "intent"}}, {"item_f1": {"over": "slots"}}, "exact_match"]
    fields = {text: path, "intent": intent, "slots": slots}
    return Proposal("slots", fields, [text], target, metrics, path, long=text)


def _values(record: dict[str, Json], key: str) -> list[Json]:
    found = record.get(key) or {}
    return [one for value in found.values() for one in (value if isinstance(value, list) else [value])]


def _by(source: TextColumn) -> str:
    return source.tokens or str(source.read)


def events(table: Table) -> Proposal | None:
    """A trigger, a type and arguments, as DuEE and ACE have them."""
    for source in sources(table):
        for items in find_items(table.raw) if source.tokens is None else ():
            keys = _keys_of_objects(items)
            trigger = next(
                (f"{k}.text" if isinstance(items.all[0].get(k), dict) else k for k in keys if k.lower() in TRIGGER),
                None,
            )
            listed = next((k for k in keys if k.lower() in ARGUMENTS and _is_list(items, k)), None)
            by_role = next((k for k in keys if k.lower() in ARGUMENTS and _are_by_role(items, k)), None)
            kind = by_name(
                [k for k in keys if items.has(name_of(k), is_text)], ("event_type", "type", "label", "class")
            )
            if trigger is None or kind is None or (listed is None and by_role is None):
                continue
            if listed is None:
                unfold: Json = {"unfold": {"of": name_of(by_role or ""), "names": ["role", "text"]}}
                return _event(source, items.path, trigger, kind, unfold)
            arguments = Items("", tuple([one for event in own for one in event[listed]] for own in items.of_records))
            inner = keys_of(arguments) if arguments.all else ["role", "text"]
            role = by_name(inner, ROLE)
            said = next(
                (k for k in inner if k != role and last_name(k) in ("argument", "text", "word", "value", "entity")),
                None,
            )
            if role is None or said is None:
                continue
            placed = _with_start(items, trigger, source), _with_start(arguments, said, source)
            args: Json = [listed, {"map": {"role": role, "text": placed[1]}}]
            return _event(source, items.path, placed[0], kind, args, numbered=placed != (trigger, said))
    return None


def _with_start(items: Items, said: str, source: TextColumn) -> str:
    """The expression of a text with its place, where a number beside it says that; else of the text alone."""
    texts = [text for text, own in zip(source.texts, items.of_records, strict=True) for _ in own]
    for key in (key for key in keys_of(items) if items.has(key, is_number)):
        rows = zip(texts, items.read(said), items.read(key), strict=True)
        if all(is_text(one) and text.startswith(one, start) for text, one, start in rows):
            return f"{{text: {said}, start: {key}}}"
    return said


def _keys_of_objects(items: Items) -> list[str]:
    if not items.all or not all(isinstance(item, dict) for item in items.all):
        return []
    return [key for key in items.all[0] if all(key in item for item in items.all)]


def _is_list(items: Items, key: str) -> bool:
    return all(isinstance(item[key], list) and all(isinstance(one, dict) for one in item[key]) for item in items.all)


def _are_by_role(items: Items, key: str) -> bool:
    """Texts, or lists of texts, by their roles."""
    values = [item[key] for item in items.all]
    said = [inner for value in values if isinstance(value, dict) for inner in value.values()]
    texts = [one for inner in said for one in (inner if isinstance(inner, list) else [inner])]
    return all(isinstance(value, dict) for value in values) and bool(texts) and all(map(is_text, texts))


def _event(source: TextColumn, path: str, trigger: str, kind: str, args: Json, numbered: bool = False) -> Proposal:
    fields = {source.field: source.read, "events": [path, {"map": {"trigger": trigger, "type": kind, "args": args}}]}
    return event_proposal(source, fields, numbered)


def event_proposal(source: TextColumn, fields: dict[str, Json], numbered: bool = False) -> Proposal:
    """Events with triggers, types and arguments by role; ``numbered``: a text that is there again says which."""
    span: dict[str, Json] = {"span_of": source.field} | ({"repeat": "number"} if numbered else {})
    inner = {"role": {"label": FROM_DATA}, "text": span}
    args: Json = {
        "each": "args",
        "as": "{role} = {text}",
        "fields": inner,
        "between": " , ",
        "empty": "none",
        "reuse": True,
    }
    of_event = {"trigger": span, "type": {"label": FROM_DATA}, "args": args}
    target: dict[str, Json] = {"each": "events", "as": "{trigger} @ {type} @ {args}", "fields": of_event}
    target |= {"between": " ; ", "empty": "nothing", "reuse": True}
    over = {"over": "events", "trigger": "trigger", "type": "type", "args": "args", "role": "role", "text": "text"}
    return Proposal("event", fields, [source.field], target, [{"event_f1": over}], _by(source), long=source.field)


def standoff_events(table: Table) -> Proposal | None:
    """brat's events, whose triggers and arguments refer to mentions."""
    events_ = [event for record in table.raw for event in record.get("events") or []]
    found = marked(table) if events_ and all("trigger" in event and "arguments" in event for event in events_) else None
    if found is None or found[1].id is None or linked(table, found[1]) is not None:
        return None
    source, mentions = found
    inner = {"of": "arguments", "at": {"text": "id"}, "fields": {"role": "role"}}
    refer = {"of": "events", "to": "mentions", "at": {"trigger": "trigger"}, "fields": {"type": "type", "args": inner}}
    fields = {
        source.field: source.read,
        "mentions": offsets_field(source, mentions, mentions.id),
        "events": {"refer": refer},
    }
    return event_proposal(source, fields)


def label_names(table: Table) -> set[str]:
    """Columns that are labels by their names: one that is left out is told as an error."""
    return {path for path, column in table.columns.items() if column.name.lower() in LABEL_NAMES}
