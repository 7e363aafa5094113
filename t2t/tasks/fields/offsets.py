"""The adapter for mentions that are given by character offsets alone."""

from __future__ import annotations

from typing import Any

from t2t.structures import Json, Span
from t2t.tasks.expressions import Mismatch, Reader, compile_expression
from t2t.tasks.fields.registry import ADAPTERS, Arguments, need_text


@ADAPTERS.register("offsets")
def offsets(arguments: Arguments) -> Reader:
    """``offsets: {of: EXPRESSION, in: EXPRESSION, start: start, end: end, type: type}``: mentions from left to right.

    ``of`` gives a list, ``in`` the text that its offsets count in; ``start``, ``end`` (exclusive) and ``type`` are
    expressions read from each item. Gives ``[{"text": Span, "type": ...}, ...]``; null gives no mention.
    """
    read, read_text = arguments.needed("of"), arguments.needed("in")
    parts = [compile_expression(arguments.text(key, key), arguments.where) for key in ("start", "end", "type")]
    arguments.finish()

    def apply(value: Json) -> list[dict[str, Any]]:
        text, items = need_text(read_text(value)), read(value)
        if items is not None and not isinstance(items, list):
            raise Mismatch(f"a list of mentions is needed, found {items!r:.40}", "correct of:")
        rows = [tuple(part(item) for part in parts) for item in items or []]
        return [{"text": _span(text, start, end), "type": kind} for start, end, kind in sorted(rows, key=_by_place)]

    return apply


def _by_place(row: tuple[Json, ...]) -> tuple[int, int]:
    start, end = row[:2]
    if not all(isinstance(offset, int) and not isinstance(offset, bool) for offset in (start, end)):
        raise Mismatch(f"the offsets of a mention are {start!r} and {end!r}", "write whole numbers")
    return start, end


def _span(text: str, start: int, end: int) -> Span:
    if not 0 <= start < end <= len(text):
        found = f"a mention from {start} to {end} in a text of {len(text)} characters"
        raise Mismatch(found, "count characters from 0, the end behind the last one")
    return Span(text[start:end], start, end)
