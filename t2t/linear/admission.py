"""Which texts a grammar has, decided character by character; and where a text of one says a place twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from t2t.linear.grammar import (
    NUMBER_MARK,
    Copy,
    FreeText,
    Grammar,
    Literal,
    OneOf,
    Repeat,
    Sequence,
    Subset,
    maybe,
)
from t2t.linear.grounding import Cursor, Occurrence, SourceText
from t2t.text import Escaper, chunk_pattern, written_forms

_COUNT = re.compile(r"[1-9][0-9]{0,5}")


class _Copied(NamedTuple):
    """A piece of ``source``, and the number behind it."""

    source: str
    surface: str
    number: int | None


class _Memory(NamedTuple):
    """What the cursor of a list remembers between two items."""

    taken: frozenset[Occurrence] = frozenset()
    last: int = 0


class _Cut(NamedTuple):
    """Before a text says a place twice, in an item that ends at ``end``: it is kept up to ``at``; ``rest`` may follow
    there."""

    at: int
    rest: Grammar
    end: int


@lru_cache(maxsize=64)
def source_text(text: str) -> SourceText:
    """``text`` as grounding looks mentions up, with what was found in it before."""
    return SourceText(text)


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
            ends: set[int] = set()
            for option in options:
                ends |= _ends(option, text, starts)
            return ends
        case Repeat(once=True):
            return _repeated_once(grammar, text, starts)
        case Repeat():
            return _repeated(grammar, text, starts)
        case Subset():
            return _subsets(grammar, text, starts)
        case FreeText(escaped):
            return {end for start in starts for end, _ in _values(escaped, text, start)}
        case Copy():
            return {end for start in starts for end, _ in _copies(grammar, text, start)}


def _repeated(grammar: Repeat, text: str, starts: set[int]) -> set[int]:
    ends: set[int] = set()
    count = 0
    while starts and count != grammar.most:
        found = _ends(grammar.item, text, starts) - ends
        ends |= found
        starts = _ends(Literal(grammar.between), text, found)
        count += 1
    return ends


def _repeated_once(grammar: Repeat, text: str, starts: set[int]) -> set[int]:
    ends: set[int] = set()
    states = {(start, _memory(grammar)) for start in starts}
    while states:
        found = {item for start, memory in states for item in _items(grammar.item, text, start, memory)}
        after = {(end, memory) for end, memory in found if memory is not None}
        ends |= {end for end, _ in after}
        states = {
            (end + len(grammar.between), memory) for end, memory in after if text.startswith(grammar.between, end)
        }
    return ends


def _items(item: Grammar, text: str, start: int, memory: _Memory) -> Iterator[tuple[int, _Memory | None]]:
    """Every end of an item that starts at ``start``, with what is remembered after it; None if its place is taken."""
    for end, copied in _readings(item, text, start):
        yield end, _take(copied, memory)


def _take(copied: tuple[_Copied, ...], memory: _Memory) -> _Memory | None:
    cursor = Cursor(reuse=False)
    cursor.taken, cursor.last = set(memory.taken), memory.last
    for source, surface, number in copied:
        places = source_text(source).exact(surface)
        place = cursor.choose(source_text(source), places) if number is None else places[number - 1]
        if place in cursor.taken:
            return None
        cursor.take(place)
    return _Memory(frozenset(cursor.taken), cursor.last)


def _readings(grammar: Grammar, text: str, start: int) -> Iterator[tuple[int, tuple[_Copied, ...]]]:
    """Every end of a text of ``grammar`` that starts at ``start``, with its counted copies, those of lists left out."""
    match grammar:
        case Literal(literal):  # what most of a grammar is made of comes first
            if text.startswith(literal, start):
                yield start + len(literal), ()
        case Sequence(parts):
            found: list[tuple[int, tuple[_Copied, ...]]] = [(start, ())]
            for part in parts:
                found = [(end, one + more) for at, one in found for end, more in _readings(part, text, at)]
            yield from found
        case OneOf(options):
            for option in options:
                yield from _readings(option, text, start)
        case Copy(counted=True):
            for end, copy in _copies(grammar, text, start):
                yield end, (copy,)
        case _:
            for end in _ends(grammar, text, {start}):
                yield end, ()


def without_repeats(grammar: Grammar, text: str) -> Grammar | None:
    """For a text that says a place twice, and else is one of ``grammar``: what may stand instead of it.

    These are the texts of ``grammar`` that begin as it does, up to the first item whose place is taken, and go on
    without one that an item before it has. None for any other text.
    """
    cut = _first_cut(grammar, text)
    return cut and Sequence((Literal(text[: cut.at]), cut.rest))


def repeats_for_good(grammar: Grammar, text: str) -> bool:
    """True for a text that says a place twice (see ``without_repeats``) however it goes on: more follows that item."""
    cut = _first_cut(grammar, text)
    return cut is not None and cut.end < len(text)


def _first_cut(grammar: Grammar, text: str) -> _Cut | None:
    return next((cut for end, cut in _walks(grammar, text, 0) if end == len(text) and cut is not None), None)


def _walks(grammar: Grammar, text: str, start: int) -> Iterator[tuple[int, _Cut | None]]:
    """Every end of a text of ``grammar`` in which places may be said twice, with the cut before the first of them."""
    match grammar:
        case Sequence(()):
            yield start, None
        case Sequence((first, *others)):
            rest = Sequence(tuple(others))
            for middle, cut in _walks(first, text, start):
                for end, later in _walks(rest, text, middle):
                    yield end, later if cut is None else _Cut(cut.at, Sequence((cut.rest, rest)), cut.end)
        case OneOf(options):
            for option in options:
                yield from _walks(option, text, start)
        case Repeat(once=True):
            yield from _walks_once(grammar, text, start)
        case Repeat(most=None):
            yield from _walks_over_items(grammar, text, start)
        case _:
            for end in _ends(grammar, text, {start}):
                yield end, None


def _walks_once(grammar: Repeat, text: str, start: int) -> Iterator[tuple[int, _Cut | None]]:
    waiting = [
        (start, start, _memory(grammar))
    ]  # the end of the item before, the start of the next, what is remembered
    while waiting:
        before, at, memory = waiting.pop()
        for end, after in _items(grammar.item, text, at, memory):
            if after is None:
                more = replace(grammar, item=_without(grammar.item, memory.taken), last=memory.last)
                cut = _Cut(before, maybe(Sequence((Literal(grammar.between), more))), end)
                yield from ((last, cut) for last in {end} | _ends_behind(replace(grammar, once=False), text, end))
                continue
            yield end, None
            if text.startswith(grammar.between, end):
                waiting.append((end, end + len(grammar.between), after))


def _walks_over_items(grammar: Repeat, text: str, start: int) -> Iterator[tuple[int, _Cut | None]]:
    waiting = [start]
    while waiting:
        for end, cut in _walks(grammar.item, text, waiting.pop()):
            if cut is not None:
                more = maybe(Sequence((Literal(grammar.between), grammar)))
                cut = _Cut(cut.at, Sequence((cut.rest, more)), cut.end)
                yield from ((last, cut) for last in {end} | _ends_behind(grammar, text, end))
                continue
            yield end, None
            if text.startswith(grammar.between, end):
                waiting.append(end + len(grammar.between))


def _ends_behind(grammar: Repeat, text: str, end: int) -> set[int]:
    """Where further items may end that follow an item which ends at ``end``."""
    return _ends(grammar, text, _ends(Literal(grammar.between), text, {end}))


def _memory(grammar: Repeat) -> _Memory:
    """What is remembered before the first item: the places that its copies may not say."""
    return _Memory(_given_away(grammar.item), grammar.last)


def _given_away(item: Grammar) -> frozenset[Occurrence]:
    match item:
        case Sequence(parts) | OneOf(parts):
            return frozenset().union(*map(_given_away, parts))
        case Copy(counted=True):
            return item.taken
        case _:
            return frozenset()


def _without(item: Grammar, taken: frozenset[Occurrence]) -> Grammar:
    """``item`` whose counted copies say none of these places."""
    match item:
        case Sequence(parts):
            return Sequence(tuple(_without(part, taken) for part in parts))
        case OneOf(options):
            return OneOf(tuple(_without(option, taken) for option in options))
        case Copy(counted=True):
            return replace(item, taken=item.taken | taken)
        case _:
            return item


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


def _copies(grammar: Copy, text: str, start: int) -> Iterator[tuple[int, _Copied]]:
    """Every end of a piece of the source that starts at ``start``, with what it says."""
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
        yield from _spelled(grammar, text, end, surface)


def _spelled(grammar: Copy, text: str, end: int, surface: str) -> Iterator[tuple[int, _Copied]]:
    """``surface``, which ends at ``end``, without a number and with each that may follow."""
    if not grammar.taken and not (grammar.numbered and text.startswith(NUMBER_MARK, end)):
        yield end, _Copied(grammar.source, surface, None)
        return
    places = source_text(grammar.source).exact(surface)
    if not grammar.taken.issuperset(places):
        yield end, _Copied(grammar.source, surface, None)
    count = _COUNT.match(text, end + len(NUMBER_MARK)) if text.startswith(NUMBER_MARK, end) else None
    for length in range(1, len(count[0]) + 1 if count and grammar.numbered else 0):
        number = int(count[0][:length]) if count else 0
        if number <= len(places) and places[number - 1] not in grammar.taken:
            yield end + len(NUMBER_MARK) + length, _Copied(grammar.source, surface, number)
