"""How a stranger's table is written: its separator, its header, and what is above it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from typing import Any

from t2t.authoring.new.headers import is_header, stands_twice
from t2t.errors import DataError
from t2t.tasks.sources.tables import SEPARATOR_LINE

_LOOKED_AT = 200  # rows
_SEPARATORS = (",", ";", "\t", "|")
_FEW = 3  # of the rows have a value of their own, at most one in so many, where a column is a closed set
Spec = dict[str, Any]
Table = tuple[Spec, tuple[str, ...]]


def look_at_table(name: str, lines: Sequence[str]) -> Table | None:
    """The format of a table with its options, and what was decided and may be wrong; None for what is no table.

    DataError for a header that has a name twice.
    """
    if SEPARATOR_LINE.fullmatch(lines[0]):
        lines = lines[1:]  # the source passes it over too
    above = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if above and (best := _best_separator(lines[above:])) is not None:
        separator, rows = best
        if any(len(line.split(separator)) != len(rows[0]) for line in lines[:above]):
            found = _table(name, lines[above:])
            return found and ({**found[0], "comment": "#"}, found[1])
    return _table(name, lines)


def _table(name: str, lines: Sequence[str]) -> Table | None:
    best = _best_separator(lines)
    if best is None:
        return None
    separator, rows = best
    if len(first := next(csv.reader(lines[:1], delimiter=separator), [])) == len(rows[0]) - 1 > 1:
        found = f"line 1 has {len(first)} cells ({', '.join(first)[:60]}), the others have {len(rows[0])}"
        raise DataError(f"{name}:1", found, "name the first column there, which R leaves out, or take it away")
    spaced = separator != "\t" and _cells_are_spaced(rows)
    if spaced:
        rows = _rows(lines, separator, spaced=True)
        rows = [row for row in rows if len(row) == len(rows[0])]
        if not _has_closed_set(rows):
            return None  # sentences that all have the same number of commas
    quoted = separator != "\t" or _quotes_cells(lines)
    spec: Spec = {"format": "csv"} if quoted else {"format": "tsv"}
    spec |= {"separator": separator} if quoted and separator != "," else {}
    spec |= {"strip": True} if spaced else {}
    if is_header(rows[0], rows[1:]):
        return spec, ()
    if twice := stands_twice(rows[0], rows[1:]):
        raise DataError(
            f"{name}:1", f"the column name {twice!r} stands twice", "rename one of the columns, or take it out"
        )
    names = [f"column{number}" for number in range(1, len(rows[0]) + 1)]
    remark = f"line 1 ({' | '.join(rows[0])[:60]}) was taken as data, the columns are called {', '.join(names)}"
    return {**spec, "header": names}, (remark,)


def _best_separator(lines: Sequence[str]) -> tuple[str, list[list[str]]] | None:
    """The separator by which most rows have equally many cells, more than one, and those rows."""
    best: tuple[float, int, str, list[list[str]]] | None = None
    for separator in _SEPARATORS:
        rows = _rows(lines, separator)
        if not rows:
            continue
        width, count = Counter(map(len, rows)).most_common(1)[0]
        share = count / len(rows)
        better = best is None or (share, separator == "\t", width) > (best[0], False, best[1])
        if width > 1 and share >= 0.9 and better:
            best = share, width, separator, rows
    return None if best is None else (best[2], [row for row in best[3] if len(row) == best[1]])


def _quotes_cells(lines: Sequence[str]) -> bool:
    """True where cells between tabs are quoted: quotes that open them close them too."""
    cells = [cell for line in lines[:_LOOKED_AT] for cell in line.split("\t") if cell.startswith('"')]
    return bool(cells) and all(len(cell) > 1 and cell.endswith('"') and cell.count('"') % 2 == 0 for cell in cells)


def _cells_are_spaced(rows: list[list[str]]) -> bool:
    """True where most cells have a space behind the separator: sentences, or a table that somebody typed."""
    return sum(cell.startswith(" ") for row in rows for cell in row[1:]) * 2 >= sum(len(row) - 1 for row in rows)


def _has_closed_set(rows: list[list[str]]) -> bool:
    """True if a column has few different values below its first line, none of them in that line."""
    columns = list(zip(*rows, strict=True))
    return any(
        len(below) > 1 and len({*below}) * _FEW <= len(below) and first not in below for first, *below in columns
    )


def _rows(lines: Sequence[str], separator: str, spaced: bool = False) -> list[list[str]]:
    reader = csv.reader(lines[:_LOOKED_AT], delimiter=separator, skipinitialspace=spaced)
    try:
        return [[cell.strip() for cell in row] if spaced else row for row in reader if row]
    except csv.Error:
        return []


def open_quote(lines: Sequence[str]) -> int | None:
    """The number of the line in which a quote opens a cell that no other closes, where a table would begin so."""
    for separator in _SEPARATORS:
        if separator not in lines[0]:
            continue
        reader, start = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True), 1
        try:
            for _ in reader:
                start = reader.line_num + 1
        except csv.Error:
            return start
    return None
