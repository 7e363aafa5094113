"""The third reading of a target tree: which texts parse strictly for one record, as plain data.

``admission.admits`` is the meaning of these data. They hold characters only, nothing of a tokenizer; generation turns
them into masks over pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from t2t.linear.grounding import Occurrence
from t2t.text import EMPTY, GUARD

NUMBER_MARK = " #"


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
    """``item`` at least once, ``most`` times at most (None: without end), ``between`` in between.

    ``once``: no two items stand on one place: what grounding gives for the copies of an item that are ``counted``. The
    mention before the first of them began at ``last``.
    """

    item: Grammar
    between: str = ""
    most: int | None = None
    once: bool = False
    last: int = 0


@dataclass(frozen=True, slots=True)
class Subset:
    """At least one of ``words``, each at most once and in this order, ``between`` in between."""

    words: tuple[str, ...]
    between: str


@dataclass(frozen=True, slots=True)
class FreeText:
    """The written form of any text that is not empty; the characters of ``escaped`` are there as codes only."""

    escaped: frozenset[str]


@dataclass(frozen=True, slots=True)
class Copy:
    """The written form of any piece of ``source`` that is not empty.

    ``numbered``: `` #n`` may follow, n from 1 to the number of places where the piece stands, overlapping ones counted.
    ``counted``: see Repeat. ``taken``: places that are given away: no number of theirs may follow, and a piece that
    stands nowhere else is not said at all.
    """

    source: str
    escaped: frozenset[str]
    numbered: bool
    counted: bool = False
    taken: frozenset[Occurrence] = frozenset()


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
