"""Records that cannot be used: the first one stops, or they are counted and set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias, TypeVar

from t2t.errors import DataError

OnBad: TypeAlias = Literal["stop", "skip"]
T = TypeVar("T")
R = TypeVar("R")


class BadRecords:
    """What becomes of bad records while a split is read.

    Args:
        on_bad: ``stop`` raises the DataError of the first; ``skip`` counts it in ``count`` and goes on.
        keep: is handed each error that is skipped; its ``where`` is FILE:LINE.

    Only what is wrong with one record comes here. A file that is missing or broken as a whole always raises.
    """

    def __init__(self, on_bad: OnBad = "stop", keep: Callable[[DataError], None] | None = None) -> None:
        self.on_bad = on_bad
        self.count = 0
        self._keep = keep

    def add(self, error: DataError) -> None:
        """One record is bad."""
        if self.on_bad == "stop":
            raise error
        self.count += 1
        if self._keep is not None:
            self._keep(error)

    def each(self, records: Iterable[T], use: Callable[[T], R | None]) -> Iterator[R]:
        """What ``use`` gives for each record, None left out; a record for which it raises DataError is bad."""
        for record in records:
            try:
                result = use(record)
            except DataError as error:
                self.add(error)
                continue
            if result is not None:
                yield result


STOP = BadRecords()
