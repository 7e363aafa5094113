"""Formats whose lines are read one by one: jsonl, conll, parallel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from t2t.errors import DataError, TemplateError
from t2t.tasks.files import DataFile, read_lines
from t2t.tasks.json_text import parse_json
from t2t.tasks.sources.base import SOURCES, FileSource, Options, Source, Spec
from t2t.tasks.sources.documents import as_data

Records = Iterator[tuple[str, dict[str, Any]]]


@SOURCES.register("jsonl")
def jsonl(spec: Spec, base: Path, where: str) -> Source:
    """One JSON value a line; blank lines are skipped."""
    options = Options(spec, where)
    encoding = options.encoding()
    options.files()
    options.finish()

    def read(files: dict[str, DataFile]) -> Records:
        file = files[""]
        for number, line in read_lines(file, encoding):
            if line.strip():
                place = f"{file.name}:{number}"
                yield place, as_data(parse_json(line, place))

    return FileSource(spec, base, where, read)


@SOURCES.register("conll")
def conll(spec: Spec, base: Path, where: str) -> Source:
    """One token a line in ``columns`` (default tokens, tags), a blank line after a sentence.

    ``separator``: ``tab`` (default) or ``space`` (any run of spaces and tabs). Lines of ``-DOCSTART-`` are skipped.
    A record holds one list for each column; its line is that of the first token.
    """
    options = Options(spec, where)
    encoding = options.encoding()
    columns = options.names("columns") or ["tokens", "tags"]
    separator = options.take("separator", str, "tab or space", "tab")
    if separator not in ("tab", "space"):
        raise TemplateError(where, f"source: separator: is {separator!r}", "write tab or space")
    options.files()
    options.finish()

    def read(files: dict[str, DataFile]) -> Records:
        return _sentences(files[""], encoding, columns, "\t" if separator == "tab" else None)

    return FileSource(spec, base, where, read)


def _sentences(file: DataFile, encoding: str, columns: list[str], separator: str | None) -> Records:
    rows: list[list[str]] = []
    start = 0
    for number, line in read_lines(file, encoding):
        blank = not line.strip(" \t\r")
        if blank and rows:
            yield f"{file.name}:{start}", _columns(columns, rows)
            rows = []
        if blank or line.startswith("-DOCSTART-"):
            continue
        cells = line.split(separator)
        if len(cells) != len(columns) or not all(cells):
            found = f"{line[:60]!r} is not {len(columns)} cells ({', '.join(columns)})"
            raise DataError(
                f"{file.name}:{number}", found, "correct the line, or columns: and separator: of the source"
            )
        start = start if rows else number
        rows.append(cells)
    if rows:
        yield f"{file.name}:{start}", _columns(columns, rows)


def _columns(names: list[str], rows: list[list[str]]) -> dict[str, Any]:
    return {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}


@SOURCES.register("parallel")
def parallel(spec: Spec, base: Path, where: str) -> Source:
    """Line-aligned files: each split maps field names to files, and line n of each is record n, unchanged."""
    options = Options(spec, where)
    encoding = options.encoding()
    options.files()
    options.finish()

    def read(files: dict[str, DataFile]) -> Records:
        return _aligned(files, encoding)

    return FileSource(spec, base, where, read, aligned=True)


def _aligned(files: dict[str, DataFile], encoding: str) -> Records:
    streams = [read_lines(file, encoding) for file in files.values()]
    first = next(iter(files.values()))
    for count, lines in enumerate(zip_longest(*streams)):
        if None in lines:
            raise _uneven(files, [line is not None for line in lines], streams, count)
        yield f"{first.name}:{count + 1}", {name: line[1] for name, line in zip(files, lines, strict=True)}


def _uneven(files: dict[str, DataFile], longer: list[bool], streams: list[Any], count: int) -> DataError:
    counts = [count + (1 + sum(1 for _ in stream) if more else 0) for stream, more in zip(streams, longer, strict=True)]
    told = ", ".join(f"{file.name} has {lines} lines" for file, lines in zip(files.values(), counts, strict=True))
    return DataError(
        f"{next(iter(files.values())).name}:{count + 1}", told, "aligned files must have equally many lines"
    )
