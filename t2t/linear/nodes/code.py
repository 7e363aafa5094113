"""The code node: text whose layout matters."""

from __future__ import annotations

from collections.abc import Mapping

from t2t.linear.alphabet import Alphabet
from t2t.linear.node import Place
from t2t.linear.node_kinds import NODES
from t2t.linear.nodes.free_text import Text
from t2t.linear.scope import Scope
from t2t.structures import Json, Value


@NODES.register("code")
class Code(Text):
    """Text in which line breaks, tabs and runs of spaces stand as they are, not as escapes.

    For models whose vocabulary can say them: those trained here, and T5's with its unused rows filled. Everything
    else is escaped as in a text, and so is white space at either end.
    """

    keys = frozenset({"code"})
    constrainable = False

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet, key="code")

    def write(self, value: Value, scope: Scope) -> str:
        return self.alphabet.escaper.write(str(self.normal(value, scope)), layout=True)
