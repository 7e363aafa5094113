"""What a proposal does not read of the records, and whether that may be what the task is about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from t2t.authoring.new.columns import Table
from t2t.authoring.new.items import END, START
from t2t.authoring.new.proposal import LABEL_NAMES, Proposal
from t2t.linear.scope import kind_of
from t2t.structures import Json

_ABOUT_RECORDS = (
    "id",
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
_MOST_LABELS = 50  # more different words are titles, names of places, ...
INPUTS = (
    "context", "passage", "paragraph", "document", "article", "evidence", "premise", "hypothesis", "claim", "question",
    "abstract", "tables", "table", "schema", "knowledge", "background", "facts", "history",
)  # fmt: skip
_PLACES = (*START, *END)
_TASKS = ("intent", "slots", "entities", "relations", "events", "spans", *LABEL_NAMES)


def left_out(table: Table, proposal: Proposal) -> tuple[list[str], int]:
    """A line for each key that the template does not read, and how many of them may carry the task."""
    keys = unread(table, proposal)
    return [f"{key!r}: {_held(table, key)}, not read" for key in keys], sum(_carries_a_task(table, key) for key in keys)


def unread(table: Table, proposal: Proposal) -> list[str]:
    """The keys of the records that the template does not read."""
    keys = dict.fromkeys(key for record in table.raw for key in record)
    return [key for key in keys if not stands_in(key, proposal) and key not in proposal.reads]


def stands_in(key: str, proposal: Proposal) -> bool:
    """True if a key, or an expression, stands in what the template reads."""
    said = " ".join(
        _texts([proposal.fields, proposal.source_fields, proposal.group_by, proposal.explode, proposal.where])
    )
    return _stands_in(key, said)


def _stands_in(key: str, said: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", said) is not None


def _texts(value: Json) -> Iterator[str]:
    """The texts inside mappings and lists, without the keys."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _values(table: Table, key: str) -> list[Json]:
    return [record[key] for record in table.raw if record.get(key) is not None]


def _held(table: Table, key: str) -> str:
    values = _values(table, key)
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
