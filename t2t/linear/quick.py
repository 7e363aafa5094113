"""Rendering without checks: functions put together once for a tree, several times as fast as walking it.

A quick writer gives what ``Node.render`` gives for a value in normal form, or raises one of ``UNSURE``; then the node
itself renders, and says what is wrong. Nodes that look into the record (choice, numbered spans) have none, nor has a
tree that holds such a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from t2t.linear.branches import Each, Fields, Record
from t2t.linear.leaves import Label, SpanOf, Text
from t2t.linear.node import Node
from t2t.structures import Json

Writer: TypeAlias = Callable[[Json], str]
UNSURE = (KeyError, TypeError, AttributeError)


def quick_writer(node: Node) -> Writer | None:
    """The quick writer of a node whose tree is complete; None if it has none."""
    if type(node) is Label:
        words = node.set.words if node.absent is None else {**node.set.words, None: node.absent}
        return words.__getitem__
    writer = _of_kind(node)
    if writer is None or node.absent is None:
        return writer
    absent, present = node.absent, writer
    return lambda value: absent if value is None else present(value)


def _of_kind(node: Node) -> Writer | None:
    if type(node) is Text:
        return _text(node.alphabet.escaper.write)
    if type(node) is SpanOf and not node.numbered:
        return _span(node.alphabet.escaper.write)
    if type(node) is Record:
        return _fields(node.fields)
    return _each(node) if type(node) is Each else None


def _text(escape: Callable[[str], str]) -> Writer:
    def write(value: Json) -> str:
        if type(value) is not str:
            raise TypeError
        return escape(value)

    return write


def _span(escape: Callable[[str], str]) -> Writer:
    def write(value: Json) -> str:
        text = value.text
        if not text:
            raise TypeError
        return escape(text)

    return write


def _fields(fields: Fields) -> Writer | None:
    found = [quick_writer(node) for node in fields.nodes.values()]
    writers = [writer for writer in found if writer is not None]
    if len(writers) < len(found):
        return None
    pairs, form = list(zip(fields.nodes, writers, strict=True)), fields.form
    if len(pairs) != 2:
        return lambda value: form % tuple([write(value[name]) for name, write in pairs])
    (first, write_first), (second, write_second) = pairs  # the most common number, worth its own line
    return lambda value: form % (write_first(value[first]), write_second(value[second]))


def _each(node: Each) -> Writer | None:
    record = _fields(node.fields)
    item = record if record is None or node.plain is None else quick_writer(node.fields.nodes[node.plain])
    if item is None:
        return None
    form, between, empty, plain = node.fields.form, f" {node.between} ", node.empty, node.plain is not None
    one = (lambda value: form % item(value)) if plain and form != "%s" else item

    def write(value: Json) -> str:
        if type(value) is not list:
            raise TypeError
        return between.join(map(one, value)) if value else empty

    return write
