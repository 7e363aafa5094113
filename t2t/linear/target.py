"""The target tree: built from its YAML form, it renders gold values, parses what a model wrote, and
says which texts are possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.branches import Each, Record
from t2t.linear.code import Code
from t2t.linear.grammar import Grammar
from t2t.linear.inline import Inline
from t2t.linear.leaves import Choice, Label, Labels, Number, SpanOf, Text
from t2t.linear.node import INVALID, Node, Place
from t2t.linear.parsed import Parsed
from t2t.linear.python_node import PythonNode
from t2t.linear.scope import Scope, Where, kind_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Value
from t2t.structures import Record as Fields

LEAVES: dict[str, type[Node]] = {
    "text": Text, "label": Label, "labels": Labels, "choice": Choice, "number": Number, "span_of": SpanOf,
    "code": Code, "python": PythonNode,
}  # fmt: skip
LISTS: dict[str, type[Each | Inline]] = {"each": Each, "inline": Inline}


def _build(spec: Json, place: Place, alphabet: Alphabet) -> Node:
    if not isinstance(spec, Mapping):
        raise TemplateError(place.line(), f"a node is {kind_of(spec)}", "write it as a mapping, e.g. {span_of: text}")
    kinds = [key for key in (*LEAVES, *LISTS) if key in spec]
    if len(kinds) > 1:
        raise TemplateError(place.line(), f"a node is both {kinds[0]} and {kinds[1]}", "keep one")
    if not kinds and "as" in spec:
        return Record(spec, place, alphabet, _build)
    if not kinds:
        known = [*LEAVES, *LISTS, "as"]
        first = next(iter(spec), "")
        raise TemplateError(place.line(), f"unknown node {first!r}", did_you_mean(str(first), known))
    if kinds[0] in LISTS:
        return LISTS[kinds[0]](spec, place, alphabet, _build)
    return LEAVES[kinds[0]](spec, place, alphabet)


class Target:
    """A compiled target tree.

    Args:
        spec: the node as YAML gives it.
        where: path of keys below ``spec`` to "FILE:LINE", for messages.

    Raises:
        TemplateError: the tree is wrong or ambiguous (law 5).
    """

    def __init__(self, spec: Json, where: Where) -> None:
        self.alphabet = Alphabet()
        self.root = _build(spec, Place(None, (), "", 0, where), self.alphabet)
        self.nodes = dict(_walk(self.root))
        for node in self.nodes.values():
            node.check()

    def gold(self, fields: Fields, where: str) -> Value:
        """The gold value of a record, in normal form. DataError if the record does not hold one."""
        return self.root.gold(fields, Scope(fields, where))

    def reference(self, fields: Fields, where: str) -> Value:
        """The gold of a record as outputs are compared with it (see ``Node.reference``)."""
        return self.root.reference(fields, Scope(fields, where))

    def reference_of(self, raw: Json, fields: Fields, where: str) -> Value:
        """The same of one raw gold, not null, that stands for the whole target."""
        return self.root.raw(raw, Scope(fields, where))

    @property
    def refers_as_it_is(self) -> bool:
        """True if the normal form of a gold is what outputs are compared with: no node rounds, looks up or reorders."""
        nodes = self.nodes.values()
        return not any(isinstance(node, Number | SpanOf) or (isinstance(node, Each) and node.sorted) for node in nodes)

    def render(self, value: Value, fields: Fields, where: str = "value") -> str:
        """The target string of a value. DataError if it is not a value of this tree."""
        return self.root.render(value, Scope(fields, where))

    def parse(self, text: str, fields: Fields, where: str = "output") -> Parsed:
        """What ``text`` says. Total: every string gives a value (None if nothing could be read) and its issues."""
        scope = Scope(fields, where)
        value = self.root.parse(text, scope)
        return Parsed(None if value is INVALID else value, tuple(scope.issues))

    def grammar(self, fields: Fields, where: str = "record") -> Grammar:
        """The texts that parse strictly for a record. DataError if a field that they depend on is missing;
        for constrainable targets only."""
        return self.root.grammar(Scope(fields, where))

    @property
    def constrainable(self) -> bool:
        """True if there is a grammar: every node can say which texts it takes."""
        return all(node.constrainable for node in self.nodes.values())

    def words(self, name: str, where: str) -> list[str]:
        """The words of the closed set of the node called ``name``; the last key of its path is enough."""
        named = {path.rpartition(".")[2]: node for path, node in self.nodes.items()} | self.nodes
        if name not in named:
            raise TemplateError(where, f"the target has no node {name!r}", did_you_mean(name, named))
        return named[name].words()

    @property
    def span_fields(self) -> set[str]:
        """The fields in which spans are looked up."""
        return {node.field for node in self.nodes.values() if isinstance(node, SpanOf)}


def _walk(node: Node) -> Iterator[tuple[str, Node]]:
    yield node.place.name, node
    if isinstance(node, Record | Each | Inline):
        for child in node.fields.nodes.values():
            yield from _walk(child)
