"""Answers on disk: a line or a row for each record, in the order of the records, whole or not there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from t2t.structures import Json

_ROWS = 4096  # of a row group
_AS_JSON = ("value", "issues")  # columns whose form a table does not know


class Writer(Protocol):
    """Takes one answer after the other."""

    def __call__(self, row: dict[str, Json]) -> None: ...


@contextmanager
def writing(path: Path | None) -> Iterator[Writer]:
    """A writer to ``path``: Parquet by its ending, else JSON lines; None: lines on standard output.

    The file takes its name only when it is complete and on disk. In Parquet values and issues stand as JSON.
    """
    if path is None:
        yield _line_writer(sys.stdout, flush=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if path.suffix.lower() == ".parquet":
            with _parquet(part) as write:
                yield write
        else:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                yield _line_writer(file)
        with part.open("rb") as file_:
            os.fsync(file_.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _line_writer(file: TextIO, flush: bool = False) -> Writer:
    def write(row: dict[str, Json]) -> None:
        file.write(json.dumps(row, ensure_ascii=False, default=repr) + "\n")
        if flush:
            file.flush()

    return write


@contextmanager
def _parquet(path: Path) -> Iterator[Writer]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    rows: list[dict[str, Any]] = []
    writer: Any = None

    def flush() -> None:
        nonlocal writer
        table = pa.Table.from_pylist(rows, schema=None if writer is None else writer.schema)
        writer = writer or ParquetWriter(path, table.schema)
        writer.write_table(table)
        rows.clear()

    def write(row: dict[str, Json]) -> None:
        rows.append({key: _cell(key, value) for key, value in row.items()})
        if len(rows) >= _ROWS:
            flush()

    yield write
    flush()
    writer.close()


def _cell(key: str, value: Json) -> Json:
    structured = key in _AS_JSON or isinstance(value, list | dict)
    return json.dumps(value, ensure_ascii=False, default=repr) if structured else value


def write_rejects(path: Path, lines: Iterable[dict[str, Json]]) -> None:
    """Bad records beside the answers: where each stands, what was found and what to do."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
