"""The format parquet: tables of Apache Parquet, read by pyarrow in batches of rows."""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from t2t.errors import DataError
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import UNPACKED_CAP, DataFile, check_text, open_bytes
from t2t.tasks.json_text import NotANumber
from t2t.tasks.sources.base import SOURCES, FileSource, Options, Source, Spec

_ROWS = 1024  # of a batch
Records = Iterator[tuple[str, dict[str, Any]]]


@SOURCES.register("parquet")
def parquet(spec: Spec, base: Path, where: str) -> Source:
    """One record a row. Dates and decimals become texts; NaN is as in JSON."""
    options = Options(spec, where)
    options.files()
    options.finish()

    def read(files: dict[str, DataFile], bad: BadRecords) -> Records:
        file = files[""]
        return bad.each(_rows(file), lambda row: _record(f"{file.name}:row {row[0]}", row[1]))

    return FileSource(spec, base, where, read)


def _rows(file: DataFile) -> Iterator[tuple[int, dict[str, Any]]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with ParquetFile(_whole(file) if file.member else file.path) as table:
            for batch in table.iter_batches(batch_size=_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(file.name, f"no readable Parquet ({reason})", "replace the file by a sound copy") from None


def _whole(file: DataFile) -> io.BytesIO:
    """A member of an archive: Parquet is read from its end."""
    with open_bytes(file) as stream:
        return io.BytesIO(stream.read(UNPACKED_CAP))


def _record(where: str, row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return where, {name: _json(value, where) for name, value in row.items()}


def _json(value: Any, where: str) -> Any:
    """A value of Arrow as JSON has it."""
    if isinstance(value, str):
        check_text(value, where)
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else NotANumber(str(value))
    if isinstance(value, list):
        return [_json(item, where) for item in value]
    if isinstance(value, dict):
        return {key: _json(item, where) for key, item in value.items()}
    if isinstance(value, datetime.date | datetime.time | Decimal):
        return str(value)
    return value
