"""Records to answer: jsonl, json, csv, tsv, Parquet, plain lines, standard input, or what Python hands over."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from t2t.errors import RunFileError
from t2t.structures import Example, Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.files import decode
from t2t.tasks.json_text import parse_json
from t2t.tasks.kept import Answerer
from t2t.tasks.record import RawRecord
from t2t.tasks.sources import build_source

_FORMATS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
}  # fmt: skip


def renaming(pairs: Iterable[str]) -> dict[str, str]:
    """``field=column`` pairs as a mapping from columns to fields. RunFileError for what is none."""
    found = {}
    for pair in pairs:
        field, sign, column = pair.partition("=")
        if not (field and sign and column):
            raise RunFileError(f"--field {pair}", "it is no FIELD=COLUMN", "write e.g. --field text=content")
        found[column] = field
    return found


def read_records(
    name: str, answerer: Answerer, bad: BadRecords, stdin: Iterable[str | bytes] | None = None
) -> Iterator[RawRecord]:
    """The records of a file, by its ending, or of standard input (``-``), streamed.

    A line that is no JSON object is a text alone, for a task that reads one; empty lines say nothing. Ids are those of
    the records, else their numbers from 1. DataError where the file is missing or broken as a whole; what is wrong with
    one record is bad.
    """
    if name == "-":
        given: Any = getattr(sys.stdin, "buffer", sys.stdin)  # bytes, so that what is no text costs one record
        return _numbered(_lines(given if stdin is None else stdin, answerer, bad))
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix in _FORMATS:
        source = build_source({"format": _FORMATS[suffix], "train": name}, Path.cwd(), name)
    else:
        field = _text_field(answerer)
        source = build_source({"format": "parallel", "train": {field: name}}, Path.cwd(), name)
        return _numbered(raw for raw in source.records("train", bad) if raw.data[field].strip())
    return _numbered(source.records("train", bad))


def given_records(inputs: Iterable[str | Mapping[str, Json]], answerer: Answerer) -> Iterator[RawRecord]:
    """Texts, or records with fields, that Python hands over."""
    for number, one in enumerate(inputs, 1):
        data = {_text_field(answerer): one} if isinstance(one, str) else dict(one)
        yield _with_id(RawRecord(f"input {number}", "", data), number)


def as_examples(
    records: Iterable[RawRecord], answerer: Answerer, fields: Mapping[str, str], bad: BadRecords
) -> Iterator[tuple[Example, dict[str, Json]]]:
    """Each record as an example without gold, and its data; ``fields`` names columns as the task does."""

    def use(raw: RawRecord) -> tuple[Example, dict[str, Json]]:
        renamed = {fields[key]: raw.data[key] for key in fields if key in raw.data}
        data: dict[str, Any] = {**raw.data, **renamed}
        return answerer.example(replace(raw, data=data), renamed), raw.data

    return bad.each(records, use)


def _text_field(answerer: Answerer) -> str:
    field = answerer.text_field
    if field is None:
        found = f"{answerer.task.name} reads {', '.join(answerer.needed)}, not one text"
        raise RunFileError("--input", found, "give records with these fields, e.g. as jsonl")
    return field


def _lines(stream: Iterable[str | bytes], answerer: Answerer, bad: BadRecords) -> Iterator[RawRecord]:
    def use(numbered: tuple[int, str | bytes]) -> RawRecord | None:
        number, line = numbered
        where = f"standard input:{number}"
        text = (decode(line, "utf-8", where) if isinstance(line, bytes) else line).rstrip("\r\n")
        return RawRecord(where, "", _data(text, where, answerer)) if text.strip() else None

    return bad.each(enumerate(stream, 1), use)


def _data(text: str, where: str, answerer: Answerer) -> dict[str, Json]:
    if text.lstrip().startswith("{"):
        value = parse_json(text, where)
        if isinstance(value, dict):
            return value
    return {_text_field(answerer): text}


def _numbered(records: Iterable[RawRecord]) -> Iterator[RawRecord]:
    for number, raw in enumerate(records, 1):
        yield _with_id(raw, number)


def _with_id(raw: RawRecord, number: int) -> RawRecord:
    own = raw.data.get("id")
    known = isinstance(own, str | int) and not isinstance(own, bool) and own != ""
    return replace(raw, id=str(own) if known else str(number))
