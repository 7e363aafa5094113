"""The adapter for mentions that are given by offsets alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from t2t.structures import Json, Span
from t2t.tasks.expressions import Mismatch, Reader, compile_expression
from t2t.tasks.fields.marking import in_pieces, line_of
from t2t.tasks.fields.registry import ADAPTERS, Arguments, need_text


@ADAPTERS.register("offsets")
def offsets(arguments: Arguments) -> Reader:
    """``offsets: {of: EXPRESSION, in: EXPRESSION, start: start, end: end, type: type}``: mentions from left to right.

    ``of`` gives a list; ``start``, ``end`` (exclusive) and ``type`` are expressions read from each item. Offsets count
    characters of the text that ``in`` gives; or, with ``tokens: EXPRESSION`` in its place, the tokens of a list, which
    stand in a text joined by ``join`` (default a space). Mentions may nest and overlap; one in several pieces is
    refused. Gives ``[{"text": Span, "type": ...}, ...]``; null gives no mention.
    """
    read, find = arguments.needed("of"), _finder(arguments)
    parts = [compile_expression(arguments.text(key, key), arguments.where) for key in ("start", "end", "type")]
    arguments.finish()

    def apply(value: Json) -> list[dict[str, Any]]:
        cut, items = find(value), read(value)
        if items is not None and not isinstance(items, list):
            raise Mismatch(f"a list of mentions is needed, found {items!r:.40}", "correct of:")
        rows = [tuple(part(item) for part in parts) for item in items or []]
        return [{"text": cut(start, end), "type": kind} for start, end, kind in sorted(rows, key=_by_place)]

    return apply


Cut = Callable[[int, int], Span]


def _finder(arguments: Arguments) -> Callable[[Json], Cut]:
    """What gives, for a record, the spans between two offsets."""
    read_text, read_tokens = arguments.expression("in"), arguments.expression("tokens")
    glue = arguments.text("join", " ")
    if read_tokens is not None:
        return lambda value: _cut_tokens(read_tokens(value), glue)
    if read_text is None:
        raise arguments.wrong("in: is missing", "name the text, or tokens: where the offsets count tokens")
    return lambda value: _cut_text(need_text(read_text(value)))


def _cut_text(text: str) -> Cut:
    def cut(start: int, end: int) -> Span:
        _check(start, end, len(text), "characters")
        return Span(text[start:end], start, end)

    return cut


def _cut_tokens(tokens: Json, glue: str) -> Cut:
    line = line_of(tokens, None, glue)

    def cut(start: int, end: int) -> Span:
        _check(start, end, len(line.places), "tokens")
        first, last = line.places[start][0], line.places[end - 1][1]
        return Span(line.text[first:last], first, last)

    return cut


def _by_place(row: tuple[Json, ...]) -> tuple[int, int]:
    start, end = row[:2]
    in_pieces(start)
    in_pieces(end)
    if not all(isinstance(offset, int) and not isinstance(offset, bool) for offset in (start, end)):
        raise Mismatch(f"the offsets of a mention are {start!r} and {end!r}", "write whole numbers")
    return start, end


def _check(start: int, end: int, length: int, unit: str) -> None:
    if not 0 <= start < end <= length:
        found = f"a mention from {start} to {end} in a text of {length} {unit}"
        raise Mismatch(found, f"count {unit} from 0, the end behind the last one")
