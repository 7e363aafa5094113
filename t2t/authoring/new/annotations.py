"""Mentions in a text, and what holds between them: the form in which annotation tools have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from t2t.authoring.new.columns import Column, Table
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
    last_name,
)
from t2t.authoring.new.proposal import FROM_DATA, TEXT_NAMES, named, text_columns
from t2t.linear.scope import Expression
from t2t.structures import Json
from t2t.tasks.expressions import Mismatch
from t2t.tasks.fields.offsets import ALL_COUNTINGS, Counting, counting_of

_TYPE = ("type", "label", "labels", "entity_type", "entity_group", "category", "tag", "class", "entity", "polarity",
         "sentiment", "kind", "role", "name", "ner", "属性", "类型", "标签")  # fmt: skip
_SURFACE = ("text", "surface", "word", "mention", "span", "value", "entity", "name", "term", "phrase", "token", "文本")
_ID = ("id", "entity_id", "eid", "uid", "key")
# What an item is, not what it says.
KINDS_OF_ITEMS = {
    "relation", "relations", "rel", "entity", "labels", "hypertextlabels", "paragraphlabels", "choices", "rating",
    "textarea",
}  # fmt: skip


@dataclass(slots=True)
class TextColumn:
    """The text in which mentions stand: the ``field`` of the template, how it is read, and its value in each record;
    with ``tokens``, the expression of the list that it is joined from."""

    field: str
    read: Json
    texts: list[str]
    tokens: str | None = None
    counts: tuple[int, ...] = ()  # tokens of each record
    glue: str = " "


@dataclass(frozen=True, slots=True)
class Marked:
    """A list of mentions: how each part is read from an item; ``id`` None where items have none."""

    items: Items
    start: str | None
    end: str | None
    type: str | None
    surface: str | None
    id: str | None
    counting: Counting


def sources(table: Table) -> Iterator[TextColumn]:
    """The texts of the records, the likeliest first, and lists of tokens."""
    texts = text_columns(table)
    first = named(texts, TEXT_NAMES)
    for column in sorted(texts, key=lambda one: (one is not first, -one.mean)):
        yield TextColumn(column.name, column.path, [str(at(record, column.path)) for record in table.raw])
    for column in table.columns.values():
        found = _tokens(table, column)
        if found is None:
            continue
        path, rows = found
        glue = "" if _one_character(rows) else " "
        joined: Json = {"join": {"of": path, "with": glue}}
        yield TextColumn("text", joined, [glue.join(row) for row in rows], path, tuple(len(row) for row in rows), glue)


def _tokens(table: Table, column: Column) -> tuple[str, list[list[str]]] | None:
    """The expression of the tokens of each record, those of several sentences one behind the other, and what it
    gives."""
    if column.is_tags or not column.is_a("a list"):
        return None
    for path in (column.path, f"{column.path}[]"):
        rows = [at(record, path) for record in table.raw]
        if all(isinstance(row, list) and all(isinstance(w, str) for w in row) for row in rows):
            return path, rows
    return None


def _one_character(rows: Sequence[Sequence[str]]) -> bool:
    words = [word for row in rows for word in row]
    return sum(len(word) == 1 and word > "\u2e80" for word in words) * 2 > len(words)


def at(record: Json, path: str) -> Json:
    found = Expression(path, "new")
    return record.get(path) if found.plain else found.read(record, "record")


def marked(table: Table) -> tuple[TextColumn, Marked] | None:
    """The first list of mentions with offsets, and the text in which they stand."""
    lists = find_items(table.raw)
    for source in sources(table):
        for items in lists:
            if found := marked_in(items, source):
                return source, found
    return None


def marked_in(items: Items, source: TextColumn) -> Marked | None:
    """The items as mentions in a text; None where they are none."""
    for start_key in _start_keys(items):
        kept = items.where(start_key.partition(".")[0]) if "." in start_key or not start_key.startswith("[") else items
        keys = keys_of(kept)
        for start, end in _places(kept, keys):
            found = _complete(kept, keys, start, end, source)
            if found is not None:
                return found
    return None


def _start_keys(items: Items) -> list[str]:
    """The keys that some items have and that may hold the start: a list may hold relations beside mentions."""
    keys = dict.fromkeys(key for item in items.all if isinstance(item, dict) for key in item)
    return [key for key in keys if key.lower() in (*START, *PLACE, "value")] or ["[0]"]


def _places(items: Items, keys: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of expressions that give whole numbers and may be start and end."""
    for place in [key for key in keys if last_name(key) in PLACE and key.endswith("[0]")]:
        yield place, f"{place.removesuffix('[0]')}[1]"
    start, end = by_name(keys, START), by_name(keys, END)
    if start and end:
        texts = items.has(start, lambda value: isinstance(value, str) and value.isdecimal())
        yield (f"to_number({start})", f"to_number({end})") if texts else (start, end)
    length = by_name(keys, LENGTH)
    if start and length:
        yield start, f"sum([{start}, {length}])"
    if {"[0]", "[1]"} <= set(keys) and not items.has("[2]", is_number):
        yield "[0]", "[1]"


def _complete(items: Items, keys: list[str], start: str, end: str, source: TextColumn) -> Marked | None:
    """The mentions, if their offsets are such of the text."""
    if not items.has(start, is_number) or not items.has(end, is_number):
        return None
    rows = list(zip(_texts_of(items, source.texts), items.read(start), items.read(end), strict=True))
    surface = _surface(items, keys, source)
    if source.tokens is not None:
        most = _texts_of(items, source.counts)
        last = _last_in_tokens(items, rows, most, surface, source)
        if last is None:
            return None
        counting = Counting(last)
    else:
        said = items.read(surface) if surface else []
        counting_ = counting_of([(*row, one) for row, one in zip(rows, said, strict=True)]) if surface else _guess(rows)
        if counting_ is None and not (surface and _all_exclusive(rows)):
            return None
        counting = counting_ or Counting()
    kind = _type(items, keys, (start, end, surface))
    return Marked(items, start, end, kind, surface, _id(items, keys), counting)


def _all_exclusive(rows: Sequence[tuple[str, int, int]]) -> bool:
    return all(0 <= start < end <= len(text) for text, start, end in rows)


def _texts_of(items: Items, of_records: Sequence[Any]) -> list[Any]:
    return [value for value, own in zip(of_records, items.of_records, strict=True) for _ in own]


def _guess(rows: Sequence[tuple[str, int, int]]) -> Counting | None:
    """How offsets count where no surface says so: the way by which the fewest mentions begin or end inside a word.

    None where none fits all; the usual way where several do equally well.
    """
    best: tuple[int, Counting] | None = None
    for counting in ALL_COUNTINGS:
        try:
            cuts = sum(_cuts(text, *counting.place(text, start, end)) for text, start, end in rows)
        except Mismatch:
            continue
        if best is None or cuts < best[0]:
            best = cuts, counting
    return best[1] if best else None


def _cuts(text: str, start: int, end: int) -> int:
    """How many of the two ends of a mention are inside a word, or have a space or stop that belongs to none."""
    said = text[start:end]
    inside = _in_word(text, start) + _in_word(text, end)
    return inside + (said != said.strip()) + (said[-1] in _STOPS and not said[:-1].endswith(_STOPS))


_STOPS = tuple(".,;:!?，。；：！？、")


def _in_word(text: str, place: int) -> bool:
    around = text[max(0, place - 1) : place + 1]
    return len(around) == 2 and around.isalnum() and max(around) < "\u2e80"


def _last_in_tokens(
    items: Items, rows: list[tuple[str, int, int]], most: Sequence[int], surface: str | None, source: TextColumn
) -> bool | None:
    """Whether ends are inclusive, where offsets count tokens; None where they do not."""
    spans = [(start, end, count) for (_, start, end), count in zip(rows, most, strict=True)]
    fits = {last: all(0 <= a < b + last <= n for a, b, n in spans) for last in (False, True)}
    if surface is not None:
        words = [text.split(source.glue) if source.glue else list(text) for text, _, _ in rows]
        said = items.read(surface)
        for last in (False, True):
            parts = ["".join(own[a : b + last]) for own, (a, b, _) in zip(words, spans, strict=True)]
            if fits[last] and all(part == "".join(str(one).split()) for part, one in zip(parts, said, strict=True)):
                return last
        return None
    rows_first = isinstance(items.all[0], list)  # DyGIE and its kin, whose ends are inclusive; objects are SpERT's
    return next((last for last in (rows_first, not rows_first) if fits[last]), None)


def _surface(items: Items, keys: list[str], source: TextColumn) -> str | None:
    """What gives the text of a mention: it is in the text for nearly every item."""
    texts = _texts_of(items, source.texts)
    for key in sorted(keys, key=lambda one: last_name(one) not in _SURFACE):
        said = items.read(key)
        if said == texts:
            continue
        if all(map(is_text, said)) and sum(a in b for a, b in zip(said, texts, strict=True)) * 10 >= len(said) * 9:
            return key
    return None


def _type(items: Items, keys: list[str], taken: Sequence[str | None]) -> str | None:
    left = [key for key in keys if key not in taken and items.has(key, is_text)]
    left = [key for key in left if not {*items.read(key)} <= KINDS_OF_ITEMS]
    several = [key for key in left if len(set(items.read(key))) > 1]  # the same word everywhere is no type
    known = by_name(several, _TYPE) or by_name(left, _TYPE)
    if known is not None:
        return known
    few = [key for key in (*several, *left) if len(set(items.read(key))) * 2 <= len(items.all)]
    return few[0] if few else None


def _id(items: Items, keys: list[str]) -> str | None:
    """What names each mention of a record, once."""
    for key in keys:
        if last_name(key) in _ID and not key.endswith("]"):
            find = Expression(key, "new")
            own = [[_key_of(find.read(item, "")) for item in record] for record in items.of_records]
            if all(len(set(ids)) == len(ids) for ids in own):
                return key
    return None


def _key_of(id_: Json) -> str:
    return str(id_)


def offsets_field(source: TextColumn, found: Marked, id_: str | None = None) -> Json:
    """The adapter that reads a list of mentions."""
    given: dict[str, Json] = {"of": found.items.path}
    if source.tokens is not None:
        given |= {"tokens": source.tokens} | ({"join": ""} if not source.glue else {})
    else:
        given |= {"in": source.read}
    for key, path in (("start", found.start), ("end", found.end), ("type", found.type)):
        given |= {key: path} if path and path != key else {}
    given |= {"ends": "inclusive"} if found.counting.last else {}
    given |= {"units": "utf16"} if found.counting.utf16 else {}
    given |= {"surface": found.surface} if found.surface else {}
    given |= {"id": id_} if id_ else {}
    return {"offsets": given}


def mention_list(over: str, source: str, *, liking: bool = False) -> dict[str, Any]:
    """The target of a list of mentions with types."""
    return {
        "each": over,
        "as": "{text} = {type}",
        "fields": {"text": {"span_of": source, "repeat": "number"}, "type": {"label": FROM_DATA}},
        "between": " ; ",
        "empty": "none",
        **({"reuse": True} if liking else {}),
    }


def span_metric(over: str = "mentions") -> Json:
    return {"span_f1": {"over": over, "span": "text", "type": "type"}}


_UNSAID = "nothing in the records says whether ends are inclusive: they were taken as exclusive"


def undecided(source: TextColumn, found: Marked) -> list[str]:
    """A line where offsets fit the text in both ways of ending, equally well, and no surface decides."""
    if found.surface or source.tokens is not None or found.counting.last:
        return []
    items = found.items
    rows = list(
        zip(_texts_of(items, source.texts), items.read(str(found.start)), items.read(str(found.end)), strict=True)
    )
    try:
        cuts = [sum(_cuts(t, *Counting(last).place(t, a, b)) for t, a, b in rows) for last in (False, True)]
    except Mismatch:
        return []
    return [_UNSAID] if cuts[0] == cuts[1] else []


def untrimmed(source: TextColumn, found: Marked) -> list[str]:
    """A line where mentions have a space at an end that is none of theirs."""
    if source.tokens is not None:
        return []
    items, said = found.items, []
    places = zip(items.read(str(found.start)), items.read(str(found.end)), strict=True)
    for text, (start, end) in zip(_texts_of(items, source.texts), places, strict=True):
        try:
            first, last = found.counting.place(text, start, end)
        except Mismatch:
            continue
        said += [text[first:last]] if text[first:last] != text[first:last].strip() else []
    mentions = "mention begins or ends" if len(said) == 1 else "mentions begin or end"
    return [f"{len(said)} {mentions} with a space, e.g. {said[0]!r}: correct the offsets"] if said else []


def places_apart(table: Table) -> tuple[str, str] | None:
    """The names of a list of places, pairs of numbers, and of a list of as many types beside it."""
    paths = [path for path, column in table.columns.items() if column.is_a("a list")]
    lists = {path: [row.get(path) or [] for row in table.raw] for path in paths}
    places = next((path for path, rows in lists.items() if any(rows) and all(map(_are_pairs, rows))), None)
    for path, rows in lists.items():
        words = any(rows) and all(isinstance(item, str) for row in rows for item in row)
        if places and words and all(len(a) == len(b) for a, b in zip(rows, lists[places], strict=True)):
            return places, path
    return None


def _are_pairs(row: Json) -> bool:
    return isinstance(row, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in row
    )
