"""Sentence patterns and the texts that they make.

A pattern is text with slots ``{kind}`` or ``{kind:role}`` (the role is the kind where not given) and, for
events, the trigger in brackets: ``Envoys from {country:guest} [visited] {city:host}.``
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TypeAlias

from t2t.atlas import parts_en, parts_zh
from t2t.atlas.names import KINDS
from t2t.atlas.pools import Pool

SLOT = re.compile(r"\{(?P<kind>[a-z]+)(?::(?P<role>[a-z]+))?\}|\[(?P<trigger>[^\]]+)\]")
PARTS: Mapping[str, Mapping[str, Sequence[str]]] = {"en": parts_en.PARTS, "zh": parts_zh.PARTS}
_PART, _WORDS = re.compile(r"\$([A-Z]+)"), re.compile(r"<([^<>]*)>")
RUN = {"en": 3, "zh": 2}  # characters
DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}


def is_combined(pattern: str) -> bool:
    """True for a pattern that is made from parts."""
    return "$" in pattern or "<" in pattern


def literals(pattern: str) -> list[str]:
    """The words of a pattern, whatever is drawn for its parts (whose own words are not among them)."""
    found = [piece if isinstance(piece, str) else piece.words for piece in parse_pattern(pattern)]
    return [words for piece in found for words in re.split(r"\$[A-Z]+|[<|>]", piece) if words.strip()]


def expand(pattern: str, parts: Mapping[str, Sequence[str]], rng: Random) -> str:
    """A pattern with one of its parts for each ``$NAME`` and one of its words for each ``<a|b>``, drawn by ``rng``; its
    first letter is a capital."""
    if not is_combined(pattern):
        return pattern
    while "$" in pattern:
        pattern = _PART.sub(lambda found: rng.choice(parts[found[1]]), pattern)
    while "<" in pattern:
        pattern = _WORDS.sub(lambda found: rng.choice(found[1].split("|")), pattern)
    return pattern[:1].upper() + pattern[1:]


def expand_pair(pair: str, rng: Random) -> tuple[str, str]:
    """The two sides of a parallel pattern, with the same of the words in each ``<a|b>`` of both, group by group."""
    source, target = pair.split("\t")
    drawn = [rng.randrange(words.count("|") + 1) for words in _WORDS.findall(source)]

    def side(text: str) -> str:
        places = iter(drawn)
        return _WORDS.sub(lambda found: found[1].split("|")[next(places)], text)

    return side(source), side(target)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to fill, or (kind ``trigger``) fixed words whose place matters."""

    kind: str
    role: str
    words: str = ""


Pattern: TypeAlias = tuple[str | Slot, ...]


@dataclass(frozen=True, slots=True)
class Mention:
    """A filled slot: its surface, where it starts in the text, what it is and what it is for."""

    text: str
    start: int
    kind: str
    role: str

    def span(self) -> dict[str, str | int]:
        """The gold of a ``span_of`` node."""
        return {"text": self.text, "start": self.start, "end": self.start + len(self.text)}


@cache
def parse_pattern(text: str) -> Pattern:
    """The pieces of a pattern: literal strings and slots, in order."""
    pieces: list[str | Slot] = []
    last = 0
    for match in SLOT.finditer(text):
        if match.start() > last:
            pieces.append(text[last : match.start()])
        if match["trigger"]:
            pieces.append(Slot("trigger", "trigger", match["trigger"]))
        else:
            pieces.append(Slot(match["kind"], match["role"] or match["kind"]))
        last = match.end()
    return (*pieces, text[last:]) if last < len(text) else tuple(pieces)


@cache
def slots(text: str) -> tuple[Slot, ...]:
    """The slots of a pattern that have to be filled, in order."""
    return tuple(p for p in parse_pattern(text) if isinstance(p, Slot) and p.kind != "trigger")


class Draft:
    """A text in the making: sentences are added, names are drawn from ``pool`` by ``rng``, mentions are kept."""

    def __init__(self, rng: Random, pool: Pool, language: str) -> None:
        self.rng = rng
        self.pool = pool
        self.language = language
        self.gap = "" if language == "zh" else " "
        self.text = ""
        self.mentions: list[Mention] = []

    def draw(self, kind: str) -> str:
        """A value for a slot of ``kind``: a name, a day or an amount."""
        if kind == "day":
            return self.rng.choice(DAYS[self.language])
        if kind == "amount":
            return str(self.rng.randrange(2, 200) * 5)
        return self.pool.name(self.rng, kind)

    def add(self, pattern: str, given: Mapping[str, str] | None = None) -> list[Mention]:
        """Append a sentence, filled from ``given`` by role and otherwise by chance; its mentions, in order."""
        if self.text:
            self.text += self.gap
        pattern = expand(pattern, PARTS[self.language], self.rng)
        start, parts, added = len(self.text), [], []
        for piece in parse_pattern(pattern):
            if isinstance(piece, Slot):
                words = piece.words or (given or {}).get(piece.role) or self.draw(piece.kind)
                added.append(Mention(words, start, piece.kind, piece.role))
            else:
                words = piece
            parts.append(words)
            start += len(words)
        self.text += "".join(parts)
        self.mentions += added
        return added

    def is_clear(self) -> bool:
        """Whether every mention stands once in the text, so that its surface alone says its place, and the names are
        told apart by any few characters: no run of RUN of them is in two names, or twice in one."""
        folded = self.text.casefold()
        if any(folded.count(m.text.casefold()) != 1 for m in self.mentions):
            return False
        size = RUN.get(self.language, RUN["en"])
        names = [m.text.casefold() for m in names_in(self.mentions)]
        runs = [name[at : at + size] for name in names for at in range(len(name) - size + 1)]
        return len(set(runs)) == len(runs)


def names_in(mentions: Sequence[Mention]) -> list[Mention]:
    """Those of ``mentions`` that are names."""
    return [m for m in mentions if m.kind in KINDS]
