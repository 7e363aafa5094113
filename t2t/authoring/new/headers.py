"""Whether the first line of a table names its columns."""

from __future__ import annotations

import re
from collections import Counter

_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?%?")
_SENTENCE = re.compile(r".*[.!?。！？…]\s*|.*[,，;；].*")
_CJK = re.compile(r"[\u3400-\u9fff\u3040-\u30ff]")


def is_header(first: list[str], rest: list[list[str]]) -> bool:
    """True unless the first line looks like the rest.

    It does where no cell is filled, one stands twice, is a number above numbers, or one of the few values of its
    column. An empty cell says nothing: it is the name of an index, or of a column that is not used.
    It does not where a word is above numbers, or a new value above a closed set; else a name is a short phrase, a
    single word or less than half as long as what is below, and ends as no sentence does.
    """
    if not rest:
        return True
    named = [index for index, cell in enumerate(first) if cell.strip()]
    columns = [[row[index] for row in rest if len(row) > index] for index in named]
    first = [first[index] for index in named]
    if not first or len(set(first)) < len(first):
        return False
    if any(cell in column for cell, column in zip(first, columns, strict=True)):
        return False
    if any(_NUMBER.fullmatch(cell.strip()) for cell in first) or any(len(cell) > 60 for cell in first):
        return False
    if any(_speaks_for(cell, column) for cell, column in zip(first, columns, strict=True)):
        return True
    return all(_is_name(cell, column) for cell, column in zip(first, columns, strict=True))


def stands_twice(first: list[str], rest: list[list[str]]) -> str | None:
    """The name that stands twice in what is a header otherwise."""
    counts = Counter(cell for cell in first if cell.strip())
    numbered = [f"{cell} {place}" if counts[cell] > 1 else cell for place, cell in enumerate(first)]
    name, count = counts.most_common(1)[0] if counts else ("", 0)
    return name if count > 1 and is_header(numbered, rest) else None


def _speaks_for(cell: str, column: list[str]) -> bool:
    """True where the cell differs in kind from all that is below it: a word above numbers or above a closed set."""
    filled = [value for value in column if value.strip()]
    if len(filled) < 2:
        return False
    if all(_NUMBER.fullmatch(value.strip()) for value in filled):
        return True
    counts = Counter(filled)
    return len(counts) * 3 <= len(filled) and max(map(len, counts)) <= 40 and not _SENTENCE.fullmatch(cell)


def _is_name(cell: str, column: list[str]) -> bool:
    """A name: no sentence, one word, or less than half as long as the longest that is below. Chinese and Japanese
    write sentences without spaces: a single word has at most six of their characters."""
    if _SENTENCE.fullmatch(cell):
        return False
    single = " " not in cell and (len(cell) <= 6 or not _CJK.search(cell))
    return single or len(cell) * 2 <= max(map(len, column), default=0)
