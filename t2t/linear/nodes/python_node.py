"""The Python node: a class of the user's renders and parses. For local templates that the user trusts."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.node import INVALID, Invalid, Node, Place
from t2t.linear.node_kinds import NODES
from t2t.linear.scope import Scope
from t2t.structures import Json, Record, Value
from t2t.trust import require_trust


class Leaf(Protocol):
    """What the class must offer; it is made without arguments.

    The laws of every node hold for it: ``parse(render(v), fields) == v`` for what ``normal`` gives.
    """

    def normal(self, raw: Json, fields: Record) -> Value:
        """The normal form of a gold; ValueError if it is none."""

    def render(self, value: Value, fields: Record) -> str:
        """The text of a value. Marks of the tree in it are escaped by the node."""

    def parse(self, text: str, fields: Record) -> Value:
        """The value of any text; ValueError for one that says nothing."""


@NODES.register("python")
class PythonNode(Node):
    """``python: module:Class``: what a ``Leaf`` makes of a value. Read only where Python is trusted."""

    keys = frozenset({"python"})
    constrainable = False

    def __init__(self, spec: Mapping[str, Json], place: Place, alphabet: Alphabet) -> None:
        super().__init__(spec, place, alphabet)
        self.leaf = _load(spec["python"], place.line("python"))

    def code_digest(self) -> str:
        """The sha256 (hex) of the source file of the leaf's class; of nothing where it has none."""
        file = getattr(sys.modules.get(type(self.leaf).__module__), "__file__", None)
        return hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()

    def normal(self, raw: Json, scope: Scope) -> Value:
        try:
            return self.leaf.normal(raw, scope.fields)
        except ValueError as error:
            raise self.data_error(scope, f"is {raw!r} ({error})", "correct the record") from None

    def write(self, value: Value, scope: Scope) -> str:
        return self.alphabet.escaper.write(self.leaf.render(value, scope.fields))

    def read(self, text: str, scope: Scope) -> Value | Invalid:
        try:
            return self.leaf.parse(self.unescape(text, scope), scope.fields)
        except ValueError:
            scope.report("unreadable", self.place.name, text)
            return INVALID

    def could_be(self, folded: str) -> bool:
        return False  # the guard keeps reserved words apart


def _load(name: Json, where: str) -> Leaf:
    require_trust(f"python: {name!r}", where)
    module, _, attribute = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not module or not attribute:
        raise TemplateError(where, f"python: is {name!r}", "write python: MODULE:CLASS")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        leaf: Leaf = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise TemplateError(where, f"python: {name!r} cannot be loaded ({error})", "correct its name") from None
    return leaf
