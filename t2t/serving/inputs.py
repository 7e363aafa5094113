"""Records to answer: jsonl, json, csv, tsv, Parquet, plain lines, standard input, or what Python hands over."""

from __future__ import annotations

import glob
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from t2t.authoring.new.encodings import encoding_of, first_bytes
from t2t.authoring.new.formats import look_at
from t2t.errors import DataError, InputError, RunFileError
from t2t.serving.batch_job import is_first
from t2t.structures import Example, Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import decode, find_file
from t2t.tasks.json_text import parse_json
from t2t.tasks.kept import Answerer
from t2t.tasks.record import RawRecord
from t2t.tasks.sources import build_source
from t2t.terminal import shown

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "lines")
_BY_ENDING = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
}  # fmt: skip
_STDIN = "standard input"
_TABLES = frozenset({"csv", "tsv"})


class Reader(Protocol):
    """What reading a file must know of the task that its records are for."""

    @property
    def name(self) -> str: ...

    @property
    def needed(self) -> tuple[str, ...]: ...

    @property
    def text_field(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class MixedReader:
    """Records of several tasks, each of which says its own."""

    tasks: tuple[str, ...]
    needed: tuple[str, ...] = ("task",)
    text_field: str | None = None

    @property
    def name(self) -> str:
        return "a mixture of tasks"


@dataclass(frozen=True, slots=True)
class SharedReader:
    """Records of which each is for several tasks."""

    readers: tuple[Reader, ...]

    @property
    def name(self) -> str:
        return " and ".join(one.name for one in self.readers)

    @property
    def needed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(field for one in self.readers for field in one.needed))

    @property
    def text_field(self) -> str | None:
        """That of all of them, if it is one."""
        fields = {one.text_field for one in self.readers}
        return fields.pop() if len(fields) == 1 else None


def names_of(tasks: str | None) -> tuple[str, ...]:
    """The tasks that are named, separated by commas. RunFileError where one is named twice."""
    found = tuple(name.strip() for name in (tasks or "").split(",") if name.strip())
    if twice := next((name for number, name in enumerate(found) if name in found[:number]), None):
        raise RunFileError("--task", f"{twice} is named twice", "name it once")
    return found


def renaming(pairs: Iterable[str]) -> dict[str, str]:
    """``field=column`` pairs as a mapping. RunFileError for what is none, and for a field that is there twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        field, sign, column = pair.partition("=")
        if not (field and sign and column):
            raise RunFileError(f"--field {pair}", "it is no FIELD=COLUMN", "write e.g. --field text=content")
        if field in found:
            raise RunFileError(f"--field {pair}", f"the field {field} is a column already", "name each field once")
        found[field] = column
    return found


def files_of(inputs: Iterable[str]) -> list[str]:
    """The files that are named, those of a pattern (``*.jsonl``) in the order of their names.

    DataError for a pattern that fits none; RunFileError for a file that is named twice, and for ``-`` beside others.
    """
    given, found = list(inputs), []
    for name in given:
        if glob.has_magic(name) and not Path(name).exists():
            some = sorted(glob.glob(name, recursive=True))
            if not some:
                raise DataError(name, "no file fits this pattern", "correct it, or put it in quotes for t2t to read")
            found += some
        else:
            found.append(name)
    if twice := next((name for number, name in enumerate(found) if name in found[:number]), None):
        raise RunFileError("--input", f"{twice} is named twice", "name it once")
    if "-" in found and len(found) > 1:
        raise RunFileError("--input", "standard input stands beside files", "name files alone, or - alone")
    return found


def read_files(names: Sequence[str], reader: Reader, bad: BadRecords, form: str | None = None) -> Iterator[RawRecord]:
    """The records of files one after the other, or of standard input (``-``), see ``read_records``.

    Of several files an id that is a number of a line is FILE:NUMBER.
    """
    for name in names:
        for raw in read_records(name, reader, bad, form):
            numbered = len(names) > 1 and _own_id(raw) is None
            yield replace(raw, id=f"{Path(name).name}:{raw.id}") if numbered else raw


def spooled(folder: Path) -> Path:
    """Standard input, whole, as a file in ``folder``."""
    path = folder / _STDIN
    with path.open("wb") as file:
        shutil.copyfileobj(getattr(sys.stdin, "buffer", sys.stdin), file)
    return path


def read_spooled(path: Path, reader: Reader, bad: BadRecords, form: str | None = None) -> Iterator[RawRecord]:
    """The records of a standard input that ``spooled`` has read."""
    if form is not None:  # the folder that it lies in says nothing to anybody
        named = BadRecords("skip", lambda one: bad.add(DataError(_as_stdin(one.where, path), one.found, one.todo)))
        for raw in read_records(str(path), reader, named, form):
            yield replace(raw, where=_as_stdin(raw.where, path))
        return
    with path.open("rb") as file:
        yield from read_records("-", reader, bad, stdin=file)


def _as_stdin(where: str, path: Path) -> str:
    return where.replace(str(path), _STDIN)


def read_records(
    name: str,
    answerer: Reader,
    bad: BadRecords,
    form: str | None = None,
    stdin: Iterable[str | bytes] | None = None,
) -> Iterator[RawRecord]:
    """The records of a file, or of standard input (``-``), streamed.

    ``form``: one of FORMATS; None: by the file's ending, and of standard input lines, which are JSON objects or texts.
    Encoding, and how a table is separated, are told from the content, as ``t2t new`` does. A line that is no JSON
    object is a text alone, for a task that reads one; empty lines say nothing. Ids are those of the records, else the
    number of the line, or in json, tables and Parquet of the record, from 1. DataError where the file is missing or
    broken as a whole; what is wrong with one record is bad.
    """
    if name == "-" and form is None:
        given: Any = getattr(sys.stdin, "buffer", sys.stdin)  # bytes, so that what is no text costs one record
        return _by_line(_lines(given if stdin is None else stdin, answerer, bad))
    if name == "-":
        return _spooled(answerer, bad, form)
    form = form or _BY_ENDING.get(Path(name.removesuffix(".gz")).suffix.lower(), "lines")
    if form == "lines":
        return _texts(name, answerer, bad)
    spec = _spec(name, form)
    _print_encoding(name, spec)
    records = build_source({**spec, "train": name}, Path.cwd(), name).records("train", bad)
    return _by_line(records) if form == "jsonl" else _numbered(records)


def _spooled(answerer: Reader, bad: BadRecords, form: str | None) -> Iterator[RawRecord]:
    """Standard input as a file, for forms that are not read line by line."""
    with tempfile.TemporaryDirectory() as folder:
        yield from read_spooled(spooled(Path(folder)), answerer, bad, form)


def _texts(name: str, answerer: Reader, bad: BadRecords) -> Iterator[RawRecord]:
    field = _text_field(answerer)
    spec = {"format": "parallel", "train": {field: name}, **_encoding(name)}
    _print_encoding(name, spec)
    records = build_source(spec, Path.cwd(), name).records("train", bad)
    return _by_line(raw for raw in records if raw.data[field].strip())


def _spec(name: str, form: str) -> dict[str, Any]:
    """The source of a file in a form that is known, with what only its content tells."""
    if form == "parquet":
        return {"format": form}
    try:
        found = look_at(find_file(name, Path.cwd(), name)).spec
    except DataError:
        found = {}  # who reads it says what is wrong
    same = found.get("format") == form or {found.get("format"), form} <= _TABLES
    return found if same else {"format": form, **_encoding(name)}


def _encoding(name: str) -> dict[str, str]:
    found = encoding_of(first_bytes(find_file(name, Path.cwd(), name)))
    return {} if found == "utf-8" else {"encoding": found}


def _print_encoding(name: str, spec: Mapping[str, Any]) -> None:
    if "encoding" in spec and is_first():
        print(f"t2t: {shown(name)} is read as {spec['encoding']}", file=sys.stderr)


def given_records(inputs: Iterable[str | Mapping[str, Json]], answerer: Answerer) -> Iterator[RawRecord]:
    """Texts, or records with fields, that Python hands over. InputError for anything else."""
    if isinstance(inputs, str | Mapping) or not isinstance(inputs, Iterable):
        found = "it is one input, not a list of them" if isinstance(inputs, str | Mapping) else f"it is {inputs!r}"
        raise InputError("inputs", found, "give a list of texts or of records")
    for number, one in enumerate(inputs, 1):
        if not isinstance(one, str | Mapping):
            raise InputError(f"input {number}", f"{one!r} is neither a text nor a record", "give a str or a mapping")
        data = {_text_field(answerer): one} if isinstance(one, str) else dict(one)
        yield _with_id(RawRecord(f"input {number}", "", data), number)


def as_examples(
    records: Iterable[RawRecord], answerer: Answerer, fields: Mapping[str, str], bad: BadRecords
) -> Iterator[tuple[Example, dict[str, Json]]]:
    """Each record as an example without gold, and its data; ``fields``: of the task, and the columns that they are."""

    def use(raw: RawRecord) -> tuple[Example, dict[str, Json]]:
        renamed = {field: raw.data[key] for field, key in fields.items() if key in raw.data}
        if missing := [key for field, key in fields.items() if field in answerer.needed and key not in raw.data]:
            found = f"it has no {missing[0]!r} (it has {', '.join(map(str, raw.data))})"
            raise DataError(raw.where, found, "correct --field FIELD=COLUMN, or say --format")
        data: dict[str, Any] = {**raw.data, **renamed}
        return answerer.example(replace(raw, data=data), renamed), raw.data

    return bad.each(records, use)


def _text_field(answerer: Reader) -> str:
    field = answerer.text_field
    if field is None:
        found = f"{answerer.name} reads {', '.join(answerer.needed)}, not one text"
        raise RunFileError("--input", found, "give records with these fields, e.g. as jsonl")
    return field


def _lines(stream: Iterable[str | bytes], answerer: Reader, bad: BadRecords) -> Iterator[RawRecord]:
    def use(numbered: tuple[int, str | bytes]) -> RawRecord | None:
        number, line = numbered
        where = f"{_STDIN}:{number}"
        text = (decode(line, "utf-8", where) if isinstance(line, bytes) else line).rstrip("\r\n")
        text = text.removeprefix("\ufeff") if number == 1 else text
        return RawRecord(where, "", _data(text, where, answerer)) if text.strip() else None

    return bad.each(enumerate(stream, 1), use)


def _data(text: str, where: str, answerer: Reader) -> dict[str, Json]:
    if text.lstrip().startswith("{"):
        try:
            value = parse_json(text, where)
        except DataError as error:
            raise DataError(where, error.found, f"{error.todo}, or say --format lines if it is a text") from None
        if isinstance(value, dict):
            return value
    if text.strip() == "[" or re.match(r"\s*\[\s*\{", text):
        raise DataError(where, "a list of JSON begins there", "say --format json, or --format lines if it is a text")
    return {_text_field(answerer): text}


def _by_line(records: Iterable[RawRecord]) -> Iterator[RawRecord]:
    """Numbered by their lines, so that neither empty lines nor bad records shift what follows."""
    for raw in records:
        yield _with_id(raw, int(raw.where.rpartition(":")[2]))


def _numbered(records: Iterable[RawRecord]) -> Iterator[RawRecord]:
    for number, raw in enumerate(records, 1):
        yield _with_id(raw, number)


def _with_id(raw: RawRecord, number: int) -> RawRecord:
    own = _own_id(raw)
    return replace(raw, id=str(number) if own is None else own)


def _own_id(raw: RawRecord) -> str | None:
    own = raw.data.get("id")
    known = isinstance(own, str | int) and not isinstance(own, bool) and own != ""
    return str(own) if known else None
