"""Where the parts of a copy are in the text that was copied.

Copy and text are compared folded and without white space. Where they are equal, every part has its place. Where they
are not, they are aligned by insertions and deletions (the fewest, by rapidfuzz), and a part has a place if most of it
is found there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from t2t.linear.grounding import SourceText
from t2t.structures import Found, Span
from t2t.text import fold_character

ENOUGH = 0.6  # of the characters of a part
MOST_CELLS = 200_000_000  # of the table of an alignment, one bit each


def align(source: SourceText, parts: Sequence[str]) -> list[Span | None]:
    """The place of each part of a copy of ``source``; None for a part that has none, or no visible text."""
    squeezed, origin = _squeeze(source.text)
    folded = [_squeeze(part)[0] for part in parts]
    places = _places(squeezed, "".join(folded))
    ends = list(accumulate(len(part) for part in folded))
    spans: list[Span | None] = []
    for part, fold, end in zip(parts, folded, ends, strict=True):
        found = [place for place in places[end - len(fold) : end] if place >= 0]
        if not fold or len(found) < ENOUGH * len(fold):
            spans.append(None)
            continue
        whole = len(found) == len(fold) and found[-1] - found[0] == len(found) - 1
        spans.append(_span(source.text, part, origin[found[0]], origin[found[-1]] + 1, whole))
    return spans


def _span(source: str, part: str, start: int, end: int, whole: bool) -> Span:
    """The span of a part whose visible text stands from ``start`` to ``end``; its outer white space belongs to it."""
    wide = (start - len(part) + len(part.lstrip()), end + len(part) - len(part.rstrip()))
    if wide[0] >= 0 and source[slice(*wide)] == part:
        return Span(part, *wide)
    found: Found = "folded" if whole else "fuzzy"
    return Span(source[start:end], start, end, found)


def _squeeze(text: str) -> tuple[str, list[int]]:
    """The folded text without white space, and the index of the original character of each of its characters."""
    pairs = [(folded, index) for index, char in enumerate(text) for folded in fold_character(char) if folded != " "]
    return "".join(folded for folded, _ in pairs), [index for _, index in pairs]


def _places(text: str, copy: str) -> list[int]:
    """For each character of ``copy`` the index of the one in ``text`` that it stands for, or -1."""
    if text == copy:
        return list(range(len(text)))
    places = [-1] * len(copy)
    if len(text) * len(copy) > MOST_CELLS:
        return places
    from rapidfuzz.distance import Indel

    for step in Indel.opcodes(text, copy):
        if step.tag == "equal":
            places[step.dest_start : step.dest_end] = range(step.src_start, step.src_end)
    return places
