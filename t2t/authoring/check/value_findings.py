"""What is in gold values and fields: spans, labels, kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from t2t.linear.node import Node
from t2t.linear.scope import Scope, kind_of
from t2t.structures import Example, Span, Value
from t2t.structures import Record as Fields
from t2t.text import nfkc

_MOST_FIELDS = 200  # names that are counted; data with more name their fields by content


def spans(value: Value) -> Iterator[Span]:
    """All spans of a value, in order."""
    if isinstance(value, Span):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from spans(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from spans(item)


def surfaces(value: Value) -> Value:
    """The value with spans reduced to what must always round-trip: that there is one."""
    if isinstance(value, Span):
        return "span"
    if isinstance(value, list):
        return [surfaces(item) for item in value]
    return {key: surfaces(item) for key, item in value.items()} if isinstance(value, dict) else value


def compatible(value: Value) -> Value:
    """The value with spans as in ``surfaces`` and texts in their compatibility form (NFKC)."""
    if isinstance(value, str):
        return nfkc(value)
    if isinstance(value, list):
        return [compatible(item) for item in value]
    if isinstance(value, dict):
        return {key: compatible(item) for key, item in value.items()}
    return surfaces(value)


def labels(node: Node, value: Value, example: Example) -> Iterator[tuple[str, str]]:
    """The path and the words of each label in a value; of a choice by letter, the letter."""
    scope = Scope(example.fields, example.where)
    for one, inner in node.walk(value):
        if inner is not None:
            yield from ((one.place.name, words) for words in one.said(inner, scope))


def closed_sets(node: Node) -> Iterator[tuple[str, list[str]]]:
    """The path and all words of each closed set of a tree."""
    yield from ((one.place.name, one.words()) for one in node.tree() if one.labels())


def count_kinds(found: dict[str, Counter[str]], fields: Fields) -> None:
    """Add to ``found`` what the value of each field is, and under ``NAME[]`` what the items of a list are."""
    for name, value in fields.items():
        if name not in found:
            if len(found) >= _MOST_FIELDS:
                continue
            found[name] = Counter()
        found[name][kind_of(value)] += 1
        if isinstance(value, list) and value:
            items = found.setdefault(f"{name}[]", Counter())
            for kind in set(map(type, value)):
                items[kind_of(next(item for item in value if type(item) is kind))] += 1


def cuts_a_word(span: Span, fields: Fields) -> bool:
    """True for a mention that begins or ends inside a word of the text in which it stands, where words are written
    apart."""
    if span.start is None or span.end is None:
        return False
    text = next((v for v in fields.values() if isinstance(v, str) and v.startswith(span.text, span.start)), None)
    return text is not None and (_in_word(text, span.start) or _in_word(text, span.end))


def _in_word(text: str, place: int) -> bool:
    around = text[max(0, place - 1) : place + 1]
    return len(around) == 2 and around.isalnum() and max(around) < "\u0e00"
