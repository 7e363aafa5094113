"""Formats whose lines are read one by one: jsonl, conll, parallel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from t2t.errors import DataError, TemplateError
from t2t.registry import did_you_mean
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import DataFile, read_lines, try_lines
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

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        file = files[""]
        lines = ((f"{file.name}:{number}", line) for number, line in read_lines(file, encoding, bad=bad))
        return bad.each((found for found in lines if found[1].strip()), _json_record)

    return FileSource(spec, base, where, read)


def _json_record(placed: tuple[str, str]) -> tuple[str, dict[str, Any]]:
    place, line = placed
    return place, as_data(parse_json(line, place))


@SOURCES.register("conll")
def conll(spec: Spec, base: Path, where: str) -> Source:
    """One token a line in ``columns`` (default tokens, tags), a blank line after a sentence.

    ``separator``: ``tab`` (default) or ``space`` (any run of spaces and tabs). Lines of ``-DOCSTART-`` are skipped.
    A record holds one list for each column; its line is that of the first token. ``comment``: lines that begin with it,
    alone or before a space, are skipped too.
    """
    options = Options(spec, where)
    encoding = options.encoding()
    comment = options.take("comment", str, 'what comments begin with, e.g. "#"')
    columns = options.names("columns") or ["tokens", "tags"]
    separator = options.take("separator", str, "tab or space", "tab")
    if separator not in ("tab", "space"):
        raise TemplateError(where, f"source: separator: is {separator!r}", "write tab or space")
    options.files()
    options.finish()

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        sentences = _sentences(files[""], encoding, columns, "\t" if separator == "tab" else None, comment)
        return bad.each(sentences, partial(_sentence, columns))

    return FileSource(spec, base, where, read)


Sentence = tuple[str, list[list[str]], DataError | None]


def _sentences(
    file: DataFile, encoding: str, columns: list[str], separator: str | None, comment: str | None
) -> Iterator[Sentence]:
    """FILE:LINE of the first token, the rows, and what is wrong with the first line that is no row."""
    rows: list[list[str]] = []
    wrong: DataError | None = None
    start = 0
    for number, line in try_lines(file, encoding):
        blank = isinstance(line, str) and not line.strip(" \t\r")
        if blank and start:
            yield f"{file.name}:{start}", rows, wrong
            rows, wrong, start = [], None, 0
        if blank or (isinstance(line, str) and _is_empty(line, comment)):
            continue
        start = start or number
        found = line if isinstance(line, DataError) else _cells(line, columns, separator, f"{file.name}:{number}")
        if isinstance(found, DataError):
            wrong = wrong or found
        else:
            rows.append(found)
    if start:
        yield f"{file.name}:{start}", rows, wrong


def _is_empty(line: str, comment: str | None) -> bool:
    if comment and (line.rstrip() == comment or line.startswith((f"{comment} ", f"{comment}\t"))):
        return True
    return line.startswith("-DOCSTART-")


def _cells(line: str, columns: list[str], separator: str | None, where: str) -> list[str] | DataError:
    cells = line.split(separator)
    if len(cells) == len(columns) and all(cells):
        return cells
    found = f"{line[:60]!r} is not {len(columns)} cells ({', '.join(columns)})"
    return DataError(where, found, "correct the line, or columns: and separator: of the source")


def _sentence(names: list[str], sentence: Sentence) -> tuple[str, dict[str, Any]]:
    where, rows, wrong = sentence
    if wrong is not None:
        raise wrong
    return where, {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}


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

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        for name in stride if isinstance(stride, dict) else []:
            if name not in files:
                raise TemplateError(where, f"source: stride: names {name!r}", did_you_mean(str(name), files))
        strides = stride if isinstance(stride, dict) else dict.fromkeys(files, stride)
        return bad.each(_aligned(files, encoding, strides), _whole)

    return FileSource(spec, base, where, read, aligned=True)


Line = tuple[int, str] | tuple[int, DataError]
Block = Line | tuple[int, list[Line]]


def _aligned(
    files: dict[str, DataFile], encoding: str, stride: dict[str, int | None]
) -> Iterator[tuple[str, dict[str, Block]]]:
    streams = [_blocks(try_lines(file, encoding), stride.get(name), file.name) for name, file in files.items()]
    first = next(iter(files.values()))
    unit = "blocks of lines" if any(stride.values()) else "lines"
    for count, lines in enumerate(zip_longest(*streams)):
        if None in lines:
            raise _uneven(files, [line is not None for line in lines], streams, count, unit)
        (number, _), *_ = lines
        yield f"{first.name}:{number}", dict(zip(files, lines, strict=True))


def _whole(aligned: tuple[str, dict[str, Block]]) -> tuple[str, dict[str, Any]]:
    where, blocks = aligned
    return where, {name: _text(block) for name, (_, block) in blocks.items()}


def _text(block: str | DataError | list[Line]) -> str | list[Any]:
    if isinstance(block, DataError):
        raise block
    return [_text(line) for _, line in block] if isinstance(block, list) else block


def _blocks(lines: Iterator[Line], size: int | None, name: str) -> Iterator[Block]:
    """Lines as they are; with a ``size``, lists of that many with the number of the first."""
    if size is None:
        yield from lines
        return
    while block := list(islice(lines, size)):
        number = block[0][0]
        if len(block) < size:
            found = f"the last block has {len(block)} lines, stride: says {size}"
            raise DataError(f"{name}:{number}", found, "complete the file, or correct stride:")
        yield number, block


def _uneven(files: dict[str, DataFile], longer: list[bool], streams: list[Any], count: int, unit: str) -> DataError:
    counts = [count + (1 + sum(1 for _ in stream) if more else 0) for stream, more in zip(streams, longer, strict=True)]
    message = ", ".join(f"{file.name} has {lines} {unit}" for file, lines in zip(files.values(), counts, strict=True))
    return DataError(f"{next(iter(files.values())).name}:{count + 1}", message, _how_to_align(list(files), counts))


def _how_to_align(fields: list[str], counts: list[int]) -> str:
    """What to do about files with so many lines: where one has N times as many as another, N lines are a record."""
    fewest = min(counts)
    if fewest and all(count % fewest == 0 for count in counts):
        strides = [f"{field}: {count // fewest}" for field, count in zip(fields, counts, strict=True) if count > fewest]
        return f"if several lines are one record, say stride: {{{', '.join(strides)}}}"
    return "aligned files must have equally many lines"
