"""Mentions of a text: the lists of a target that hold them, and a text with other mentions in their places."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate

from t2t.linear.node import INVALID, Node
from t2t.structures import Span, Value

Place = tuple[int, int]
Keys = tuple[str, ...]


def outside_lists(root: Node) -> dict[Keys, Node]:
    """The nodes of a target that no list holds, by the keys that lead to their values in a gold value."""
    found: dict[Keys, Node] = {(): root}
    for name, child in root.beside.items():
        found |= {(name, *keys): node for keys, node in outside_lists(child).items()}
    return found


def value_at(value: Value, keys: Keys) -> Value:
    """What is under ``keys`` in a gold value; None where a record on the way is absent."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def lists_of_mentions(root: Node) -> dict[Keys, Node]:
    """The lists of a target whose items have exactly one span; only those that no list holds."""
    nodes = outside_lists(root).items()
    return {keys: node for keys, node in nodes if node.many and len(node.span_names) == 1}


def span_name(node: Node) -> str:
    """Which field of the items of a list of mentions is the span."""
    return node.span_names[0]


def is_placed(node: Node) -> bool:
    """True for a span and for a list with one below it: their values say where they stand."""
    spans = any(below.span_field is not None for below in node.tree())
    return node.span_field is not None or (node.many and spans)


def without_places(node: Node, value: Value) -> Value:
    """A gold value without the spans, and the lists with spans, of its records: what two mentions can share."""
    if not node.beside or not isinstance(value, dict):
        return value
    nodes = node.beside
    return {name: without_places(nodes[name], one) for name, one in value.items() if not is_placed(nodes[name])}


def spans_in(node: Node, value: Value, field: str) -> Iterator[Span]:
    """All spans of ``field`` in a gold value."""
    found: list[Span] = []

    def keep(span: Span) -> Span:
        found.append(span)
        return span

    with_spans(node, value, field, keep)
    yield from found


def with_spans(node: Node, value: Value, field: str, change: Callable[[Span], Span]) -> Value:
    """A gold value with each span of ``field`` changed, in lists inside lists too."""
    changed = node.map_spans(value, field, change)
    return None if changed is INVALID else changed


def place_of(span: Span) -> Place | None:
    """Where a span stands, None if it does not say."""
    if span.start is None:
        return None
    return span.start, span.start + len(span.text) if span.end is None else span.end


def apart(places: Collection[Place]) -> set[Place]:
    """Those of the places that hold characters and share none with a different place."""
    ordered = sorted(set(places))
    furthest = [0, *accumulate((end for _, end in ordered), max)]
    return {
        place
        for number, place in enumerate(ordered)
        if furthest[number] <= place[0] < place[1]
        and (number + 1 == len(ordered) or place[1] <= ordered[number + 1][0])
    }


def replaced(text: str, edits: Mapping[Place, str]) -> tuple[str, Callable[[Span], Span]]:
    """``text`` with other words in some places, none of which touch, and how spans move in it.

    A span that is in such a place is what now is there; all others, which must not touch one, keep their text.
    """
    places = sorted(edits)
    parts: list[str] = []
    grown: list[int] = []
    end = 0
    for place in places:
        parts += (text[end : place[0]], edits[place])
        grown.append(len(edits[place]) - (place[1] - place[0]))
        end = place[1]
    shifts, ends = [0, *accumulate(grown)], [place[1] for place in places]

    def move(span: Span) -> Span:
        place = place_of(span)
        if place is None:
            return span
        start = place[0] + shifts[bisect_right(ends, place[0])]
        words = edits.get(place)
        if words is not None:
            return replace(span, text=words, start=start, end=start + len(words))
        return replace(span, start=start, end=start + place[1] - place[0])

    return "".join([*parts, text[end:]]), move
