"""The third reading of a target tree: which texts parse strictly for one record, as plain data.

``admits`` is the meaning of these data. They hold characters only, nothing of a tokenizer; generation turns them into
masks over pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from t2t.linear.grounding import MOST_PLACES
from t2t.text import EMPTY, GUARD, Escaper, chunk_pattern, written_forms

NUMBER_MARK = " #"
_COUNT = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Literal:
    """This text and no other."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """Its parts one after the other."""

    parts: tuple[Grammar, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of its options; without options nothing at all."""

    options: tuple[Grammar, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """``item`` at least once, ``most`` times at most (None: without end), ``between`` in between."""

    item: Grammar
    between: str = ""
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Subset:
    """At least one of ``words``, each at most once and in this order, ``between`` in between."""

    words: tuple[str, ...]
    between: str


@dataclass(frozen=True, slots=True)
class FreeText:
    """The written form of any text that is not empty; the characters of ``escaped`` stand there as codes only."""

    escaped: frozenset[str]


@dataclass(frozen=True, slots=True)
class Copy:
    """The written form of any piece of ``source`` that is not empty.

    ``numbered``: `` #n`` may follow, n from 1 to the number of places where the piece stands, overlapping ones counted.
    """

    source: str
    escaped: frozenset[str]
    numbered: bool


Grammar: TypeAlias = Literal | Sequence | OneOf | Repeat | Subset | FreeText | Copy

NOTHING = Literal("")


def any_of(texts: Iterable[str]) -> Grammar:
    """One of these texts."""
    return OneOf(tuple(Literal(text) for text in texts))


def maybe(part: Grammar) -> Grammar:
    """``part`` or nothing."""
    return OneOf((NOTHING, part))


def guarded(value: Grammar) -> Grammar:
    """A written value, with or without the guard that keeps it apart from reserved words."""
    return Sequence((maybe(Literal(GUARD)), value))


def free_text(escaped: frozenset[str]) -> Grammar:
    """The written form of any text."""
    return OneOf((Literal(EMPTY), guarded(FreeText(escaped))))


def admits(grammar: Grammar, text: str) -> bool:
    """True if ``text``, the whole of it, is one of the texts of ``grammar``."""
    return len(text) in _ends(grammar, text, {0})


def _ends(grammar: Grammar, text: str, starts: set[int]) -> set[int]:
    """Where a text of ``grammar`` may end that starts at one of ``starts``."""
    match grammar:
        case Literal(literal):
            return {start + len(literal) for start in starts if text.startswith(literal, start)}
        case Sequence(parts):
            for part in parts:
                starts = _ends(part, text, starts)
            return starts
        case OneOf(options):
            return set().union(*(_ends(option, text, starts) for option in options))
        case Repeat():
            return _repeated(grammar, text, starts)
        case Subset():
            return _subsets(grammar, text, starts)
        case FreeText(escaped):
            return {end for start in starts for end, _ in _values(escaped, text, start)}
        case Copy():
            return {end for start in starts for end in _copies(grammar, text, start)}


def _repeated(grammar: Repeat, text: str, starts: set[int]) -> set[int]:
    ends: set[int] = set()
    count = 0
    while starts and count != grammar.most:
        found = _ends(grammar.item, text, starts) - ends
        ends |= found
        starts = _ends(Literal(grammar.between), text, found)
        count += 1
    return ends


def _subsets(grammar: Subset, text: str, starts: set[int]) -> set[int]:
    ends: set[int] = set()
    for word in grammar.words:
        found = _ends(Literal(word), text, starts)
        ends |= found
        starts = starts | _ends(Literal(grammar.between), text, found)
    return ends


def _values(escaped: frozenset[str], text: str, start: int) -> Iterator[tuple[int, list[str]]]:
    """Every end of a written value that starts at ``start``, with its chunks; the list grows as the ends move on."""
    match_chunk = chunk_pattern(escaped).match
    chunks: list[str] = []
    at = start
    while True:
        spaced = bool(chunks) and text.startswith(" ", at)
        chunk = match_chunk(text, at + spaced)
        if chunk is None:
            return
        chunks += [" ", chunk[0]] if spaced else [chunk[0]]
        at = chunk.end()
        yield at, chunks


def _copies(grammar: Copy, text: str, start: int) -> Iterator[int]:
    surface, read = "", 0
    for end, chunks in _values(grammar.escaped, text, start):
        for chunk in chunks[read:]:
            char = Escaper.read(chunk)[0]
            if chunk not in written_forms(char, grammar.escaped) or (chunk == char == " " == surface[-1:]):
                return
            surface += char
        read = len(chunks)
        if surface not in grammar.source:
            return
        yield end
        if grammar.numbered:
            yield from _numbers(text, end, grammar.source, surface)


def _numbers(text: str, at: int, source: str, surface: str) -> Iterator[int]:
    if not text.startswith(NUMBER_MARK, at):
        return
    at += len(NUMBER_MARK)
    count = _COUNT.match(text, at)
    places = _places(source, surface) if count else 0
    for length in range(1, len(count[0]) + 1 if count else 0):
        if int(text[at : at + length]) <= places:
            yield at + length


def _places(source: str, surface: str) -> int:
    found, start = 0, source.find(surface)
    while start >= 0 and found < MOST_PLACES:
        found, start = found + 1, source.find(surface, start + 1)
    return found
