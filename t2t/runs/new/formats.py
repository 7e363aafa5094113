"""Which format a stranger's files are in, told from their names and first lines."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from t2t.errors import DataError
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.files import data_dir, find_file, read_lines
from t2t.tasks.json_text import read_document

_LOOKED_AT = 200  # lines
_TAG = re.compile(r"O|[BI]-\S+")
_NAME = re.compile(r"[^\W\d][\w .:-]{0,39}")
_CJK = re.compile(r"[\u3400-\u9fff\u3040-\u30ff]")
_TRAIN = re.compile(r"(?<![A-Za-z])train(?:ing)?(?![a-z])")
_OTHER_SPLITS = {"valid": ("valid", "validation", "dev", "val"), "test": ("test",)}
_LISTS = ("data", "records", "examples", "rows", "items", "train")
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Files:
    """The files of each split, by field where they are line-aligned."""

    by_split: dict[str, dict[str, str]]

    @property
    def splits(self) -> list[str]:
        return list(self.by_split)

    @property
    def first(self) -> str:
        return next(iter(self.by_split["train"].values()))

    @property
    def stem(self) -> str:
        name = Path(self.first.rpartition("!")[2]).name
        return name.removesuffix(".gz").rpartition(".")[0] or name

    @property
    def folder(self) -> str:
        return Path(self.first.partition("!")[0]).resolve().parent.name

    @property
    def told(self) -> str:
        return Path(self.first).name

    def named_from(self, folder: Path, spec: Spec) -> Spec:
        """``spec`` and the files, each named as a template in ``folder`` finds it."""
        named = {
            split: {key: _seen_from(folder, name) for key, name in own.items()} for split, own in self.by_split.items()
        }
        return {**spec, **{split: own.get("", own) for split, own in named.items()}}


def _seen_from(folder: Path, name: str) -> str:
    file, sign, member = name.partition("!")
    path, data = Path(file).resolve(), data_dir().resolve()
    if path.is_relative_to(data):
        return path.relative_to(data).as_posix() + sign + member
    return Path(os.path.relpath(path, folder)).as_posix() + sign + member


def guess_source(names: Sequence[str]) -> tuple[Files, Spec]:
    """The files with those of other splits beside them, and ``format:`` with its options. DataError if unknown."""
    if len(names) > 1:
        fields = _field_names(names)
        return _with_splits(dict(zip(fields, names, strict=True))), {"format": "parallel"}
    name = names[0]
    suffix = Path(name.rpartition("!")[2].removesuffix(".gz")).suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        spec: Spec = {"format": "jsonl"}
    elif suffix == ".json" and not _is_json_lines(name):
        return _json_document(name)
    elif suffix == ".json":
        spec = {"format": "jsonl"}
    elif suffix == ".csv":
        spec = _with_header({"format": "csv"}, _csv_rows(_first_lines(name)))
    else:
        spec = _by_lines(name, _first_lines(name))
    return _with_splits({"": name}), spec


def _field_names(names: Sequence[str]) -> list[str]:
    """What tells line-aligned files apart: the last part of the name in which they differ."""
    parts = [re.split(r"[._-]", Path(name.removesuffix(".gz")).name) for name in names]
    for index in range(1, min(map(len, parts)) + 1):
        found = [re.sub(r"\W", "_", own[-index]) for own in parts]
        if len(set(found)) == len(found) and all(re.match(r"[A-Za-z_]", field) for field in found):
            return found
    return [f"column{number}" for number in range(1, len(names) + 1)]


def _with_splits(files: dict[str, str]) -> Files:
    found = {"train": files}
    for split, words in _OTHER_SPLITS.items():
        for word in words:
            beside = {key: _TRAIN.sub(word, name) for key, name in files.items()}
            if beside != files and all(Path(name.partition("!")[0]).is_file() for name in beside.values()):
                found[split] = beside
                break
    return Files(found)


def _first_lines(name: str) -> list[str]:
    file = find_file(name, Path(), name)
    lines = [line for _, line in islice(read_lines(file, bad=BadRecords("skip")), _LOOKED_AT)]
    if not any(map(str.strip, lines)):
        raise DataError(name, "the file is empty", "give one with records")
    return lines


def _by_lines(name: str, lines: list[str]) -> Spec:
    full = [line for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    for separator, split in (("tab", "\t"), ("space", None)):
        rows = [line.split(split) for line in full]
        if len({len(row) for row in rows}) == 1 < len(rows[0]) and all(_TAG.fullmatch(row[-1]) for row in rows):
            middle = [f"column{number}" for number in range(2, len(rows[0]))]
            spec: Spec = {"format": "conll"} | ({"separator": separator} if split is None else {})
            return spec | ({"columns": ["tokens", *middle, "tags"]} if middle else {})
    rows = [line.split("\t") for line in full]
    if rows and len(rows[0]) > 1:
        return _with_header({"format": "tsv"}, rows)
    if full and all(line.lstrip().startswith("{") for line in full):
        return {"format": "jsonl"}
    raise DataError(
        name, "neither JSON lines, a table, nor tokens with tags", "give the aligned file too, or convert it"
    )


def _csv_rows(lines: list[str]) -> list[list[str]]:
    return [row for row in csv.reader(lines) if row]


def _with_header(spec: Spec, rows: list[list[str]]) -> Spec:
    """``spec``, with names for the columns where the first row is none."""
    if _is_header(rows[0], rows[1:]):
        return spec
    return {**spec, "header": [f"column{number}" for number in range(1, len(rows[0]) + 1)]}


def _is_header(first: list[str], rest: list[list[str]]) -> bool:
    """True if the cells are names, stand nowhere below, and are single words or shorter than what stands below.

    Chinese and Japanese write sentences without spaces: a single word has at most six of their characters.
    """
    below = [{row[index] for row in rest if len(row) > index} for index in range(len(first))]
    pairs = list(zip(first, below, strict=True))
    if len(set(first)) < len(first) or not all(_NAME.fullmatch(cell) and cell not in seen for cell, seen in pairs):
        return False

    def is_word(cell: str) -> bool:
        return " " not in cell and (len(cell) <= 6 or not _CJK.search(cell))

    return all(is_word(cell) or len(cell) * 2 <= max(map(len, seen), default=0) for cell, seen in pairs)


def _is_json_lines(name: str) -> bool:
    """True for a file with an object on each line, which some call .json."""
    full = [line for line in _first_lines(name) if line.strip()]
    return len(full) > 1 and all(map(_is_object, full[:2]))


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _json_document(name: str) -> tuple[Files, Spec]:
    document = read_document(find_file(name, Path(), name))
    if isinstance(document, list):
        return _with_splits({"": name}), {"format": "json"}
    if not isinstance(document, dict):
        raise DataError(name, "the document is neither a list nor an object", "make it a list of records")
    if _is_squad(document):
        return _with_splits({"": name}), {"format": "squad"}
    lists = [key for key, value in document.items() if isinstance(value, list) and value]
    for key in (*_LISTS, *lists):
        if key in lists and re.fullmatch(r"\w+", key):
            return _with_splits({"": name}), {"format": "json", "records": key}
    raise DataError(name, "the document holds no list of records", "make it a list, or write one record a line")


def _is_squad(document: Json) -> bool:
    data = document.get("data")
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]
