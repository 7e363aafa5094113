"""What a new template needs to know, and how columns are picked for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from t2t.authoring.new.columns import Column, Table
from t2t.structures import Json

# A closed set that is filled with what the records hold, once all of them have been read.
FROM_DATA: dict[str, str] = {"from": "train"}
LABEL_NAMES = (
    "label",
    "labels",
    "intent",
    "category",
    "class",
    "sentiment",
    "topic",
    "target",
    "gold",
    "answer",
    "relation",
    "标签",
    "类别",
    "情感",
)
SCORE_NAMES = ("score", "similarity", "rating", "value", "label", "target")
TEXT_NAMES = (
    "text", "sentence", "utterance", "review", "tweet", "comment", "document", "content", "context", "question",
    "query", "title", "body", "文本", "内容", "句子",
)  # fmt: skip
CONTEXT_NAMES = ("context", "passage", "paragraph", "article", "document", "story")
SUMMARY_NAMES = ("summary", "highlights", "abstract", "headline", "title", "tldr")
OUTPUT_NAMES = (
    "target",
    "output",
    "response",
    "reply",
    "answer",
    "completion",
    "canonical_solution",
    "solution",
    "reference",
    "code",
    "ref",
    "tgt",
    "trg",
)
INPUT_NAMES = ("source", "input", "prompt", "instruction", "question", "text", "src", "mr", "document", "dialogue")
OPTION_NAMES = ("options", "choices", "candidates", "endings")
LANGUAGES = {
    "en": "English", "de": "German", "fr": "French", "zh": "Chinese", "es": "Spanish", "it": "Italian", "ru": "Russian",
    "ja": "Japanese", "pt": "Portuguese", "nl": "Dutch", "cs": "Czech", "ro": "Romanian", "ko": "Korean",
    "ar": "Arabic",
}  # fmt: skip


@dataclass(slots=True)
class Proposal:
    """What a template needs to know of a task. ``inputs``: names of the fields of the prompt, in order; ``long``: the
    one that may be cut; ``split_by``: see ``split:`` of a source; ``languages``: of the two sides of a translation;
    ``group_by``: what many records share, whose outputs are then all acceptable; ``source_fields``, ``explode`` and
    ``where``: see those keys of a source; ``keep_end``: the start of ``long`` is cut, not its end; ``reads``: keys that
    are read, or left out for a reason, without standing in ``fields``; ``dropped``: lines on parts of the task that are
    not read, each an error."""

    family: str
    fields: dict[str, Json]
    inputs: list[str]
    target: dict[str, Any]
    metrics: list[Json]
    split_by: str
    long: str | None = None
    lists: dict[str, Json] = field(default_factory=dict)
    references: str | None = None
    remarks: list[str] = field(default_factory=list)
    languages: tuple[str, str] = ("", "")
    group_by: str | None = None
    source_fields: dict[str, Json] = field(default_factory=dict)
    explode: str | None = None
    where: str | None = None
    keep_end: bool = False
    reads: set[str] = field(default_factory=set)
    dropped: list[str] = field(default_factory=list)


_NO_TEXTS = ("id", "idx", "guid", "uid", "doc_key", "doc_id", "fname", "url", "lang", "split", "name")


def text_columns(table: Table) -> list[Column]:
    """Columns of texts in every record that say something, not numbers, tags, options by letter or names of files."""
    return [
        column
        for column in table.columns.values()
        if column.is_a("a text") and column.fills(table.total) and not column.is_tags and not column.is_numeric
        and column.name.lower() not in _NO_TEXTS
        and (column.values is None or len(column.values) > 1 or column.n == 1) and not column.is_notice
    ]  # fmt: skip


def named(columns: list[Column], names: tuple[str, ...]) -> Column | None:
    """The column with the first of ``names`` that one has, also with a number or letter behind it."""
    return next((column for name in names for column in columns if column.name.lower() == name), None)


def label_column(table: Table) -> Column | None:
    """The column that is a closed set: by its name, else the only one that can be, else the last."""
    some = [column for column in table.columns.values() if column.fills(table.total) and not column.is_tags]
    few = [column for column in some if label_values(table, column)]
    some = [column for column in some if len(column.labels or ()) > 1]
    last = [column for column in some if not _NOTED.search(column.name)]
    return named(few, LABEL_NAMES) or _ending(some, LABEL_NAMES) or (last[-1] if last else None)


def label_values(table: Table, column: Column) -> list[Json] | None:
    """The closed set of a column; of a handful of records, in which nothing comes again, short values under the name of
    a label."""
    if column.labels or table.total > _HANDFUL or column.name.lower() not in LABEL_NAMES[:7]:
        return column.labels
    words = [str(value) for value in column.values or ()]
    return sorted(column.values or (), key=str) if words and all(0 < len(w.split()) <= 3 for w in words) else None


_HANDFUL = 9
_NOTED = re.compile(r"(?i)(created|updated|date|time|zone|_at|_id|user|author)")


def _ending(columns: list[Column], names: tuple[str, ...]) -> Column | None:
    """The column whose name ends by the first of ``names``: ``airline_sentiment``."""
    return next(
        (one for name in names for one in columns if re.search(rf"(?i)[_ .-]{name}$", one.path.strip('"'))), None
    )


def longest(columns: list[Column]) -> str | None:
    longest = max(columns, key=lambda column: column.mean)
    return longest.name if longest.mean > 1 else None


def fields_of(columns: list[Column]) -> dict[str, Json]:
    return {column.name: column.path for column in columns}


def pairs(table: Table, first: Column, second: Column) -> Iterator[tuple[Json, Json]]:
    return ((row.get(first.path), row.get(second.path)) for row in table.sample)
