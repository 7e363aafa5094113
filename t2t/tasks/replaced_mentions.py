"""Mention replacement (Dai and Adel 2020): an epoch sees an example with other mentions of the training split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

from t2t.config.replacement import MentionSettings
from t2t.draws import random_of
from t2t.errors import TemplateError
from t2t.linear.mentions import (
    Keys,
    Place,
    apart,
    is_placed,
    lists_of_mentions,
    outside_lists,
    place_of,
    replaced,
    span_name,
    spans_in,
    value_at,
    with_spans,
    without_places,
)
from t2t.linear.node import Node
from t2t.linear.target import Target
from t2t.registry import did_you_mean
from t2t.structures import Example, Span, Value

Kind: TypeAlias = tuple[str, ...]


class Mentions:
    """Exchanges the mentions of examples.

    Args:
        settings: which mentions, how often, and for which others.
        target: of the task.
        name: of the task; part of what the draw depends on.
        where: FILE:LINE of the section.
        pool: gives the examples whose mentions are drawn from; read once, when first needed. Their mentions are held
            in memory, each as often as it is there, so that frequent ones stay frequent.

    Raises:
        TemplateError: the target has no such list, its items no such fields, or it has a node that would go on saying
            the old mentions: a Python node, or one whose gold is the text itself.
    """

    def __init__(
        self, settings: MentionSettings, target: Target, name: str, where: str, pool: Callable[[], Iterable[Example]]
    ) -> None:
        self.settings = settings
        self.target = target
        self.name = name
        self._read = pool
        self._keys, self.list = _the_list(settings, target, where)
        for path, node in target.nodes.items():
            if node.code_digest() is not None:
                found = f"replace_mentions: nobody can move mentions in the Python node {path!r}"
                raise TemplateError(where, found, "leave replace_mentions: out")
        self._span = span_name(self.list)
        self.field = str(self.list.children[self._span].span_field)
        for leaf in _of_the_record(target.root):
            if leaf.expression.text in (self.field, f"@.{self.field}", f'"{self.field}"'):
                found = f"replace_mentions: exchanges mentions in {self.field!r}, the gold of {leaf.place.name!r} too"
                raise TemplateError(where, found, "leave replace_mentions: out")
        self._alike = self._shared(where)

    def _shared(self, where: str) -> list[tuple[Node, Keys, bool]]:
        """What makes two mentions one kind: the node, where its value stands, and if that is in the item."""
        items = {name: (node, (name,), True) for name, node in self.list.children.items()}
        if self.settings.alike is None:
            return [one for one in items.values() if not is_placed(one[0])]
        whole = {".".join(keys): (node, keys, False) for keys, node in outside_lists(self.target.root).items() if keys}
        known = {**whole, **items}
        allowed = [name for name, (node, _, _) in known.items() if not is_placed(node)]
        for name in self.settings.alike:
            if name not in known:
                found = f"replace_mentions: alike: {name!r} is no field of the list or of the target"
                raise TemplateError(where, found, did_you_mean(name, allowed))
            if name not in allowed:
                found = f"replace_mentions: alike: {name!r} holds places, which no two mentions share"
                raise TemplateError(where, found, "name labels, or other fields without spans")
        return [known[name] for name in self.settings.alike]

    @cached_property
    def _pool(self) -> Mapping[Kind, list[str]]:
        pool: dict[Kind, list[str]] = {}
        for example in self._read():
            for kind, span in self._mentions(example.gold):
                if span.text.strip():
                    pool.setdefault(kind, []).append(span.text.strip())
        return pool

    def _mentions(self, gold: Value) -> Iterator[tuple[Kind, Span]]:
        """The mentions of a gold value, each with what one in its place must share."""
        items = value_at(gold, self._keys)
        for item in items if isinstance(items, list) else ():
            fields: dict[str, Value] = item if isinstance(item, dict) else {self._span: item}
            span = fields.get(self._span)
            if isinstance(span, Span):
                shared = [(node, value_at(fields if inside else gold, keys)) for node, keys, inside in self._alike]
                yield tuple(repr(without_places(node, value)) for node, value in shared), span

    def drawn(self, example: Example, seed: int, epoch: int) -> Example:
        """The example with some mentions exchanged, a function of (seed, epoch, id).

        A mention that shares characters with another one stays; spans elsewhere in the gold that are in the very same
        place (arguments of relations) are exchanged with it. An example with a span of the field without a place stays.
        """
        text = example.fields.get(self.field)
        places = [place_of(span) for span in spans_in(self.target.root, example.gold, self.field)]
        if not isinstance(text, str) or not places or None in places:
            return example
        listed = Counter(place_of(span) for _, span in self._mentions(example.gold))
        free = {place for place in apart([place for place in places if place is not None]) if listed[place] == 1}
        edits = self._edits(example, free, seed, epoch)
        if not edits:
            return example
        new, move = replaced(text, edits)
        gold = with_spans(self.target.root, example.gold, self.field, move)
        return replace(example, fields={**example.fields, self.field: new}, gold=gold)

    def _edits(self, example: Example, free: set[Place], seed: int, epoch: int) -> dict[Place, str]:
        draw = random_of(seed, epoch, self.name, example.id, "mentions")
        edits: dict[Place, str] = {}
        for kind, span in self._mentions(example.gold):
            place, words = place_of(span), span.text.strip()
            if draw.random() >= self.settings.chance or place not in free:
                continue
            if words and kind in self._pool:
                edits[place] = span.text.replace(words, draw.choice(self._pool[kind]), 1)  # blanks at its edges stay
        return edits


def _of_the_record(node: Node) -> Iterator[Node]:
    """The nodes of a target that hold no others and read their gold from the fields of the record itself."""
    if not node.children:
        yield node
    elif node.expression.text == "@":
        for child in node.beside.values():
            yield from _of_the_record(child)


def _the_list(settings: MentionSettings, target: Target, where: str) -> tuple[Keys, Node]:
    lists = {".".join(keys): (keys, node) for keys, node in lists_of_mentions(target.root).items()}
    if settings.list is None and len(lists) == 1:
        return next(iter(lists.values()))
    if settings.list in lists:
        return lists[settings.list]
    if not lists:
        found, todo = "replace_mentions: the target has no list whose items have one span", "leave it out"
    elif settings.list is None:
        found, todo = f"replace_mentions: the target has the lists {', '.join(lists)}", "say which: list: PATH"
    elif "" in lists:
        found, todo = "replace_mentions: list: names one, but the whole target is the list", "leave list: out"
    else:
        found = f"replace_mentions: list: {settings.list!r} is no list whose items have one span"
        todo = did_you_mean(settings.list, lists)
    raise TemplateError(where, found, todo)
