"""The words of labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

from t2t.authoring.new.columns import Column
from t2t.structures import Json
from t2t.text import fold


def closed_set(values: Sequence[Json]) -> Json:
    """What a label node wants: a list where values are words already, else a mapping from each to its words."""
    words = {value: _words(str(value)) for value in values}
    if len({fold(word) for word in words.values()}) < len(words):
        words = {value: str(value) for value in values}
    return list(values) if all(value == word for value, word in words.items()) else words


def _words(label: str) -> str:
    """``PlayMusic`` and ``play_music`` as words; punctuation, which may be a mark, is left out."""
    if re.fullmatch(r"[+-]?[0-9]+\.0+", label):
        return label.partition(".")[0]  # a whole number, as a table writes it that holds fractions elsewhere
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", label)
    plain = " ".join(re.sub(r"[^\w]|_", " ", apart).split())
    if not plain:
        return label
    return plain.lower() if apart != label else plain


def labels_of_tags(tags: Column) -> list[str]:
    """The types behind B- and I-, of all records; none if there are too many."""
    return sorted({tag[2:] for tag in tags.items or () if tag != "O"})
