"""Formats whose lines are read one by one: jsonl, conll, parallel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from t2t.errors import DataError, TemplateError
from t2t.registry import did_you_mean
from t2t.tasks.files import DataFile, read_lines
from t2t.tasks.json_text import parse_json
from t2t.tasks.sources.base import SOURCES, FileSource, Options, Source, Spec
from t2t.tasks.sources.documents import as_data

Records = Iterator[tuple[str, dict[str, Any]]]
Lines = Iterator[tuple[int, str]]


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
    """Line-aligned files: each split maps field names to files, and line n of each is record n, unchanged.

    ``stride: {field: N}`` (or N for all): N lines of that file make one record, whose field is a list of them.
    """
    options = Options(spec, where)
    encoding = options.encoding()
    stride = options.take("stride", (int, dict), "{field: LINES}")
    options.files()
    options.finish()
    for lines in stride.values() if isinstance(stride, dict) else [stride]:
        if stride is not None and (not isinstance(lines, int) or isinstance(lines, bool) or lines < 1):
            raise TemplateError(where, f"source: stride: is {stride!r}", "write {field: LINES}, e.g. {choices: 5}")

    def read(files: dict[str, DataFile]) -> Records:
        for name in stride if isinstance(stride, dict) else []:
            if name not in files:
                raise TemplateError(where, f"source: stride: names {name!r}", did_you_mean(str(name), files))
        return _aligned(files, encoding, stride if isinstance(stride, dict) else dict.fromkeys(files, stride))

    return FileSource(spec, base, where, read, aligned=True)


def _aligned(files: dict[str, DataFile], encoding: str, stride: dict[str, int | None]) -> Records:
    streams = [_blocks(read_lines(file, encoding), stride.get(name), file.name) for name, file in files.items()]
    first = next(iter(files.values()))
    unit = "blocks of lines" if any(stride.values()) else "lines"
    for count, lines in enumerate(zip_longest(*streams)):
        if None in lines:
            raise _uneven(files, [line is not None for line in lines], streams, count, unit)
        (number, _), *_ = lines
        yield f"{first.name}:{number}", {name: line[1] for name, line in zip(files, lines, strict=True)}


def _blocks(lines: Lines, size: int | None, name: str) -> Iterator[tuple[int, str | list[str]]]:
    """Lines as they are; with a ``size``, lists of that many with the number of the first."""
    if size is None:
        yield from lines
        return
    while block := list(islice(lines, size)):
        number = block[0][0]
        if len(block) < size:
            found = f"the last block has {len(block)} lines, stride: says {size}"
            raise DataError(f"{name}:{number}", found, "complete the file, or correct stride:")
        yield number, [line for _, line in block]


def _uneven(files: dict[str, DataFile], longer: list[bool], streams: list[Any], count: int, unit: str) -> DataError:
    counts = [count + (1 + sum(1 for _ in stream) if more else 0) for stream, more in zip(streams, longer, strict=True)]
    told = ", ".join(f"{file.name} has {lines} {unit}" for file, lines in zip(files.values(), counts, strict=True))
    return DataError(
        f"{next(iter(files.values())).name}:{count + 1}", told, "aligned files must have equally many lines"
    )
