"""What every node of a target tree is: gold, render and parse side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from t2t.errors import DataError, TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, Literal, OneOf
from t2t.linear.scope import Expression, Scope, Where, kind_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Value
from t2t.text import ESCAPE, fold, folds_to


class Invalid(Enum):
    """The outcome of parsing a text that is not in the language; an issue says why."""

    INVALID = 0


INVALID: Final = Invalid.INVALID


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: its key path in the YAML, its name in issues, the level that owns its marks."""

    key: str | None
    path: tuple[str | int, ...]
    name: str
    level: int
    where: Where

    def line(self, *below: str) -> str:
        """FILE:LINE of the node, or of a key of it."""
        return self.where((*self.path, *below))

    def child(self, key: str, level: int) -> Place:
        """The place of a field of this node."""
        name = f"{self.name}.{key}" if self.name else key
        return Place(key, (*self.path, "fields", key), name, level, self.where)


def one_of(value: Json, allowed: tuple[str, ...], place: Place, key: str) -> str:
    """The value of a key that is one of a few words (``true``, ``false`` among them); TemplateError if none."""
    word = str(value).lower() if isinstance(value, bool) else value
    if word not in allowed:
        raise TemplateError(place.line(key), f"{key}: {value!r} is unknown", did_you_mean(str(value), allowed))
    return str(word)


def mark_between(spec: Mapping[str, Json], place: Place) -> str:
    """The mark of ``between:``; TemplateError if it is none."""
    between = spec.get("between", ";")
    if not isinstance(between, str) or not between.strip():
        raise TemplateError(place.line("between"), "between: has no mark", 'use a mark, e.g. " ; "')
    return between.strip()


class Node(ABC):
    """One node. Subclasses say how a value that is not null is read, written and parsed."""

    keys: frozenset[str] = frozenset()
    constrainable = True  # False: no grammar says its texts, so that a target with such a node is decoded freely

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        self.place = place
        self.alphabet = alphabet
        allowed = {"absent", "gold", *self.keys}
        for key in spec:
            if key not in allowed:
                raise TemplateError(place.line(key), f"unknown key {key!r}", did_you_mean(str(key), allowed))
        self.absent = self._word(spec, "absent")
        self._absent_folded = None if self.absent is None else fold(self.absent)
        self.expression = Expression(self._gold_of(spec), place.line("gold"))

    def _word(self, spec: Mapping[str, Json], key: str) -> str | None:
        word = spec.get(key)
        if word is None:
            return None
        if not isinstance(word, str):
            raise TemplateError(self.place.line(key), f"{key} is {kind_of(word)}", "give it a word, in quotes")
        return self.alphabet.reserve(word, key, self.place.line(key))

    def _gold_of(self, spec: Mapping[str, Json]) -> str:
        gold = spec.get("gold", self.place.key)
        if gold is None:
            found = "the target does not say which field holds the gold"
            raise TemplateError(self.place.line(), found, "add gold: FIELD")
        if not isinstance(gold, str):
            raise TemplateError(self.place.line("gold"), f"gold is {kind_of(gold)}", "give it the name of a field")
        return gold

    def gold(self, item: Json, scope: Scope) -> Value:
        """The gold value in normal form, read from ``item``; DataError if it is none."""
        raw = self.expression.read(item, scope.where)
        if raw is None:
            if self.absent is None:
                raise self.data_error(scope, "is null", "add absent: WORD to the node, or leave the record out")
            return None
        return self.normal(raw, scope)

    def reference(self, item: Json, scope: Scope) -> Value:
        """The gold as outputs are compared with it: as the record has it, never in normal form (a number is not
        rounded); a surface is looked up as that of an output is."""
        raw = self.expression.read(item, scope.where)
        return None if raw is None else self.raw(raw, scope)

    def raw(self, raw: Json, scope: Scope) -> Value:
        """What ``reference`` gives for a raw gold that is not null; the normal form where that loses nothing."""
        return self.normal(raw, scope)

    def render(self, value: Value, scope: Scope) -> str:
        """The text of a value in normal form."""
        if value is None:
            if self.absent is None:
                raise self.data_error(scope, "is null", "add absent: WORD to the node")
            return self.absent
        return self.write(value, scope)

    def parse(self, text: str, scope: Scope) -> Value | Invalid:
        """The value of ``text``, or INVALID with an issue. Total: any text will do."""
        stripped = text.strip()
        if not stripped:
            scope.report("empty_value", self.place.name, text)
            return INVALID
        if self._absent_folded is not None and folds_to(stripped, self._absent_folded):
            return None
        return self.read(stripped, scope)

    def grammar(self, scope: Scope) -> Grammar:
        """The texts that ``parse`` reads without an issue for this record, written as ``render`` writes them.

        Every value that can be rendered is among them, as far as its spans stand in the source. DataError as in parse.
        """
        shape = self.shape(scope)
        return shape if self.absent is None else OneOf((Literal(self.absent), shape))

    def data_error(self, scope: Scope, found: str, todo: str) -> DataError:
        """An error about the gold of this node."""
        name = self.place.name or self.expression.text
        return DataError(scope.where, f"gold of {name!r} {found}", todo)

    def unescape(self, text: str, scope: Scope) -> str:
        """The value that stands for ``text``; escapes that are none are reported."""
        if ESCAPE not in text:
            return text
        value, bad = self.alphabet.escaper.read(text)
        for escape in bad:
            scope.report("bad_escape", self.place.name, escape)
        return value

    def check(self) -> None:
        """Refuse what only shows when the whole tree is known."""
        if self.absent is not None:
            self.alphabet.check_word(self.absent, "absent", self.place.line("absent"))
            if self.could_be(fold(self.absent)):
                found = f"absent: {self.absent!r} is also a possible value"
                raise TemplateError(self.place.line("absent"), found, "choose another word")

    @abstractmethod
    def normal(self, raw: Json, scope: Scope) -> Value:
        """The normal form of a raw gold that is not null."""

    @abstractmethod
    def write(self, value: Value, scope: Scope) -> str:
        """The text of a value that is not null."""

    @abstractmethod
    def read(self, text: str, scope: Scope) -> Value | Invalid:
        """The value of a text that is stripped, not empty and not ``absent``."""

    def shape(self, scope: Scope) -> Grammar:
        """The texts of the values that are not null. TypeError for a node that is not constrainable."""
        raise TypeError(f"{type(self).__name__} has no grammar")

    @abstractmethod
    def could_be(self, folded: str) -> bool:
        """True if a value other than null could be written as the word whose folded form is given."""

    def words(self) -> list[str]:
        """The words of a closed set, for ``{node.labels}`` in a prompt; TemplateError for other nodes."""
        raise TemplateError(self.place.line(), f"{self.place.name!r} has no labels", "use a label or labels node")
