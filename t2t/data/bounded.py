"""Examples in windows that are bounded by what they hold, not by their number alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from t2t.structures import Example, Json

T = TypeVar("T")

# Encoding takes some 200 bytes a character of a window.
MOST_CHARACTERS = 2_000_000


def windows(examples: Iterable[Example], most: int, characters: int = MOST_CHARACTERS) -> Iterator[list[Example]]:
    """Lists of at most ``most`` examples whose fields have at most ``characters`` characters; a longer one is alone."""
    return bounded(examples, most, lambda example: length(example.fields), characters)


def bounded(
    items: Iterable[T], most: int, size_of: Callable[[T], int], characters: int = MOST_CHARACTERS
) -> Iterator[list[T]]:
    """The same of whatever has a size in characters."""
    window: list[T] = []
    held = 0
    for example in items:
        size = size_of(example)
        if window and (len(window) == most or held + size > characters):
            yield window
            window, held = [], 0
        window.append(example)
        held += size
    if window:
        yield window


def length(value: Json) -> int:
    """The characters of all texts in a value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(length, value.values()))
    return sum(map(length, value)) if isinstance(value, (list, tuple)) else 0
