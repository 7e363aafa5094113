"""Long texts in overlapping windows: where they are cut, which gold is inside, and how what they say is joined."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from t2t.errors import TemplateError
from t2t.linear.node import INVALID, Invalid, Node
from t2t.structures import Span, Value
from t2t.text import is_accent, is_word_character

_STOPS = "。！？；\n"
_SPACED_STOPS = ".!?;"


@dataclass(frozen=True, slots=True)
class Window:
    """The piece ``text`` of a text of ``whole`` characters, from character ``start`` on."""

    start: int
    text: str
    whole: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def may_cut(self, start: int, end: int) -> bool:
        """True if what is there, in the whole text, touches an edge behind which the text goes on."""
        return (start == self.start > 0) or (end == self.end < self.whole)


@dataclass(frozen=True, slots=True)
class WindowValue:
    """What was said about one window: a value with places inside it, and the score of the output."""

    window: Window
    value: Value
    score: float


def cut(text: str, characters: int, stride: int) -> list[Window]:
    """The windows of a text: each has at most ``characters``, and the next begins at most ``stride`` later.

    A function of its arguments alone. They are cut behind a sentence if one ends near, else between words (in Chinese
    between any two characters). Neighbours share at least half of ``characters - stride`` characters, so a mention
    that is not longer stands whole in one of them.
    """
    slack = (characters - stride) // 2
    windows: list[Window] = []
    start = 0
    while len(text) - start > characters:
        end = _boundary(text, start + characters, slack)
        if not windows or end > windows[-1].end:
            windows.append(Window(start, text[start:end], len(text)))
        start = _boundary(text, start + stride, min(slack, stride - 1))
    windows.append(Window(start, text[start:], len(text)))
    return windows


def _boundary(text: str, at: int, slack: int) -> int:
    """The best place to cut among ``at`` and the ``slack`` places before it, the last of the best."""
    places = range(at, at - slack - 1, -1)
    for fits in (_ends_sentence, _parts_words, _parts_characters):
        for place in places:
            if fits(text, place):
                return place
    return at


def _ends_sentence(text: str, at: int) -> bool:
    return text[at - 1] in _STOPS or (text[at - 1] == " " and text[at - 2 : at - 1] in _SPACED_STOPS and at > 1)


def _parts_words(text: str, at: int) -> bool:
    return not (is_word_character(text[at - 1]) and is_word_character(text[at])) and not _starts_inside(text, at)


def _parts_characters(text: str, at: int) -> bool:
    return not is_accent(text[at])


def _starts_inside(text: str, at: int) -> bool:
    """True before what goes with the character before it: a mark of accent, or closing punctuation of a word."""
    return is_accent(text[at]) or (text[at] in ".,;:!?)]}\"'’”。，；：！？）」』" and not text[at - 1].isspace())


def check_windows(root: Node, field: str, where: str) -> None:
    """TemplateError for a target whose windows cannot be joined: anything but spans of ``field`` and lists of them."""
    for node in root.beside.values() or [root]:
        if node.span_field == field:
            if node.absent is None:
                found = f"window: {node.place.name or 'the span'} may stand in another window"
                raise TemplateError(where, found, "give it absent: WORD, e.g. absent: none")
        elif not _is_list_of_spans(node, field):
            found = f"window: {node.place.name or 'the target'} cannot be joined from several windows"
            raise TemplateError(
                where, found, f"use spans of {field} and lists (each, inline) of records with such spans"
            )


def _is_list_of_spans(node: Node, field: str) -> bool:
    """True for lists whose items have a span of ``field``; lists inside the items must be such lists too."""
    spans = [child for child in node.children.values() if child.span_field == field]
    nested = [child for child in node.children.values() if child.children]
    return node.many and bool(spans) and all(_is_list_of_spans(child, field) for child in nested)


def inside(node: Node, value: Value, field: str, window: Window) -> Value:
    """The part of a gold value that lies wholly in ``window``, with the places that it has there."""
    moved = node.map_spans(value, field, lambda span: _moved_in(span, window))
    return None if moved is INVALID else moved


def _moved_in(span: Span, window: Window) -> Span | Invalid:
    if span.start is None:
        return span if span.text in window.text else INVALID
    end = span.start + len(span.text) if span.end is None else span.end
    if span.start < window.start or end > window.end:
        return INVALID
    return replace(span, start=span.start - window.start, end=end - window.start)


def _moved_out(span: Span, window: Window) -> Span:
    if span.start is None or span.end is None:
        return span
    return replace(span, start=span.start + window.start, end=span.end + window.start)


def join(node: Node, said: Sequence[WindowValue], field: str) -> Value:
    """What all windows say together, with places in the whole text.

    A span: the found one with the best score, one that is in the source before one that does not; null only where
    every window says so. A list: each item once, by places and values, in the order of the text, with what all windows
    say in the lists inside it (an event with its arguments). A mention at an edge is left out where another window says
    a longer one around it, which it was cut from.
    """
    if node.beside:
        return _join_record(node, said, field)
    if node.many:
        return _join_lists(node, [one for one in said if isinstance(one.value, list)], field)
    found = [(one, one.value) for one in said if isinstance(one.value, Span)]
    if not found:
        return None
    best, span = max(found, key=lambda pair: (pair[1].found != "absent", pair[0].score))
    return _moved_out(span, best.window)


def _join_record(node: Node, said: Sequence[WindowValue], field: str) -> Value:
    joined: dict[str, Value] = {}
    for name, child in node.beside.items():
        parts = [
            WindowValue(one.window, one.value[name], one.score)
            for one in said
            if isinstance(one.value, dict) and name in one.value
        ]
        if parts:
            joined[name] = join(child, parts, field)
    return joined or None


def _join_lists(node: Node, said: Sequence[WindowValue], field: str) -> Value:
    if not said:
        return None
    moved = [(one.window, _moved_items(node, one, field)) for one in said]
    return _merge(node, moved)


def _moved_items(node: Node, one: WindowValue, field: str) -> list[Value]:
    moved = node.map_spans(one.value, field, lambda span: _moved_out(span, one.window))
    return moved if isinstance(moved, list) else []


def _merge(node: Node, moved: Sequence[tuple[Window, list[Value]]], by_text: bool = False) -> list[Value]:
    """Items of windows, with places in the whole text, as one list. ``by_text``: equal texts are the same mention."""
    lists = {name: child for name, child in node.children.items() if child.children}
    longer = _Places(span for _, items in moved for item in items for span in _spans(item))
    found: dict[Hashable, list[tuple[Window, Value]]] = {}
    for window, items in moved:
        here: Counter[Hashable] = Counter()
        for item in items:
            if any(_is_cut(span, window, longer) for span in _spans(item)):
                continue
            key = _key(_without(item, lists), by_text)
            here[key] += 1  # a window may say a thing twice, two windows may not
            found.setdefault((key, here[key]), []).append((window, item))
    return sorted((_merged(lists, parts) for parts in found.values()), key=_first_place)


def _without(item: Value, names: Collection[str]) -> Value:
    return {name: value for name, value in item.items() if name not in names} if isinstance(item, dict) else item


def _merged(lists: Mapping[str, Node], parts: Sequence[tuple[Window, Value]]) -> Value:
    """What several windows say of one item."""
    item = parts[0][1]
    if not lists or not isinstance(item, dict):
        return item
    merged = dict(item)
    for name, child in lists.items():
        inner = [(window, part[name]) for window, part in parts if isinstance(part, dict) and name in part]
        said = [(window, value) for window, value in inner if isinstance(value, list)]
        if said:
            merged[name] = _merge(child, said, by_text=not child.says_places)
    return merged


class _Places:
    """Places of mentions, sorted, to ask whether a longer one lies around a place."""

    def __init__(self, spans: Iterator[Span]) -> None:
        placed = {(span.start, span.end) for span in spans if span.start is not None and span.end is not None}
        self._places = sorted(placed)
        self._longest = max((end - start for start, end in placed), default=0)

    def around(self, start: int, end: int) -> bool:
        first = bisect_left(self._places, (end - self._longest, 0))
        last = bisect_right(self._places, (start, end + self._longest))
        return any(
            low <= start and end <= high and (low, high) != (start, end) for low, high in self._places[first:last]
        )


def _is_cut(span: Span, window: Window, longer: _Places) -> bool:
    if span.start is None or span.end is None or not window.may_cut(span.start, span.end):
        return False
    return longer.around(span.start, span.end)


def _spans(item: Value) -> list[Span]:
    values = item.values() if isinstance(item, dict) else [item]
    return [value for value in values if isinstance(value, Span)]


def _first_place(item: Value) -> tuple[float, float]:
    places = [(span.start, span.end) for span in _spans(item) if span.start is not None and span.end is not None]
    return min(places, default=(float("inf"), 0.0))


def _key(value: Value, by_text: bool) -> Hashable:
    if isinstance(value, Span):
        return ("span", value.text) if by_text or value.start is None else ("span", value.start, value.end)
    if isinstance(value, Mapping):
        return tuple((name, _key(part, by_text)) for name, part in value.items())
    return tuple(_key(part, by_text) for part in value) if isinstance(value, list) else value
