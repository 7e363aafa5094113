"""What is in the columns of a data set: read once, in bounded memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from t2t.authoring.new.class_names import names_beside
from t2t.authoring.new.sources import Found
from t2t.errors import DataError
from t2t.linear.scope import PLAIN, Expression, kind_of
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.fields.tags import SCHEMES
from t2t.tasks.json_text import NotANumber
from t2t.tasks.sources import build_source

MOST_LABELS = 300
_SAMPLE = 500
_MOST_COLUMNS = 200
_LONGEST_LABEL = 80
_SENTENCES_AGAIN = 6  # times, before sentences are taken for labels
_SENTENCE = re.compile(r".*[.!?;。！？；]|\S+(\s+\S+){3,}|[\u4e00-\u9fff，]{9,}", re.DOTALL)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_MARKS = "".join(sorted({*"".join(SCHEMES.values())}))
_TAG = rf"(O|[{_MARKS}][-_]\S+|\S+[-_][{_MARKS}])"
_TAGS = re.compile(rf"{_TAG}(\s+{_TAG})*")
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_NOTICE = re.compile(r"CC[- ]BY\b|CC0\b|https?://\S+$|\S+\.(png|jpe?g|gif|webp|wav|mp3|flac|mp4)$")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(slots=True)
class Column:
    """Values of one expression. ``values``: how often each scalar stood there, None when there were too many;
    ``items``: the same of the texts and whole
    numbers in lists."""

    path: str
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[Json] | None = field(default_factory=Counter)
    items: Counter[Any] | None = field(default_factory=Counter)
    characters: int = 0
    texts: int = 0
    chinese: int = 0
    numbers: int = 0
    fractions: bool = False
    points: bool = False  # numbers are written with a fraction, which may be 0
    tags: int = 0
    holes: int = 0
    blanks: int = 0  # texts without a character
    notices: int = 0  # addresses, licences and names of files
    commas: int = 0  # numbers with a comma in front of their fraction

    @property
    def name(self) -> str:
        """A name for the field, from the last part of the path."""
        found = re.findall(r"\w+", self.path)
        return re.sub(r"^(?=[0-9])", "column", found[-1]) if found else "item"

    @property
    def n(self) -> int:
        return sum(count for kind, count in self.kinds.items() if kind != "null")

    def fills(self, total: int) -> bool:
        """True if all of so many records have a value here; NaN, which costs its record, is passed over."""
        return self.n + self.holes == total

    def is_a(self, kind: str) -> bool:
        """True if all values that are not null are of this kind."""
        return self.n > 0 and self.kinds[kind] == self.n

    @property
    def mean(self) -> float:
        """Characters of a text, on average."""
        return self.characters / self.texts if self.texts else 0.0

    @property
    def is_chinese(self) -> bool:
        return self.chinese * 4 > self.characters

    @property
    def is_numeric(self) -> bool:
        """Numbers, or texts that are numbers."""
        return self.is_a("a number") or (self.is_a("a text") and self.numbers == self.n)

    @property
    def is_tags(self) -> bool:
        """BIO tags: a list of them, or a line."""
        return self.n > 0 and self.tags == self.n

    @property
    def is_notice(self) -> bool:
        """True if all texts are addresses, name a licence, or files of pictures and sounds."""
        return 0 < self.texts == self.notices

    @property
    def labels(self) -> list[Json] | None:
        """The values in order, if they can be a closed set: few, short, and met again and again."""
        if self.values is None or not self.values or any(self.is_a(kind) for kind in ("a list", "a mapping")):
            return None
        said = [str(value) for value in self.values]
        if not all(len(text) <= _LONGEST_LABEL and text.strip() and "\n" not in text for text in said):
            return None
        again = _SENTENCES_AGAIN if sum(map(_is_sentence, said)) * 2 > len(said) else 2
        return sorted(self.values, key=str) if len(self.values) * again <= self.n else None

    def add(self, value: Json) -> None:
        if isinstance(value, NotANumber):
            self.holes += 1
            return
        self.kinds[kind_of(value)] += 1
        if isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, list):
            self._add_items([item for item in value if isinstance(item, str)])
            self.items = _counted(self.items, [item for item in value if type(item) is int])
            self.tags += bool(value) and all(isinstance(item, str) and _TAGS.fullmatch(item) for item in value)
        elif isinstance(value, float):
            self.points = True
            self.fractions = self.fractions or not value.is_integer()
        if isinstance(value, str | int):
            self.values = _counted(self.values, [value])
        elif isinstance(value, float):
            self.values = None if self.fractions else _counted(self.values, [value])

    def _add_text(self, text: str) -> None:
        self.texts += 1
        self.blanks += not text.strip()
        self.notices += _NOTICE.match(text) is not None
        self.characters += len(text)
        self.chinese += len(_CHINESE.findall(text))
        self.commas += _COMMA.fullmatch(text) is not None
        if _NUMBER.fullmatch(text):
            self.numbers += 1
            self.points = self.points or "." in text
            self.fractions = self.fractions or not float(text).is_integer()
        if _TAGS.fullmatch(text.strip()):
            self.tags += 1
            self.items = _counted(self.items, text.split())

    def _add_items(self, items: list[str]) -> None:
        self.items = _counted(self.items, items)
        self.characters += sum(map(len, items))
        self.chinese += sum(len(_CHINESE.findall(item)) for item in items)


def _is_sentence(text: str) -> bool:
    """True for four words and more, for what ends as a sentence does, and for long runs of Chinese."""
    return _SENTENCE.fullmatch(text.strip()) is not None and _NUMBER.fullmatch(text.strip()) is None


def _counted(counts: Counter[Any] | None, values: list[Any]) -> Counter[Any] | None:
    if counts is None:
        return None
    counts.update(values)
    return None if len(counts) > MOST_LABELS else counts


@dataclass(slots=True)
class Table:
    """All columns by path, and the first records as they are read, their objects opened one level."""

    columns: dict[str, Column] = field(default_factory=dict)
    sample: list[dict[str, Json]] = field(default_factory=list)
    raw: list[dict[str, Json]] = field(default_factory=list)  # the same records as they are
    names: list[list[str]] = field(default_factory=list)  # of numbers, in files beside the data
    n: int = 0  # of train
    total: int = 0
    bad: int = 0
    first_bad: str = ""

    @property
    def bad_summary(self) -> str:
        """How many records are bad, and what is wrong with the first; empty where none is."""
        what = "1 record is bad" if self.bad == 1 else f"{self.bad} records are bad"
        return f"{what}, the first is {self.first_bad}" if self.bad else ""

    @property
    def chinese(self) -> bool:
        """True if a good part of all text is Chinese."""
        said = [column for column in self.columns.values() if not column.is_tags]
        return sum(column.chinese for column in said) * 4 > sum(column.characters for column in said)

    def languages(self, fields: Json) -> str | list[str]:
        """Of the columns that ``fields`` names."""
        said = repr(fields)
        used = [column for column in self.columns.values() if column.mean > 1 and column.path in said]
        sides = {"zh" if column.is_chinese else "en" for column in used}
        return ["en", "zh"] if len(sides) > 1 else "zh" if self.chinese else "en"


def look(found: Found, where: str | None = None) -> Table:
    """Read all files; ``where``: the records alone for which an expression holds. DataError if they hold no record."""
    kept = None if where is None else Expression(where, "new")
    table = Table()
    source = build_source(found.named_from(Path.cwd()), Path.cwd(), found.as_given)
    errors: list[DataError] = []
    bad = BadRecords("skip", lambda error: errors.append(error) if not errors else None)
    for split in found.splits:
        for record in source.records(split, bad):
            if kept is not None and not kept.read(record.data, "record"):
                continue
            _add(table, record.data)
            table.n += split == "train"
            table.total += 1
    table.bad, table.first_bad = bad.count, f"{errors[0].where}: {errors[0].found}" if errors else ""
    table.names = names_beside(Path(found.as_given.partition("!")[0]).resolve())
    if not table.n and kept is None:
        message = table.bad_summary or "no record could be read"
        raise DataError(found.as_given, message, "correct it" if table.bad else "is this the right file?")
    return table


def _add(table: Table, data: dict[str, Json]) -> None:
    flat = dict(_flat(data))
    if len(table.sample) < _SAMPLE:
        table.sample.append(flat)
        table.raw.append(data)
    for path, value in flat.items():
        if path in table.columns or len(table.columns) < _MOST_COLUMNS:
            table.columns.setdefault(path, Column(path)).add(value)


def _flat(data: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """Plain values by their JMESPath: an object or a record that is a list is opened one level."""
    for key, value in data.items():
        path = _identifier(key)
        if isinstance(value, dict):
            yield from ((f"{path}.{_identifier(inner)}", item) for inner, item in value.items())
        elif key == "item" and isinstance(value, list) and len(data) == 1:
            yield from ((f"item[{index}]", item) for index, item in enumerate(value))
        else:
            yield path, value


def _identifier(key: str) -> str:
    """A key as JMESPath names it."""
    return key if PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)
