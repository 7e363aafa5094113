"""Which key of a template makes which node, and the making of it."""

from __future__ import annotations

from collections.abc import Mapping

from t2t.errors import TemplateError
from t2t.linear.alphabet import Alphabet
from t2t.linear.node import Node, Place
from t2t.linear.scope import kind_of
from t2t.registry import Registry
from t2t.structures import Json

# Those of t2t itself are in t2t.linear.nodes; the name of a node is the key of the template that says which it is.
NODES: Registry[type[Node]] = Registry("node", "t2t.nodes")
_SHARED = ("as", "fields", "gold", "absent")  # keys that several nodes have; ``as`` without another node is a record


def build(spec: Json, place: Place, alphabet: Alphabet) -> Node:
    """The node that a template describes, with all below it. TemplateError if it describes none."""
    if not isinstance(spec, Mapping):
        raise TemplateError(place.line(), f"a node is {kind_of(spec)}", "write it as a mapping, e.g. {span_of: text}")
    kinds = node_keys(spec)
    if len(kinds) > 1:
        raise TemplateError(place.line(), f"a node is both {kinds[0]} and {kinds[1]}", "keep one")
    name = kinds[0] if kinds else "as" if "as" in spec else str(next(iter(spec), ""))
    return NODES.get(name, place.line(), TemplateError)(spec, place, alphabet)


def node_keys(spec: Mapping[str, Json]) -> list[str]:
    """The keys of a description that say which node it is: one, unless it is a record or a mistake."""
    known = set(NODES.names())
    own = [key for key in spec if key in known and key not in _SHARED]
    return own or [key for key in spec if key not in _SHARED and NODES.knows(key)]


def closed_keys(spec: Mapping[str, Json]) -> list[str]:
    """The keys of a description that hold a closed set of labels."""
    return [key for key in node_keys(spec) if NODES.get(key, key).closed]


def closed_names() -> list[str]:
    """The names of all known nodes whose key holds a closed set of labels."""
    return [name for name in NODES.names() if NODES.get(name, name).closed]
