"""Packed days on the collector's disk, beside the outbox: what InfluxDB would take seconds to tell.

It holds nothing that cannot be made again from the cells in InfluxDB. A day is dropped, durably, before any
cell of it is written.
"""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TypeVar

from faultline_collector.stores.order import LONG_AGO_US
from faultline_collector.stores.packed import decoded, decoded_bins
from faultline_collector.stores.packed_counting import Packed
from faultline_collector.stores.store import StoreError

MOST_BYTES = 2 * 1024**3
"""What packed days may take; the oldest go first."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS origin (name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS packed (
    day INTEGER, until_us INTEGER NOT NULL, width_us INTEGER, timing TEXT, bytes BLOB NOT NULL,
    PRIMARY KEY (day, width_us, timing)
);
"""

_T = TypeVar("_T")


class Shelf:
    """Packs by day, in one SQLite file; those of another origin are thrown away. Safe for threads."""

    def __init__(self, path: Path, origin: str, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._database = self._done(lambda: _opened(path, origin))
        found = self._done(
            lambda: self._database.execute(
                "SELECT day, min(until_us), sum(length(bytes)) FROM packed GROUP BY day"
            ).fetchall()
        )
        self._until: dict[int, int] = {day: until_us for day, until_us, _ in found}
        self._sizes: dict[int, int] = {day: size for day, _, size in found}
        self._evicted = LONG_AGO_US

    def days(self) -> dict[int, int]:
        """The days that are packed, and until when each is (microseconds), in order."""
        with self._lock:
            return dict(sorted(self._until.items()))

    def has_room_for(self, day: int) -> bool:
        """Whether the pack of a day would stay; not that of one before the last that was dropped for room."""
        with self._lock:
            return day > self._evicted

    def put(self, day: int, until_us: int, packs: Mapping[tuple[int, str], bytes]) -> None:
        """Keeps the packs of a day by width and timing, in the place of others; raises StoreError."""
        rows = [(day, until_us, width_us, timing, data) for (width_us, timing), data in packs.items()]
        with self._lock:
            self._change([day], rows)
            self._until[day] = until_us
            self._sizes[day] = sum(map(len, packs.values()))
            while sum(self._sizes.values()) > self._most_bytes and len(self._sizes) > 1:
                self._evicted = min(self._sizes)
                self._change([self._evicted])

    def drop(self, days: Collection[int]) -> None:
        """Forgets days; gone for good when it returns. Raises StoreError."""
        with self._lock:
            self._change([day for day in days if day in self._sizes])

    def read(self, width_us: int, days: Sequence[int], timing: str) -> Mapping[int, Packed]:
        """See `Packs`."""
        asked = "SELECT day, timing, bytes FROM packed WHERE width_us = ? AND day BETWEEN ? AND ?"
        with self._lock:
            rows = self._done(
                lambda: self._database.execute(
                    f"{asked} AND timing IN ('', ?)", (width_us, min(days), max(days), timing)
                ).fetchall()
            )
        found = {(day, name): data for day, name, data in rows if day in days}
        return {
            day: Packed(decoded(data), decoded_bins(bins) if timing and bins else None)
            for (day, name), data in found.items()
            if not name
            for bins in (found.get((day, timing)),)
        }

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._database.close()

    def _change(self, days: Sequence[int], rows: Sequence[tuple[int, int, int, str, bytes]] = ()) -> None:
        if not days:
            return

        def change() -> None:
            with self._database:
                self._database.executemany("DELETE FROM packed WHERE day = ?", [(day,) for day in days])
                self._database.executemany("INSERT INTO packed VALUES (?, ?, ?, ?, ?)", rows)

        self._done(change)
        for day in days:
            self._sizes.pop(day, None)
            self._until.pop(day, None)

    def _done(self, what: Callable[[], _T]) -> _T:
        try:
            return what()
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._path} cannot be used: {error}; without it, it is made again from InfluxDB"
            ) from error


def _opened(path: Path, origin: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, timeout=5)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.executescript(_SCHEMA)
    with database:
        if database.execute("SELECT name FROM origin").fetchall() != [(origin,)]:
            database.execute("DELETE FROM packed")
            database.execute("DELETE FROM origin")
            database.execute("INSERT INTO origin VALUES (?)", (origin,))
    return database
