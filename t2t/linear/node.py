"""What every node of a target tree is: gold, render and parse side by side, and walks over a tree and its values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from t2t.errors import DataError, TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, Literal, OneOf
from t2t.linear.parsed import TargetPart, stripped
from t2t.linear.scope import Expression, Scope, Where, kind_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Span, Value
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
    """One node. Subclasses say how a value that is not null is read, written and parsed.

    What else is asked of a node has an answer here that does for a leaf; a node for which another one is true gives it
    in its own class. Nothing outside asks for the class of a node.
    """

    keys: frozenset[str] = frozenset()
    constrainable = True  # False: no grammar says its texts, so that a target with such a node is decoded freely
    faithful = True  # False: outputs are compared with something else than the normal form of its gold (``reference``)
    closed = False  # True: the key of its name holds a closed set, a list of labels or a mapping of labels to words
    closed_set = False  # True: its texts are few enough that each can be weighed (``closed_texts``)
    many = False  # True: a value is a list
    ordered = False  # True: a list whose order is for the gold to say
    span_field: str | None = None  # the field in which the value, a span, stands
    says_places = False  # True: an output says which of several places of a mention is meant
    counted = False  # True, set by a list: no two of its items may have this span on one place

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
            raise TemplateError(self.place.line(), found, "add gold: FIELD inside of target:")
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

    def parts(self, text: str, start: int = 0) -> Iterator[TargetPart]:
        """What in an output says one thing each: an item of a list, a field beside others, the whole of a leaf.

        ``text`` is at ``start`` of the output. Total, as ``parse`` is; what is white space alone has no part.
        """
        yield from stripped(self.title, text, start)

    @property
    def title(self) -> str:
        """What a value is called: by the name of the node, or of the gold where it is the whole target."""
        return self.place.name or self.expression.text

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

        Every value that can be rendered is among them, as far as its spans are in the source. DataError as in parse.
        """
        shape = self.shape(scope)
        return shape if self.absent is None else OneOf((Literal(self.absent), shape))

    def data_error(self, scope: Scope, found: str, todo: str) -> DataError:
        """An error about the gold of this node."""
        return DataError(scope.where, f"gold of {self.title!r} {found}", todo)

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

    def with_absent(self, texts: Iterable[str]) -> tuple[str, ...]:
        """The texts, and that of null where the value can be null."""
        return (*texts, *(() if self.absent is None else (self.absent,)))

    def closed_texts(self, scope: Scope) -> tuple[str, ...]:
        """All texts that a value can have, of a node with a ``closed_set``; none elsewhere."""
        return ()

    @abstractmethod
    def could_be(self, folded: str) -> bool:
        """True if a value other than null could be written as the word whose folded form is given."""

    @property
    def children(self) -> Mapping[str, Node]:
        """The nodes that it holds, by the names of its fields; where it is a list, those of each item."""
        return {}

    @property
    def beside(self) -> Mapping[str, Node]:
        """The children that stand side by side, once each in a value: those of a record, none of a list."""
        return {} if self.many else self.children

    @property
    def span_names(self) -> list[str]:
        """Which of the children are spans."""
        return [name for name, child in self.children.items() if child.span_field is not None]

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of the record that it reads, beside those of its gold, to render and to parse."""
        return () if self.span_field is None else (self.span_field,)

    def tree(self) -> Iterator[Node]:
        """The node and all below it."""
        yield self
        for child in self.children.values():
            yield from child.tree()

    def held(self, value: Value) -> Iterator[tuple[Node, Value]]:
        """The values right below one of this node, each with its node."""
        yield from ()

    def map_held(self, value: Value, change: Change) -> Value | Invalid:
        """A value with those right below it changed. An item of a list goes with a field that turns INVALID; a field of
        a record is null then."""
        return value

    def walk(self, value: Value) -> Iterator[tuple[Node, Value]]:
        """A value of this node and all below it, each with its node."""
        yield self, value
        for child, inner in self.held(value):
            yield from child.walk(inner)

    def map_spans(self, value: Value, field: str, change: ChangeSpan) -> Value | Invalid:
        """A value with all its spans of ``field`` changed; see ``map_held`` for those that turn INVALID."""
        return self.map_held(value, lambda child, inner: child.map_spans(inner, field, change))

    def labels(self) -> Mapping[Json, str]:
        """The labels of a closed set with their words; empty for other nodes."""
        return {}

    def said(self, value: Value, scope: Scope) -> Iterator[str]:
        """The words of a closed set, or the letters, that a value which is not null stands for, to be counted."""
        yield from ()

    def fixed_words(self) -> Iterator[tuple[str, str, str]]:
        """What a vocabulary must be able to say for every record: what each is, the word, and the key that has it."""
        if self.absent is not None:
            yield "word", self.absent, "absent"

    def code_digest(self) -> str | None:
        """The sha256 (hex) of code that the template names; None where it names none."""
        return None

    def words(self) -> list[str]:
        """The words of a closed set, for ``{node.labels}`` in a prompt; TemplateError for other nodes."""
        if not self.labels():
            raise TemplateError(self.place.line(), f"{self.place.name!r} has no labels", "use a label or labels node")
        return list(self.labels().values())


Change: TypeAlias = "Callable[[Node, Value], Value | Invalid]"
ChangeSpan: TypeAlias = "Callable[[Span], Span | Invalid]"
