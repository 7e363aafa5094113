"""The adapter for mentions that are given by offsets alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from t2t.structures import Json, Span
from t2t.tasks.expressions import Mismatch, Reader, compile_expression
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, need_text
from t2t.tasks.fields.marking import in_pieces, line_of


@ADAPTERS.register("offsets")
def offsets(arguments: AdapterArguments) -> Reader:
    """``offsets: {of: EXPRESSION, in: EXPRESSION, start: start, end: end, type: type}``: mentions from left to right.

    ``of`` gives a list; ``start``, ``end`` and ``type`` are expressions read from each item. Offsets count characters
    of the text that ``in`` gives, from 0, the end behind the last one. ``ends: inclusive``: the end is the last one.
    ``units: utf16``: they count UTF-16 units, as JavaScript does. With ``tokens: EXPRESSION`` in place of ``in`` they
    count the tokens of a list, which are in a text joined by ``join`` (default a space).

    ``surface: EXPRESSION`` is the text that an item itself holds: one that disagrees with the text at its offsets is a
    mistake. ``id: EXPRESSION`` gives each mention an ``id`` for ``refer``, and one that
    is there again is the same; ``id: place`` gives its place in the list.
    ``types: EXPRESSION``, read from the record, in place of ``type`` where all mentions of a record are of one type.

    Mentions may nest and overlap; one in several pieces is refused. Gives ``[{"text": Span, "type": ...}, ...]``; null
    gives no mention.
    """
    read, find = arguments.needed("of"), _finder(arguments)
    parts = [compile_expression(arguments.text(key, key), arguments.where) for key in ("start", "end")]
    common = arguments.expression("types")
    kind = compile_expression(arguments.text("type", "type"), arguments.where)
    surface, id_ = arguments.expression("surface"), arguments.maybe_text("id")
    identify = None if id_ in (None, "place") else compile_expression(id_, arguments.where)
    arguments.finish()

    def mention(item: Json, place: int, cut: Cut, of_all: Json) -> dict[str, Any]:
        start, end = (part(item) for part in parts)
        found: dict[str, Any] = {"text": cut(*_numbers(start, end), surface(item) if surface else None)}
        found["type"] = of_all if common else kind(item)
        if id_ is not None:
            found["id"] = identify(item) if identify else place
        return found

    def apply(value: Json) -> list[dict[str, Any]]:
        cut, items = find(value), read(value)
        if items is not None and not isinstance(items, list):
            raise Mismatch(f"a list of mentions is needed, found {items!r:.40}", "correct of:")
        of_all = common(value) if common else None
        found = [mention(item, place, cut, of_all) for place, item in enumerate(items or [])]
        if identify is not None:  # gathered from where they are used, one may be there again
            found = [one for place, one in enumerate(found) if one not in found[:place]]
        return sorted(found, key=lambda one: (one["text"].start, one["text"].end))

    return apply


Cut = Callable[[int, int, Json], Span]


@dataclass(frozen=True, slots=True)
class Counting:
    """How offsets count: ``last``: the end is the last unit of a mention; ``utf16``: UTF-16 units."""

    last: bool = False
    utf16: bool = False

    def __str__(self) -> str:
        said = [*(["ends: inclusive"] if self.last else []), *(["units: utf16"] if self.utf16 else [])]
        return " and ".join(said) or "neither ends: inclusive nor units: utf16"

    def place(self, text: str, start: int, end: int) -> tuple[int, int]:
        """Start and end in characters, the end behind the last one. DataError's Mismatch where they are none."""
        end += self.last
        if not self.utf16 or text.isascii():
            _check(start, end, len(text), "characters")
            return start, end
        units = _units(text)
        _check(start, end, len(units) - 1, "UTF-16 units")
        if units[start] is None or units[end] is None:
            raise Mismatch(f"an offset of the mention from {start} to {end} is half a character", "correct the record")
        return units[start], units[end]


ALL_COUNTINGS = tuple(Counting(last, utf16) for last in (False, True) for utf16 in (False, True))


def _units(text: str) -> list[Any]:
    """The place of the character at each UTF-16 unit, None inside of one, and the end of the text."""
    units: list[Any] = []
    for place, char in enumerate(text):
        units += [place] if char < "\U00010000" else [place, None]
    return [*units, len(text)]


def counting_of(rows: Iterable[tuple[str, int, int, str]]) -> Counting | None:
    """How offsets count, told from surfaces that are beside them: rows are (text, start, end, surface).

    The first way by which all surfaces are at their offsets; None where there is none, or no row.
    """
    left = list(ALL_COUNTINGS)
    for row in rows:
        left = [counting for counting in left if _agrees(counting, *row)]
    return left[0] if len(left) < len(ALL_COUNTINGS) and left else None


def _agrees(counting: Counting, text: str, start: int, end: int, surface: str) -> bool:
    try:
        first, last = counting.place(text, start, end)
    except Mismatch:
        return False
    return text[first:last] == surface


def _finder(arguments: AdapterArguments) -> Callable[[Json], Cut]:
    """What gives, for a record, the spans between two offsets."""
    read_text, read_tokens = arguments.expression("in"), arguments.expression("tokens")
    glue = arguments.text("join", " ")
    last = arguments.one_of("ends", ("exclusive", "inclusive")) == "inclusive"
    counting = Counting(last, arguments.one_of("units", ("characters", "utf16")) == "utf16")
    if read_tokens is not None:
        return lambda value: _cut_tokens(read_tokens(value), glue, last)
    if read_text is None:
        raise arguments.wrong("in: is missing", "name the text, or tokens: where the offsets count tokens")
    return lambda value: _cut_text(need_text(read_text(value)), counting)


def _cut_text(text: str, counting: Counting) -> Cut:
    def cut(start: int, end: int, surface: Json) -> Span:
        try:
            first, last = counting.place(text, start, end)
        except Mismatch as error:
            raise _with_hint(error, text, start, end, surface) from None
        if surface is not None and text[first:last] != surface:
            found = f"the text from {start} to {end} is {text[first:last]!r}, the record says {surface!r}"
            raise _with_hint(Mismatch(found, "correct the record"), text, start, end, surface)
        return Span(text[first:last], first, last)

    return cut


def _with_hint(error: Mismatch, text: str, start: int, end: int, surface: Json) -> Mismatch:
    """``error``, with the way of counting by which the surface would be at its offsets."""
    if isinstance(surface, str) and (other := counting_of([(text, start, end, surface)])):
        return Mismatch(error.found, f"{error.todo}; it would fit with {other}")
    return error


def _cut_tokens(tokens: Json, glue: str, inclusive: bool) -> Cut:
    line = line_of(tokens, None, glue)

    def cut(start: int, end: int, surface: Json) -> Span:
        end += inclusive
        _check(start, end, len(line.places), "tokens")
        first, last = line.places[start][0], line.places[end - 1][1]
        said = line.text[first:last]
        if surface is not None and _bare(said) != _bare(str(surface)):
            found = f"the tokens from {start} to {end} are {said!r}, the record says {surface!r}"
            raise Mismatch(found, "correct the record, or say ends: inclusive")
        return Span(said, first, last)

    return cut


def _bare(text: str) -> str:
    return "".join(text.split())


def _numbers(start: Json, end: Json) -> tuple[int, int]:
    in_pieces(start)
    in_pieces(end)
    if not all(isinstance(offset, int) and not isinstance(offset, bool) for offset in (start, end)):
        raise Mismatch(f"the offsets of a mention are {start!r} and {end!r}", "write whole numbers")
    return start, end


def _check(start: int, end: int, length: int, unit: str) -> None:
    if not 0 <= start < end <= length:
        found = f"a mention from {start} to {end} in a text of {length} {unit}"
        raise Mismatch(found, f"count {unit} from 0, the end behind the last one")
