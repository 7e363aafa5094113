"""The record node, and what all nodes that hold others share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, Literal, Sequence
from t2t.linear.node import INVALID, Change, Invalid, Node, Place
from t2t.linear.node_kinds import NODES, build
from t2t.linear.parsed import TargetPart
from t2t.linear.pattern import compile_pattern
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Json, Value
from t2t.text import fold


class Fields:
    """A pattern and its nodes: how one record is written in a line and read back."""

    def __init__(self, spec: Mapping[str, Json], place: Place, level: int, alphabet: Alphabet) -> None:
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

    def held(self, record: Value) -> Iterator[tuple[Node, Value]]:
        if isinstance(record, dict):
            yield from ((node, record.get(name)) for name, node in self.nodes.items())

    def mapped(self, record: Mapping[str, Value], change: Change) -> dict[str, Value | Invalid]:
        return {name: change(self.nodes[name], value) for name, value in record.items()}

    def could_be(self, folded: str) -> bool:
        node = next(iter(self.nodes.values()))
        return self.pattern.bare and (node.could_be(folded) or folded == _folded(node.absent))


def _folded(word: str | None) -> str | None:
    return None if word is None else fold(word)


class Branch(Node):
    """A node that holds others: ``as:`` and ``fields:`` of its description."""

    fields: Fields

    @property
    def children(self) -> Mapping[str, Node]:
        return self.fields.nodes


@NODES.register("as")
class Record(Branch):
    """Several fields side by side. A field that cannot be parsed is left out of the value, the others stay."""

    keys = frozenset({"as", "fields"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__({"gold": "@", **spec}, place, alphabet)
        self.fields = Fields(spec, place, place.level, alphabet)

    def parts(self, text: str, start: int = 0) -> Iterator[TargetPart]:
        places = self.fields.pattern.places(text)
        if not places:
            yield from super().parts(text, start)
        for node, (first, end) in zip(self.fields.nodes.values(), places, strict=False):
            yield from node.parts(text[first:end], start + first)

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

    def held(self, value: Value) -> Iterator[tuple[Node, Value]]:
        return self.fields.held(value)

    def map_held(self, value: Value, change: Change) -> Value | Invalid:
        if not isinstance(value, dict):
            return value
        mapped = self.fields.mapped(value, change)
        return {name: None if inner is INVALID else inner for name, inner in mapped.items()}


class ItemList(Branch):
    """A node whose value is a list of records, or of what ``plain``, their only field, holds."""

    many = True
    plain: str | None = None

    def held(self, value: Value) -> Iterator[tuple[Node, Value]]:
        for item in value if isinstance(value, list) else ():
            yield from self.fields.held({self.plain: item} if self.plain else item)

    def map_held(self, value: Value, change: Change) -> Value | Invalid:
        if not isinstance(value, list):
            return value
        mapped = [self._mapped(item, change) for item in value]
        return [item for item in mapped if item is not INVALID]

    def _mapped(self, item: Value, change: Change) -> Value | Invalid:
        if self.plain:
            return change(self.fields.nodes[self.plain], item)
        if not isinstance(item, dict):
            return item
        record: dict[str, Value] = {}
        for name, value in self.fields.mapped(item, change).items():
            if value is INVALID:
                return INVALID
            record[name] = value
        return record
