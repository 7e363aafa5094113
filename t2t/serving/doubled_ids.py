"""Ids that several records of an input have, found in memory that does not grow: SQLite sorts them on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from t2t.errors import InputError
from t2t.tasks.record import RawRecord
from t2t.terminal import shown

_SHOWN = 3  # ids that are told one by one


@dataclass(frozen=True, slots=True)
class Doubled:
    """An id that ``times`` records have, and the places of the first and the last of them."""

    id: str
    times: int
    first: str
    last: str

    @property
    def summary(self) -> str:
        times = "" if self.times == 2 else f", {self.times:,} times in all"
        return f"{shown(self.id)!r} (at {shown(self.first)} and {shown(self.last)}{times})"


@dataclass(frozen=True, slots=True)
class DoubledIds:
    """How many ``ids`` stand more than once, in how many ``records`` together, and the ``first`` of them."""

    ids: int
    records: int
    first: tuple[Doubled, ...]

    @property
    def summary(self) -> str:
        """In one sentence, without an end."""
        number = "1 id stands" if self.ids == 1 else f"{self.ids:,} ids stand"
        more = ", ..." if self.ids > len(self.first) else ""
        first = ", ".join(one.summary for one in self.first)
        return f"{number} more than once, in {self.records:,} records: {first}{more}"


class SeenIds:
    """The ids of records with their places, in a file of the system's temporary folder that goes with this process:
    about 50 bytes a record, and half of that again while ``doubled`` sorts them. Where there is no room for it nothing
    more is kept, and ``doubled`` says so."""

    def __init__(self) -> None:
        self._failed: sqlite3.Error | None = None
        self._seen = sqlite3.connect("", isolation_level=None)  # without a name: SQLite's own temporary file
        for setting in ("journal_mode = OFF", "temp_store = FILE"):
            self._seen.execute(f"PRAGMA {setting}")
        self._seen.execute("CREATE TABLE seen (id BLOB, place TEXT)")
        self._seen.execute("BEGIN")

    def add(self, records: Iterable[RawRecord]) -> None:
        """More records, behind those that were seen."""
        if self._failed is not None:
            return
        rows = ((raw.id.encode("utf-8", "surrogatepass"), _utf8(raw.where)) for raw in records)
        try:
            self._seen.executemany("INSERT INTO seen VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            self._failed = error

    def doubled(self) -> DoubledIds:
        """Those that stand more than once, in the order in which they were seen first. InputError where that cannot be
        known."""
        try:
            if self._failed is not None:
                raise self._failed
            return self._sorted()
        except sqlite3.Error as error:
            found = f"whether they stand twice is not known ({error})"
            raise InputError("ids", found, "let SQLITE_TMPDIR name a folder with more room") from None

    def _sorted(self) -> DoubledIds:
        self._seen.execute(
            "CREATE TEMP TABLE doubled AS SELECT id, count(*) AS times, min(rowid) AS first, max(rowid) AS last "
            "FROM seen GROUP BY id HAVING times > 1"
        )
        ids, records = self._seen.execute("SELECT count(*), coalesce(sum(times), 0) FROM doubled").fetchone()
        found = self._seen.execute(
            "SELECT doubled.id, times, one.place, other.place FROM doubled "
            "JOIN seen AS one ON one.rowid = first JOIN seen AS other ON other.rowid = last "
            "ORDER BY first LIMIT ?",
            (_SHOWN,),
        )
        first = tuple(Doubled(id_.decode("utf-8", "surrogatepass"), *rest) for id_, *rest in found)
        return DoubledIds(ids, records, first)


def _utf8(place: str) -> str:
    """A place as text that can be written, whatever bytes the name of its file has."""
    return place.encode("utf-8", "backslashreplace").decode()
