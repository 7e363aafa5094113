"""What a proposal does not read of the records, and whether that may be what the task is about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from t2t.authoring.new.annotations import KINDS_OF_ITEMS
from t2t.authoring.new.columns import Table
from t2t.authoring.new.items import END, START, find_items
from t2t.authoring.new.proposal import LABEL_NAMES, Proposal
from t2t.linear.scope import kind_of
from t2t.structures import Json

_ABOUT_RECORDS = (
    "id",
    "predictions",
    "drafts",
    "split",
    "source",
    "lang",
    "language",
    "url",
    "date",
    "meta",
    "metadata",
    "name",
    "title",
    "domain",
)
_OF_TOOLS = (
    "from_name", "to_name", "origin", "was_cancelled", "ground_truth", "created_at", "updated_at", "lead_time",
    "result_count", "unique_id", "completed_by", "token_start", "token_end", "direction", "alias", "aliases",
)  # fmt: skip
_MOST_LABELS = 50  # more different words are titles, names of places, ...
INPUTS = (
    "context", "passage", "paragraph", "document", "article", "evidence", "premise", "hypothesis", "claim", "question",
    "abstract", "tables", "table", "schema", "knowledge", "background", "facts", "history",
)  # fmt: skip
_PLACES = (*START, *END)
_TASKS = ("intent", "slots", "entities", "relations", "events", "spans", *LABEL_NAMES)


def left_out(table: Table, proposal: Proposal) -> tuple[list[str], int]:
    """A line for each key that the template does not read, and how many of them may carry the task."""
    keys, inside = unread(table, proposal), list(unread_inside(table, proposal))
    lines = [f"{key!r}: {_held(_values(table, key))}, not read" for key in keys]
    lines += [f"{path!r}: {_held(values)}, not read" for path, values, _ in inside]
    return [*proposal.dropped, *lines], len(proposal.dropped) + sum(_carries_a_task(table, key) for key in keys) + sum(
        task for *_, task in inside
    )


Inside = tuple[str, list[Json], bool]


def unread_inside(table: Table, proposal: Proposal) -> Iterator[Inside]:
    """What is in the objects of a list that is read, and is not read itself: its path, its values, and whether it
    may carry the task: objects, a closed set of words, offsets."""
    left = {*unread(table, proposal), *proposal.reads}
    yield from _beside_texts(table, proposal)
    for items in find_items(table.raw):
        key = re.search(r'"(?:[^"]*)"|\w+', items.path)
        objects = [item for item in items.all if isinstance(item, dict)]
        if key is None or key[0].strip('"') in left or not occurs_in(key[0].strip('"'), proposal):
            continue
        for name in dict.fromkeys(name for item in objects for name in item):
            if occurs_in(name, proposal) or name.lower() in (*_ABOUT_RECORDS, *_OF_TOOLS):
                continue
            values = [item[name] for item in objects if item.get(name) not in (None, [], {}, "")]
            task = _is_part_of_a_task(name, values, objects)
            if {str(value) for value in values} <= KINDS_OF_ITEMS:
                continue
            if task or (values and not all(isinstance(value, int | float) for value in values)):
                yield f"{items.path}.{name}", values, task


def _beside_texts(table: Table, proposal: Proposal) -> Iterator[Inside]:
    """What stands unread in the objects of records that are lists, as spaCy's pairs of a text and its annotations."""
    rows = [record["item"] for record in table.raw if record.keys() == {"item"} and isinstance(record["item"], list)]
    parts = [(place, part) for row in rows for place, part in enumerate(row) if isinstance(part, dict)]
    for place, name in dict.fromkeys((place, name) for place, part in parts for name in part):
        values = [part[name] for at, part in parts if at == place and part.get(name)]
        if values and not occurs_in(name, proposal):
            yield f"item[{place}].{name}", values, True


def _is_part_of_a_task(name: str, values: list[Json], objects: list[dict[str, Json]]) -> bool:
    if any(_is_structured(item) for value in values for item in _list(value)):
        return True
    if values and all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return name.lower() in _PLACES
    words = {value for value in values if isinstance(value, str)}
    others = [[str(one) for key, one in item.items() if key != name] for item in objects]
    said = all(any(str(item.get(name)) in one for one in own) for item, own in zip(objects, others, strict=True))
    return 1 < len(words) <= _MOST_LABELS and len(words) * 2 <= len(values) and not said


def unread(table: Table, proposal: Proposal) -> list[str]:
    """The keys of the records that the template does not read."""
    keys = dict.fromkeys(key for record in table.raw for key in record)
    read = occurs_in if "group" in keys and is_read("group", proposal) else is_read  # its items have all the keys
    return [key for key in keys if not read(key, proposal) and key not in proposal.reads]


def is_read(key: str, proposal: Proposal) -> bool:
    """True if a key of the records, or an expression, is read from them, not only from the items of a list."""
    read = [proposal.fields, proposal.source_fields, proposal.group_by, proposal.explode, proposal.where]
    return _occurs_in(key, " ".join(_texts([_of_records(value) for value in read])))


# What an adapter reads from the items of its list.
_OF_ITEMS = {"offsets": ("start", "end", "type", "surface", "id"), "refer": ("at", "fields")}


def _of_records(value: Json) -> Json:
    """The part of a field that is read from the record."""
    if isinstance(value, list):
        return [_of_records(step) for step in value[:1]] if _is_chain(value) else [_of_records(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "map" in value:
        return value["map"].get("of")
    return {
        name: {key: _of_records(one) for key, one in inner.items() if key not in _OF_ITEMS[name]}
        if name in _OF_ITEMS and isinstance(inner, dict)
        else _of_records(inner)
        for name, inner in value.items()
    }


def _is_chain(value: list[Json]) -> bool:
    return any(isinstance(step, dict) for step in value[1:])


def occurs_in(key: str, proposal: Proposal) -> bool:
    """True if a key, or an expression, is in what the template reads."""
    said = " ".join(
        _texts([proposal.fields, proposal.source_fields, proposal.group_by, proposal.explode, proposal.where])
    )
    started = key.lower() in END and any(_occurs_in(start, said) for start in START)
    return started or _occurs_in(key, said)


def _occurs_in(key: str, said: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", said) is not None


def _texts(value: Json) -> Iterator[str]:
    """The texts inside mappings and lists, without the keys."""
    if isinstance(value, str):
        yield value
    if isinstance(value, dict) and isinstance(value.get("offsets"), dict):
        yield from {"start", "end", "type"} - value["offsets"].keys()  # are read by these names
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _values(table: Table, key: str) -> list[Json]:
    return [record[key] for record in table.raw if record.get(key) is not None]


def _held(values: list[Json]) -> str:
    if not values:
        return "always null"
    if all(isinstance(value, list) for value in values):
        inner = {kind_of(item) for value in values for item in value}
        what = {"a mapping": "objects", "a text": "texts", "a number": "numbers", "a list": "lists"}
        of = what.get(next(iter(inner)), "values") if len(inner) == 1 else "values" if inner else "nothing"
        return f"{len(values)} lists of {of}"
    kinds = {kind_of(value) for value in values}
    if kinds == {"a mapping"}:
        return f"{len(values)} objects with {', '.join(list(values[0])[:4])}"
    different = len({str(value) for value in values})
    plain = {"a text": "texts", "a number": "numbers", "true or false": "switches"}
    what_ = plain.get(next(iter(kinds)), "values") if len(kinds) == 1 else "values"
    return f"{len(values)} {what_}, {different} different"


def _is_structured(item: Json) -> bool:
    """An object, or a row with a word in it."""
    return isinstance(item, dict) or (isinstance(item, list) and any(isinstance(part, str) for part in item))


def _both_ends(table: Table) -> bool:
    """True if columns give the start and the end of a mention a record."""
    names = {path.lower() for path in table.columns}
    return any(start in names for start in START) and any(end in names for end in END)


def _carries_a_task(table: Table, key: str) -> bool:
    """Lists of objects, objects under the name of a task, texts under the name of an input, and a second closed set of
    words."""
    values = _values(table, key)
    if key.lower() in _ABOUT_RECORDS:
        return False
    if any(_is_structured(item) for value in values if isinstance(value, list) for item in value):
        return True
    if any(isinstance(value, dict) and value for value in values):
        return key.lower() in _TASKS
    if key.lower() in INPUTS and any(isinstance(item, str) for value in values for item in _list(value)):
        return True
    if key.lower() in _TASKS and any(isinstance(value, list) and value for value in values):
        return True
    column = table.columns.get(key)
    if key.lower() in _PLACES and column is not None and column.is_numeric and _both_ends(table):
        return True
    words = column is not None and column.labels is not None and 1 < len(column.labels) <= _MOST_LABELS
    texts = all(isinstance(value, str) for value in values) and not (column is not None and column.is_numeric)
    return words and (texts or key.lower() in _TASKS)
