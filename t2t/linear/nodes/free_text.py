"""The text node: free text."""

from __future__ import annotations

from collections.abc import Mapping

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.grammar import Grammar, free_text
from t2t.linear.node import Invalid, Node, Place
from t2t.linear.node_kinds import NODES
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Json, Value


@NODES.register("text")
class Text(Node):
    """Free text."""

    keys = frozenset({"text"})

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet, key: str = "text") -> None:
        own = spec[key]
        if own is not None and not isinstance(own, str):
            todo = f'write {key}: FIELD, {key}: "@" or {key}:'
            raise TemplateError(place.line(key), f"{key} is {kind_of(own)}", todo)
        super().__init__(spec if own is None or "gold" in spec else {**spec, "gold": own}, place, alphabet)

    def normal(self, raw: Json, scope: Scope) -> Value:
        if not isinstance(raw, str):
            raise self.data_error(scope, f"is {kind_of(raw)}", "the node wants a text")
        return raw

    def write(self, value: Value, scope: Scope) -> str:
        return self.alphabet.escaper.write(value if isinstance(value, str) else str(self.normal(value, scope)))

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        return self.unescape(text, scope)

    def shape(self, scope: Scope) -> Grammar:
        return free_text(self.alphabet.escaper.escaped)

    def could_be(self, folded: str) -> bool:
        return False  # the guard keeps reserved words apart
