"""Tables: csv (quoted, with commas) and tsv (tabs, no quoting)."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from t2t.errors import DataError, TemplateError
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import LINE_CAP, DataFile, read_lines, try_lines
from t2t.tasks.sources.base import SOURCES, FileSource, Options, Source, Spec

Records = Iterator[tuple[str, dict[str, Any]]]
Rows = Iterator[tuple[int, list[str]]]
ReadRows = Callable[[DataFile, str, BadRecords], Rows]


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How the rows of a csv are written: see ``csv_table``."""

    separator: str
    strip: bool = False
    comment: str | None = None


@SOURCES.register("csv")
def csv_table(spec: Spec, base: Path, where: str) -> Source:
    """Comma-separated values as in RFC 4180; ``header`` names the columns where the first line does not. A column
    without a name is not read.

    ``separator``: another character than the comma, e.g. ";" or "\\t". ``strip: true`` takes the spaces around cells
    off, ``comment: "#"`` says what the lines above the header begin with that say nothing. A first line ``sep=;`` of
    Excel says nothing either.
    """
    options = Options(spec, where)
    strip = bool(options.take("strip", bool, "true or false", False))
    comment = options.take("comment", str, 'what comments begin with, e.g. "#"')
    separator = options.take("separator", str, 'a character, e.g. ";"', ",")
    if len(separator) != 1 or separator in '"\r\n':
        raise TemplateError(where, f"source: separator: is {separator!r}", 'write one character, e.g. ";"')
    return _table(options, base, where, spec, partial(_csv_rows, CsvForm(separator, strip, comment)))


@SOURCES.register("tsv")
def tsv_table(spec: Spec, base: Path, where: str) -> Source:
    """Tab-separated values, one record a line, quotes are ordinary characters; ``header`` as for csv."""
    return _table(Options(spec, where), base, where, spec, _tsv_rows)


def _table(options: Options, base: Path, where: str, spec: Spec, rows: ReadRows) -> Source:
    encoding = options.encoding()
    header = options.names("header")
    options.files()
    options.finish()

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        file = files[""]
        return _records(rows(file, encoding, bad), header, file.name, bad)

    return FileSource(spec, base, where, read)


def _records(rows: Rows, header: list[str] | None, name: str, bad: BadRecords) -> Records:
    columns = header
    for number, cells in rows:
        if columns is None:
            columns = [cell.strip() for cell in cells]
            named = [cell for cell in columns if cell]
            if len(set(named)) != len(named):
                raise DataError(
                    f"{name}:{number}", f"a column name stands twice in {cells}", "rename it, or give header:"
                )
            continue
        if len(cells) != len(columns):
            found = f"{len(cells)} cells where the header has {len(columns)} ({', '.join(columns)[:80]})"
            bad.add(DataError(f"{name}:{number}", found, "correct the line, its quotes, or header:"))
            continue
        yield f"{name}:{number}", {column: cell for column, cell in zip(columns, cells, strict=True) if column}


def _tsv_rows(file: DataFile, encoding: str, bad: BadRecords) -> Rows:
    for number, line in read_lines(file, encoding, bad=bad):
        if line:
            yield number, line.split("\t")


def _csv_rows(form: CsvForm, file: DataFile, encoding: str, bad: BadRecords) -> Rows:
    """Rows with the number of their first line; a quoted cell may hold line breaks."""
    # The limit is one for the process; the default of 128 KiB is too short for documents.
    csv.field_size_limit(LINE_CAP)
    broken: list[DataError] = []
    lines = _without_preamble(_text_lines(file, encoding, broken), form.comment)
    rows = csv.reader(lines, strict=True, delimiter=form.separator, skipinitialspace=form.strip)
    start = 1
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            last = f", lines {start} to {rows.line_num}" if rows.line_num > start else ""
            broken.append(_bad_csv(f"{file.name}:{start}", f"{error}{last}"))
            cells = []
        if broken:
            bad.add(broken[0])
            broken.clear()
        elif cells:
            yield start, [cell.strip() for cell in cells] if form.strip else cells
        start = rows.line_num + 1


def _bad_csv(where: str, reason: str) -> DataError:
    if reason.startswith("new-line character seen in unquoted field"):  # the csv module's words
        found = "bad csv (a carriage return without a line feed stands outside of quotes)"
        return DataError(where, found, "end lines with line feeds, e.g. tr '\\r' '\\n' <OLD.csv >NEW.csv")
    return DataError(where, f"bad csv ({reason})", "correct the quotes there")


def _text_lines(file: DataFile, encoding: str, broken: list[DataError]) -> Iterator[str]:
    """Lines with their ends; an empty one for each that is no text, whose error is put into ``broken``."""
    for _, line in try_lines(file, encoding, ends=True):
        if isinstance(line, DataError):
            broken.append(line)
            yield "\n"
        else:
            yield line


SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*')


def _without_preamble(lines: Iterator[str], comment: str | None) -> Iterator[str]:
    """Lines with an empty one for Excel's ``sep=;`` and for each comment above the header."""
    first = next(lines, None)
    above, begin = first is not None, [] if first is None else ["\n" if SEPARATOR_LINE.fullmatch(first) else first]
    for line in chain(begin, lines):
        above = above and (not line.strip() or (comment is not None and line.startswith(comment)))
        yield "\n" if above else line
