"""The target tree: built from its YAML form, it renders gold values, parses what a model wrote, and
says which texts are possible."""

from __future__ import annotations

import t2t.linear.nodes  # noqa: F401  (the nodes register)
from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar
from t2t.linear.node import INVALID, Place
from t2t.linear.node_kinds import build
from t2t.linear.parsed import Parsed, TargetPart
from t2t.linear.scope import Scope, Where
from t2t.registry import did_you_mean
from t2t.structures import Json, Value
from t2t.structures import Record as Fields


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
        self.root = build(spec, Place(None, (), "", 0, where), self.alphabet)
        self.nodes = {node.place.name: node for node in self.root.tree()}
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
        return all(node.faithful for node in self.nodes.values())

    def render(self, value: Value, fields: Fields, where: str = "value") -> str:
        """The target string of a value. DataError if it is not a value of this tree."""
        return self.root.render(value, Scope(fields, where))

    def parse(self, text: str, fields: Fields, where: str = "output") -> Parsed:
        """What ``text`` says. Total: every string gives a value (None if nothing could be read) and its issues."""
        scope = Scope(fields, where)
        value = self.root.parse(text, scope)
        return Parsed(None if value is INVALID else value, tuple(scope.issues))

    def parts(self, text: str) -> list[TargetPart]:
        """What in an output says one thing each (an item, a field, the answer), in order; see ``Node.parts``."""
        return list(self.root.parts(text))

    def grammar(self, fields: Fields, where: str = "record") -> Grammar:
        """The texts that parse strictly for a record. DataError if a field that they depend on is missing;
        for constrainable targets only."""
        return self.root.grammar(Scope(fields, where))

    def closed_texts(self, fields: Fields, where: str = "record") -> tuple[str, ...]:
        """All texts that the whole target can be for a record, where that is a label or a choice; none elsewhere."""
        return self.root.closed_texts(Scope(fields, where))

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
        return {node.span_field for node in self.nodes.values() if node.span_field is not None}

    @property
    def reads(self) -> list[str]:
        """The fields of a record, sorted, that it reads to render and to parse."""
        return sorted({field for node in self.nodes.values() for field in node.reads})

    @property
    def code_digests(self) -> list[str]:
        """The sha256 (hex) of each piece of code that the template names, in the order of the tree."""
        digests = [node.code_digest() for node in self.nodes.values()]
        return [digest for digest in digests if digest is not None]
