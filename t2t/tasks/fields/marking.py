"""Adapters that give pieces of a text with their character offsets: tokens, span, tagged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from t2t.linear.nodes.span import ONE_PIECE
from t2t.structures import Json, Span
from t2t.tasks.expressions import Mismatch, Reader, describe
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, need_text, need_texts

# Not \S: tokens may hold no-break and ideographic spaces.
TOKEN = re.compile(r"[^ \t\r\n]+")


@ADAPTERS.register("tokens")
def tokens(arguments: AdapterArguments) -> Reader:
    """``tokens: EXPRESSION``: the tokens of a raw line as {"text", "start", "end"}; split at spaces and tabs only."""
    read = arguments.value()
    arguments.finish()
    return lambda value: [
        {"text": found[0], "start": found.start(), "end": found.end()}
        for found in TOKEN.finditer(need_text(read(value)))
    ]


@ADAPTERS.register("span")
def span(arguments: AdapterArguments) -> Reader:
    """``span: {of: EXPRESSION, in: EXPRESSION}``: {"text", "start"} objects (one, or a list) as Spans; null stays null.

    ``in`` names the text that they are in: where given, a span whose text is not at its start loses its
    offsets.
    """
    read, source = arguments.value(), arguments.expression("in")
    arguments.finish()

    def apply(value: Json) -> Json:
        found, text = read(value), need_text(source(value)) if source else None
        return [_span(item, text) for item in found] if isinstance(found, list) else _span(found, text)

    return apply


def _span(item: Json, source: str | None) -> Span | None:
    if item is None:
        return None
    if isinstance(item, dict):
        in_pieces(item.get("text"))
        in_pieces(item.get("start"))
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise Mismatch(
            f'a span must be {{"text", "start"}}, found {describe(item)}', "correct the record or the template's fields"
        )
    text, start = item["text"], item.get("start")
    if isinstance(start, bool) or not isinstance(start, int | None):
        raise Mismatch(f"the start of a span is {start!r}", "write the offset of its first character, or null")
    if start is None or (source is not None and (start < 0 or not source.startswith(text, start))):
        return Span(text)
    return Span(text, start, start + len(text))


@ADAPTERS.register("tagged")
def tagged(arguments: AdapterArguments) -> Reader:
    """``tagged: {of: EXPRESSION, tags: [e1, e2]}``: a text with ``<e1>...</e1>`` as {"text", "e1", "e2"}.

    ``text`` is the text without the tags, each tag's name a Span in it. Every tag must be there once.
    """
    read, names = arguments.value(), arguments.texts("tags", [])
    arguments.finish()
    if not names:
        raise arguments.wrong("tags: is missing", "write the names of the tags, e.g. [e1, e2]")
    pattern = re.compile("<(/?)(" + "|".join(map(re.escape, names)) + ")>")

    def apply(value: Json) -> dict[str, Any]:
        places: dict[str, list[int]] = {name: [] for name in names}
        plain, end = "", 0
        text = need_text(read(value))
        for mark in pattern.finditer(text):
            plain += text[end : mark.start()]
            end = mark.end()
            places[mark[2]].append(len(plain) if bool(mark[1]) == (len(places[mark[2]]) == 1) else -1)
        plain += text[end:]
        return {"text": plain} | {name: _enclosed(plain, name, found) for name, found in places.items()}

    return apply


def in_pieces(part: Json) -> None:
    """Mismatch where the text or an offset of a mention is a list: it is in several pieces."""
    if isinstance(part, list | tuple):
        todo = f"{ONE_PIECE}; leave it out by an expression, or give each piece as a mention"
        raise Mismatch("a mention is a list of pieces (discontinuous)", todo)


def _enclosed(text: str, name: str, places: list[int]) -> Span:
    if len(places) != 2 or -1 in places or places[0] == places[1]:
        raise Mismatch(f"the tags <{name}> and </{name}> do not stand once around a text", "correct the record")
    start, end = places
    return Span(text[start:end], start, end)


@dataclass(frozen=True, slots=True)
class Line:
    """A text and the (start, end) of each of its tokens."""

    text: str
    places: list[tuple[int, int]]


def line_of(tokens: Json, text: str | None, glue: str) -> Line:
    """Tokens (a list, or a line split at spaces) in ``text``, in that line, or joined by ``glue``."""
    if isinstance(tokens, str):
        if text is None:
            return Line(tokens, [found.span() for found in TOKEN.finditer(tokens)])
        tokens = TOKEN.findall(tokens)
    words = need_texts(tokens)
    places: list[tuple[int, int]] = []
    end = 0
    for number, word in enumerate(words, 1):
        if text is None:
            start = end + len(glue) if places else 0
        elif (start := text.find(word, end)) < 0:
            raise Mismatch(
                f"token {number}, {word!r}, does not stand in the text after those before it", "correct the record"
            )
        end = start + len(word)
        places.append((start, end))
    return Line(glue.join(words) if text is None else text, places)
