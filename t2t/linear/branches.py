"""The branches of a target tree: record and each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from t2t.errors import TemplateError, UnreachableGold
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, Literal, OneOf, Repeat, Sequence
from t2t.linear.grounding import Cursor
from t2t.linear.leaves import SpanOf
from t2t.linear.node import INVALID, Invalid, Node, Place, mark_between, one_of
from t2t.linear.pattern import compile_pattern
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Json, Span, Value
from t2t.text import fold, folds_to

Build = Callable[[Json, Place, Alphabet], Node]


class Fields:
    """A pattern and its nodes: how one record is written in a line and read back."""

    def __init__(self, spec: Mapping[str, Json], place: Place, level: int, alphabet: Alphabet, build: Build) -> None:
        as_, fields = spec.get("as"), spec.get("fields")
        if not isinstance(as_, str):
            raise TemplateError(place.line(), "as: is missing", 'say how a record is written, e.g. "{text} = {type}"')
        if not isinstance(fields, Mapping):
            raise TemplateError(place.line(), "fields: is missing", "say which node each field of as: is")
        self.pattern = compile_pattern(as_, alphabet, level, place.line("as"))
        for name in self.pattern.names:
            if name not in fields:
                raise TemplateError(place.line("as"), f"as names {{{name}}}, which fields: does not have", "add it")
        for name in fields:
            if name not in self.pattern.names:
                found = f"field {name!r} does not stand in as:"
                raise TemplateError(place.line("fields", name), found, f"add {{{name}}} to as:")
        self.nodes = {name: build(fields[name], place.child(name, level + 1), alphabet) for name in self.pattern.names}
        marks = tuple(mark.replace("%", "%%") for mark in self.pattern.marks)
        self.form = replace(self.pattern, marks=marks).join(["%s"] * len(self.nodes))

    def gold(self, item: Json, scope: Scope) -> dict[str, Value]:
        return {name: node.gold(item, scope) for name, node in self.nodes.items()}

    def reference(self, item: Json, scope: Scope) -> dict[str, Value]:
        return {name: node.reference(item, scope) for name, node in self.nodes.items()}

    def write(self, value: Mapping[str, Value], scope: Scope) -> str:
        return self.form % tuple([node.render(value.get(name), scope) for name, node in self.nodes.items()])

    def read(self, text: str, name: str, scope: Scope) -> dict[str, Value] | Invalid:
        """The fields that could be read; INVALID if the text does not have the form of the pattern."""
        chunks, wrong = self.pattern.split(text)
        if wrong:
            scope.report(wrong, name, text)
            return INVALID
        values: dict[str, Value] = {}
        for (key, node), chunk in zip(self.nodes.items(), chunks, strict=True):
            value = node.parse(chunk, scope)
            if value is not INVALID:
                values[key] = value
        return values

    def grammar(self, scope: Scope) -> Grammar:
        parts = self.pattern.weave([node.grammar(scope) for node in self.nodes.values()], Literal)
        spaced = [part for pair in zip(parts, [Literal(" ")] * len(parts), strict=True) for part in pair]
        return Sequence(tuple(spaced[:-1]))

    def could_be(self, folded: str) -> bool:
        node = next(iter(self.nodes.values()))
        return self.pattern.bare and (node.could_be(folded) or folded == _folded(node.absent))


def _folded(word: str | None) -> str | None:
    return None if word is None else fold(word)


class Record(Node):
    """Several fields side by side. A field that cannot be parsed is left out of the value, the others stay."""

    keys = frozenset({"as", "fields"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet, build: Build) -> None:
        super().__init__({"gold": "@", **spec}, place, alphabet)
        self.fields = Fields(spec, place, place.level, alphabet, build)

    def normal(self, raw: Json, scope: Scope) -> Value:
        return self.fields.gold(raw, scope)

    def raw(self, raw: Json, scope: Scope) -> Value:
        return self.fields.reference(raw, scope)

    def write(self, value: Value, scope: Scope) -> str:
        if not isinstance(value, dict):
            raise self.data_error(scope, f"is {kind_of(value)}", "a record node wants a mapping")
        return self.fields.write(value, scope)

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        return self.fields.read(text, self.place.name, scope)

    def shape(self, scope: Scope) -> Grammar:
        return self.fields.grammar(scope)

    def could_be(self, folded: str) -> bool:
        return self.fields.could_be(folded)


class Each(Node):
    """A list of records, or of plain items if the only field reads ``@``.

    ``reuse: true`` lets two items stand on one place of the source (relation and event arguments); without it a list
    of mentions holds each place once. ``order: source`` sorts gold items by where their first span stands.
    """

    keys = frozenset({"each", "as", "fields", "between", "empty", "reuse", "order"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet, build: Build) -> None:
        if not isinstance(spec["each"], str):
            raise TemplateError(place.line("each"), "each names no field", "write each: FIELD")
        super().__init__({"gold": spec["each"], **spec}, place, alphabet)
        self.between = alphabet.add_mark(mark_between(spec, place), place.level, place.line("between"))
        self.empty = self._word({"empty": spec.get("empty", "none")}, "empty") or "none"
        self._empty_folded = fold(self.empty)
        self.reuse = one_of(spec.get("reuse", False), ("true", "false"), place, "reuse") == "true"
        self.sorted = one_of(spec.get("order", "given"), ("source", "given"), place, "order") == "source"
        self.fields = Fields(spec, place, place.level + 1, alphabet, build)
        self.plain = self._plain_field()
        self.once = self._mention_field()
        # The grammar knows of the items' own mentions alone, so it counts them where no other mention stands below.
        self.counts = self.once is not None and sum(isinstance(node, SpanOf) for node in below(self)) == 1
        if self.counts and isinstance(span := self.fields.nodes[self.once or ""], SpanOf):
            span.counted = True

    def _plain_field(self) -> str | None:
        """The name of the only field if items are plain, else None."""
        (name, node), *others = self.fields.nodes.items()
        return name if not others and node.expression.text == "@" and not isinstance(node, Record) else None

    def _mention_field(self) -> str | None:
        """Where items are mentions, with one span each, and none may stand on the place of another: its name."""
        spans = [name for name, node in self.fields.nodes.items() if isinstance(node, SpanOf)]
        return spans[0] if len(spans) == 1 and not self.reuse else None

    def normal(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, list):
            raise self.data_error(scope, f"is {kind_of(raw)}", "each wants a list")
        golds = [self.fields.gold(item, scope) for item in raw]
        if self.sorted:
            golds.sort(key=_first_start)
        if self.once is not None:
            golds = _once(golds, self.once)
        return [gold[self.plain] for gold in golds] if self.plain else list(golds)

    def raw(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, list):
            return self.normal(raw, scope)
        outer, scope.cursor = scope.cursor, Cursor(self.reuse)
        golds = [self.fields.reference(item, scope) for item in raw]
        scope.cursor = outer
        return [gold[self.plain] for gold in golds] if self.plain else list(golds)

    def write(self, value: Value, scope: Scope) -> str:
        if not isinstance(value, list):
            raise self.data_error(scope, f"is {kind_of(value)}", "an each node wants a list")
        if not value:
            return self.empty
        outer, scope.cursor = scope.cursor, Cursor(self.reuse)
        items = self._written(value, scope)
        scope.cursor = outer
        return f" {self.between} ".join(items)

    def _written(self, items: list[Value], scope: Scope) -> list[str]:
        """The items in a line each; those that cannot be said are left out, unless all are."""
        written: list[str] = []
        unsaid: UnreachableGold | None = None
        for item in items:
            try:
                written.append(self.fields.write(self._as_record(item, scope), scope))
            except UnreachableGold as error:
                unsaid = error
        if unsaid is not None and not written:
            raise unsaid
        return written

    def _as_record(self, item: Value, scope: Scope) -> Mapping[str, Value]:
        if self.plain:
            return {self.plain: item}
        if not isinstance(item, dict):
            raise self.data_error(scope, f"holds {kind_of(item)}", "its items are mappings")
        return item

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        if folds_to(text, self._empty_folded):
            return []
        outer, scope.cursor = scope.cursor, Cursor(self.reuse)
        items: list[Value] = []
        taken: set[Value] = set()
        for chunk in text.split(self.between):
            item = self._read_item(chunk.strip(), scope)
            if item is not INVALID and not self._stood_before(item, taken, scope):
                items.append(item)
        scope.cursor = outer
        return items

    def _stood_before(self, item: Value, taken: set[Value], scope: Scope) -> bool:
        """True, with an issue, for a mention for which its text has no place left."""
        if self.once is None:
            return False
        span = item.get(self.once) if isinstance(item, dict) else item
        if not isinstance(span, Span) or span.start is None:
            return False
        if span in taken:
            scope.report("duplicate", self.place.name, span.text)
            return True
        taken.add(span)
        return False

    def _read_item(self, chunk: str, scope: Scope) -> Value | Invalid:
        if not chunk:
            scope.report("empty_value", self.place.name, chunk)
            return INVALID
        record = self.fields.read(chunk, self.place.name, scope)
        if record is INVALID or not isinstance(record, dict) or len(record) < len(self.fields.nodes):
            return INVALID
        return record[self.plain] if self.plain else record

    def shape(self, scope: Scope) -> Grammar:
        items = Repeat(self.fields.grammar(scope), f" {self.between} ", once=self.counts)
        return OneOf((Literal(self.empty), items))

    def could_be(self, folded: str) -> bool:
        return folded == self._empty_folded or self.fields.could_be(folded)

    def check(self) -> None:
        super().check()
        self.alphabet.check_word(self.empty, "empty", self.place.line("empty"))
        if self.fields.could_be(self._empty_folded):
            found = f"empty: {self.empty!r} is also a possible item"
            raise TemplateError(self.place.line("empty"), found, "choose another word")


def below(node: Node) -> Iterator[Node]:
    """All nodes under ``node``, those of lists inside too."""
    fields = getattr(node, "fields", None)  # of records and lists, and of what is marked in a text
    for inner in fields.nodes.values() if isinstance(fields, Fields) else ():
        yield inner
        yield from below(inner)


def _once(golds: list[dict[str, Value]], name: str) -> list[dict[str, Value]]:
    """Without the items whose span ``name`` stands where that of an earlier one does."""
    taken: set[Value] = set()
    kept = []
    for gold in golds:
        span = gold[name]
        if isinstance(span, Span) and span.start is not None:
            if span in taken:
                continue
            taken.add(span)
        kept.append(gold)
    return kept


def _first_start(gold: Mapping[str, Value]) -> int:
    starts = (value.start for value in gold.values() if isinstance(value, Span))
    return next((start for start in starts if start is not None), 0)
