"""Where a generated mention is in its source.

Tiers, the first that finds anything wins: exact; folded (compatibility forms and case, character by character);
accents stripped, with ``<unk>`` standing for a few characters (a row of them for as many as one, and none where a
mention holds more than three rows); fuzzy (rapidfuzz). Offsets are always into the
original text. Among the places of one tier those not yet taken come first, then those between word boundaries,
then those not before the mention placed last (mentions are taken in the order in which they were generated),
then the leftmost. Mentions may nest.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from t2t.structures import Found, Span
from t2t.text import fold_character, is_accent, is_word_character

FUZZY_SCORE = 80.0  # of 100, rapidfuzz's partial ratio
FUZZY_SHORTEST = 4  # characters; below, a fuzzy match is chance
MOST_PLACES = 10_000  # of one mention; the rest of a text that says it so often is not looked through
MOST_WILDCARDS = 3  # the search takes time exponential in them
LONGEST_WILDCARD = 12  # characters
UNKNOWN_PIECES = re.compile("(?:<unk>|\u2047)+")


class Occurrence(NamedTuple):
    start: int
    end: int


class _Folded(NamedTuple):
    """A folded text and, for each of its characters, the index of the original character."""

    text: str
    origin: list[int]


def _fold(text: str, keep_accents: bool) -> _Folded:
    characters: list[str] = []
    origin: list[int] = []
    for index, char in enumerate(text):
        for folded in fold_character(char):
            repeated_space = folded == " " and bool(characters) and characters[-1] == " "
            if not repeated_space and (keep_accents or not is_accent(folded)):
                characters.append(folded)
                origin.append(index)
    return _Folded("".join(characters), origin)


class SourceText:
    """A text in which mentions are looked up; folded forms are made when first needed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._exact: dict[str, list[Occurrence]] = {}
        self._places: dict[str, tuple[Found, list[Occurrence]]] = {}

    @cached_property
    def folded(self) -> _Folded:
        return _fold(self.text, keep_accents=True)

    @cached_property
    def bare(self) -> _Folded:
        return _fold(self.text, keep_accents=False)

    def exact(self, surface: str) -> list[Occurrence]:
        """The places of ``surface``, from left to right, overlapping ones too: the first ``MOST_PLACES``."""
        places = self._exact.get(surface)
        if places is None:
            places = self._exact[surface] = self._find(surface)
        return places

    def _find(self, surface: str) -> list[Occurrence]:
        places: list[Occurrence] = []
        start = self.text.find(surface) if surface else -1
        while start >= 0 and len(places) < MOST_PLACES:
            places.append(Occurrence(start, start + len(surface)))
            start = self.text.find(surface, start + 1)
        return places

    def places(self, surface: str) -> tuple[Found, list[Occurrence]]:
        """The best tier that finds ``surface`` and its places there (see ``exact``); ``absent`` and none otherwise."""
        if exact := self.exact(surface):
            return "exact", exact
        if surface not in self._places:
            self._places[surface] = self._tiers(surface)
        return self._places[surface]

    def _tiers(self, surface: str) -> tuple[Found, list[Occurrence]]:
        if folded := _search(self.folded, re.escape(_fold(surface, True).text.strip())):
            return "folded", folded
        pieces = [re.escape(_fold(piece, False).text) for piece in UNKNOWN_PIECES.split(surface.strip())]
        says = len(pieces) <= MOST_WILDCARDS + 1 and any(not piece.isspace() for piece in pieces if piece)
        wildcards = [_wildcard(run) for run in UNKNOWN_PIECES.findall(surface.strip())]
        pattern = "".join(part for pair in zip(pieces, [*wildcards, ""], strict=True) for part in pair)
        if says and (bare := _search(self.bare, pattern)):
            return "accents", _shortest(bare) if len(pieces) > 1 else bare
        if fuzzy := self._fuzzy(surface):
            return "fuzzy", [fuzzy]
        return "absent", []

    def _fuzzy(self, surface: str) -> Occurrence | None:
        from rapidfuzz import fuzz

        wanted = _fold(surface, False).text.strip()
        if not FUZZY_SHORTEST <= len(wanted) <= len(self.bare.text):
            return None
        match = fuzz.partial_ratio_alignment(wanted, self.bare.text, score_cutoff=FUZZY_SCORE)
        if match is None or match.dest_start == match.dest_end:
            return None
        return self._whole_words(_to_original(self.bare, match.dest_start, match.dest_end))

    def _whole_words(self, place: Occurrence) -> Occurrence:
        start, end = place
        while end > start and self.text[end - 1].isspace():
            end -= 1
        while start < end and self.text[start].isspace():
            start += 1
        while start > 0 and not self._boundary(start):
            start -= 1
        while end < len(self.text) and not self._boundary(end):
            end += 1
        return Occurrence(start, end)

    def _boundary(self, index: int) -> bool:
        if index in (0, len(self.text)):
            return True
        return not (is_word_character(self.text[index - 1]) and is_word_character(self.text[index]))

    def bounded(self, place: Occurrence) -> bool:
        """True if no word is cut at either end of ``place``."""
        return self._boundary(place.start) and self._boundary(place.end)


def _wildcard(run: str) -> str:
    """The pattern of a row of unknown pieces: at least one character for each."""
    least = min(run.count("<") + run.count("\u2047"), LONGEST_WILDCARD)
    return rf"\S{{{least},{LONGEST_WILDCARD}}}?"


def _search(folded: _Folded, pattern: str) -> list[Occurrence]:
    if not pattern:
        return []
    found = (_to_original(folded, *match.span(1)) for match in re.finditer(f"(?=({pattern}))", folded.text, re.DOTALL))
    return list(dict.fromkeys(islice(found, MOST_PLACES)))


def _shortest(places: list[Occurrence]) -> list[Occurrence]:
    """A wildcard at an edge matches at many lengths: the shortest are meant."""
    length = min(place.end - place.start for place in places)
    return [place for place in places if place.end - place.start == length]


def _to_original(folded: _Folded, start: int, end: int) -> Occurrence:
    return Occurrence(folded.origin[start], folded.origin[end - 1] + 1)


class Cursor:
    """What grounding remembers inside one list: places taken and where the last mention began.

    With ``reuse`` nothing is remembered: the arguments of relations and events may stand on one place.
    """

    __slots__ = ("last", "reuse", "taken")

    def __init__(self, reuse: bool) -> None:
        self.reuse = reuse
        self.taken: set[Occurrence] = set()
        self.last = 0

    def take(self, place: Occurrence) -> None:
        if not self.reuse:
            self.taken.add(place)
            self.last = place.start

    def choose(self, source: SourceText, places: list[Occurrence]) -> Occurrence:
        """The place that comes first by the rules of this module; ``places`` is not empty."""
        if len(places) == 1:
            return places[0]
        # Places are in order, so the first that no rule speaks against is the one.
        for place in islice(places, bisect_left(places, (self.last,)), None):
            if place not in self.taken and source.bounded(place):
                return place
        return min(places, key=lambda p: (p in self.taken, not source.bounded(p), p.start < self.last, p.start))


def ground(source: SourceText, surface: str, cursor: Cursor, number: int | None = None) -> Span:
    """Locate ``surface`` and take the place. ``number``: the how-manieth occurrence (1 is the first) is meant."""
    found, places = source.places(surface)
    if not places:
        return Span(surface, None, None, "absent")
    numbered = number is not None and 1 <= number <= len(places)
    place = places[number - 1] if numbered and number is not None else cursor.choose(source, places)
    cursor.take(place)
    text = source.text[place.start : place.end]
    return Span(text, place.start, place.end, found, not numbered and len(places) > 1)


def number_for(source: SourceText, span: Span, cursor: Cursor) -> int | None:
    """The number that must be written so that grounding finds ``span``; None if it does without, or cannot.

    Takes the place in ``cursor``, as ``ground`` will.
    """
    places = source.exact(span.text)
    if not places:
        ground(source, span.text, cursor)
        return None
    chosen = cursor.choose(source, places)
    if span.start is None:
        cursor.take(chosen)
        return None
    wanted = Occurrence(span.start, span.start + len(span.text))
    if wanted not in places:
        cursor.take(chosen)
        return None
    cursor.take(wanted)
    return None if wanted == chosen else places.index(wanted) + 1
