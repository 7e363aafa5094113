"""Answers on disk: a line or a row for each record, in the order of the records, whole or not there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from t2t.errors import DataError, RunFileError
from t2t.json_lines import json_line
from t2t.structures import Json
from t2t.terminal import shown
from t2t.whole_files import whole_file, whole_path

_ROWS = 4096  # of a row group
_SHOWN = 5  # bad records that are told one by one
COLUMNS = ("id", "value", "issues", "score", "confidence", "top", "samples", "confidences")
_ALWAYS = COLUMNS[:-3]  # without those that are there at need
_NUMBERS = frozenset({"score", "confidence"})


class Writer(Protocol):
    """Takes one answer after the other."""

    def __call__(self, row: dict[str, Json]) -> None: ...


@contextmanager
def writing(path: Path | None, columns: Sequence[str] = ()) -> Iterator[Writer]:
    """A writer to ``path``: Parquet by its ending, else JSON lines; None: lines on standard output.

    The file takes its name only when it is complete and on disk. In Parquet all columns but score and confidence hold
    text: what is no text is there as JSON. Its columns are those of the first row, or ``columns`` where they are known.
    """
    if path is None:
        yield _line_writer(sys.stdout, flush=True)
        return
    if path.is_dir():
        raise RunFileError("--output", f"{path} is a folder", "name a file")
    if path.suffix.lower() == ".parquet":
        with whole_path(path) as part, _parquet(part, columns) as write:
            yield write
    else:
        with whole_file(path) as file:
            yield _line_writer(file)


def _line_writer(file: TextIO, flush: bool = False) -> Writer:
    def write(row: dict[str, Json]) -> None:
        file.write(json_line(row, default=repr))
        if flush:
            file.flush()

    return write


@contextmanager
def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Writer]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    rows: list[dict[str, Any]] = []
    writer: Any = None

    def flush() -> None:
        nonlocal writer
        if writer is None:
            names = columns or (rows[0] if rows else _ALWAYS)
            types = {name: pa.float64() if name in _NUMBERS else pa.string() for name in names}
            writer = ParquetWriter(path, pa.schema(types.items()))
        writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))
        rows.clear()

    def write(row: dict[str, Json]) -> None:
        rows.append({key: _cell(key, value) for key, value in row.items()})
        if len(rows) >= _ROWS:
            flush()

    yield write
    flush()
    writer.close()


def _cell(key: str, value: Json) -> Json:
    if key in _NUMBERS or value is None or (isinstance(value, str) and key != "value"):
        return value
    return json.dumps(value, ensure_ascii=False, default=repr)


class Rejects:
    """Bad records beside the answers: where each stands, what was found and what to do. None: they are only told, what
    several have once.

    The file of an earlier run is removed; there is one again from the first bad record on.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.first: DataError | None = None
        self.count = 0
        self._shown: set[tuple[str, str]] = set()
        self._file: TextIO | None = None
        if path is not None:
            path.unlink(missing_ok=True)

    def __call__(self, error: DataError) -> None:
        self.first = self.first or error
        self.count += 1
        if self.count <= _SHOWN and (error.found, error.todo) not in self._shown:
            self._shown.add((error.found, error.todo))
            print(f"t2t: {shown(str(error))}", file=sys.stderr)
        if self.path is not None:
            self._file = self._file or self.path.open("w", encoding="utf-8", newline="\n")
            line = {"where": error.where, "found": error.found, "todo": error.todo}
            self._file.write(json_line(line))

    def close(self) -> None:
        """All are on disk, and their number is reported."""
        if self._file is not None:
            self._file.close()
        if self.count:
            place = "" if self.path is None else f", see {self.path}"
            print(f"t2t: {self.count} records were set aside{place}", file=sys.stderr)
