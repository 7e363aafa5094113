"""Lists of objects inside records: where they are, and what the values under their keys can be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from t2t.linear.scope import PLAIN, Expression
from t2t.structures import Json

_DEEPEST = 3
# Names of the two offsets of a mention.
START = (
    "start",
    "start_offset",
    "startoffset",
    "begin",
    "start_char",
    "start_idx",
    "start_index",
    "from",
    "offset",
    "b",
)
END = ("end", "end_offset", "endoffset", "stop", "end_char", "end_idx", "end_index", "exclusive_end", "to", "e")
PLACE = ("span", "offset", "offsets", "position", "pos", "indices", "place", "loc")
LENGTH = ("length", "len")
CANCELLED = "was_cancelled"
Record = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of objects (or of lists) in the records: its expression, and its items record by record."""

    path: str
    of_records: tuple[list[Json], ...]

    @property
    def all(self) -> list[Json]:
        return [item for items in self.of_records for item in items]

    def where(self, key: str) -> Items:
        """Those items alone that have a key."""
        kept = tuple([item for item in items if key in item] for items in self.of_records)
        every = all(len(a) == len(b) for a, b in zip(kept, self.of_records, strict=True))
        whole = f"{self.path} | " if self.path.endswith("]") else self.path  # else the filter would look into each item
        return self if every else Items(f"{whole}[?{name_of(key)}]", kept)

    def read(self, expression: str) -> list[Json]:
        """What an expression gives for each item, null where it cannot be read."""
        find = Expression(expression, "items")
        return [find.read(item, "item") if not find.plain else item.get(expression) for item in self.all]

    def has(self, expression: str, fits: Callable[[Json], bool]) -> bool:
        """True if an expression gives what fits for every item."""
        values = self.read(expression)
        return bool(values) and all(map(fits, values))


def name_of(key: str) -> str:
    """A key as JMESPath names it."""
    return key if PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def find_items(records: Sequence[Record]) -> list[Items]:
    """All lists whose elements are objects, or lists that begin with numbers, by where they are in the records."""
    paths = dict.fromkeys(path for record in records for path in _paths(record, "", 0))
    paths = dict.fromkeys(_passing_over_cancelled(path, records) for path in paths)
    found = [Items(path, tuple(_read(record, path) for record in records)) for path in paths]
    return [part for items in found for part in _with_kinds(items) if items.all]


def _with_kinds(items: Items) -> list[Items]:
    """The items and those of each kind; of each kind first where all have places, as answers about mentions have."""
    kinds = _by_kind(items)
    values = [item.get("value") for item in items.all if isinstance(item, dict) and "from_name" in item]
    placed = all(isinstance(value, dict) and "start" in value for value in values)
    return [*kinds, items] if placed else [items, *kinds]


def _passing_over_cancelled(path: str, records: Sequence[Record]) -> str:
    """The path through the first of several annotations, those left out that an annotator cancelled."""
    several, first, rest = path.partition("[0].")
    if not first or not PLAIN.fullmatch(several):
        return path
    cancelled = any(
        isinstance(one, dict) and one.get(CANCELLED) is True for record in records for one in record.get(several) or []
    )
    return f"({several}[?{CANCELLED} != `true`])[0].{rest}" if cancelled else path


def _by_kind(items: Items) -> list[Items]:
    """The items of each kind, where one list holds answers to several questions, as Label Studio has them."""
    if not any(isinstance(item, dict) and "from_name" in item for item in items.all):
        return []
    objects = [[item for item in own if isinstance(item, dict)] for own in items.of_records]
    kinds = dict.fromkeys(item["type"] for own in objects for item in own if is_text(item.get("type")))
    if len(kinds) < 2:
        return []
    parts = {kind: tuple([item for item in own if item.get("type") == kind] for own in objects) for kind in kinds}
    return [Items(f"{items.path}[?type == '{kind}']", own) for kind, own in parts.items()]


def _paths(value: Json, path: str, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and depth < _DEEPEST:
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{name_of(key)}" if path else name_of(key), depth + 1)
    elif isinstance(value, list) and value and path:
        if all(isinstance(item, dict) for item in value) or all(_is_row(item) for item in value):
            yield path
        elif path == "item":
            for place, part in enumerate(value):
                yield from _paths(part, f"item[{place}]", depth + 1) if isinstance(part, dict) else ()
        elif any(value) and all(isinstance(own, list) and all(map(_is_mention_row, own)) for own in value):
            yield f"{path}[]"  # of sentences
        if isinstance(value[0], dict) and depth < _DEEPEST:
            for key, inner in value[0].items():
                if isinstance(inner, list):
                    yield from _paths(inner, f"{path}[0].{name_of(key)}", depth + 1)


def _is_row(item: Json) -> bool:
    return isinstance(item, list) and len(item) > 2 and any(isinstance(part, int | str) for part in item)


def _is_mention_row(item: Json) -> bool:
    return _is_row(item) and is_number(item[0])


def _read(record: Record, path: str) -> list[Json]:
    found = Expression(path, "new").read(record, "record") if not PLAIN.fullmatch(path) else record.get(path)
    return [item for item in found if isinstance(item, dict | list)] if isinstance(found, list) else []


def keys_of(items: Items) -> list[str]:
    """What can be read from every item, in order: keys, keys of an object inside, places of lists."""
    found: Counter[str] = Counter()
    for item in items.all:
        if isinstance(item, list):
            found.update(f"[{place}]" for place in range(len(item)))
            continue
        for key, value in item.items():
            found[name_of(key)] += 1
            if isinstance(value, dict):
                found.update(f"{name_of(key)}.{name_of(inner)}" for inner in value)
                lists = [inner for inner, one in value.items() if isinstance(one, list) and one]
                found.update(f"{name_of(key)}.{name_of(inner)}[0]" for inner in lists)
            elif isinstance(value, list):
                found.update(f"{name_of(key)}[{place}]" for place in range(min(len(value), 2)))
    return [key for key, count in found.items() if count == len(items.all)]


def last_name(expression: str) -> str:
    """The name by which an expression ends: ``labels`` of ``value.labels[0]``."""
    return expression.partition("[")[0].rpartition(".")[2].strip('"').lower()


def by_name(expressions: Sequence[str], names: Sequence[str]) -> str | None:
    """The first expression that ends by one of the names, in the order of the names."""
    return next((one for name in names for one in expressions if last_name(one) == name), None)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
