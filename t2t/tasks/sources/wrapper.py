"""What stands around a source: the base of all wrappers, and how they read a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from t2t.errors import DataError
from t2t.tasks.bad_records import STOP, BadRecords
from t2t.tasks.expressions import Mismatch, Reader
from t2t.tasks.sources.base import RawRecord, Source


def evaluate(read: Reader, record: RawRecord) -> Any:
    """What ``read`` gives for a record's data; DataError with the record's line for what does not fit."""
    try:
        return read(record.data)
    except Mismatch as error:
        raise DataError(record.where, error.found, error.todo) from None


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A source around another one; as it stands it changes nothing."""

    inner: Source

    def splits(self) -> list[str]:
        return self.inner.splits()

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        return self.inner.records(split, bad)

    def fingerprint(self) -> str:
        return self.inner.fingerprint()
