"""What outlives the entries of the outbox: which sequences were received, and how far everything has got."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock

from faultline.ranges import Ranges
from faultline_collector.results import Source
from faultline_collector.stores.store import ReceivedRange

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ranges (
    agent TEXT NOT NULL, spool TEXT NOT NULL, fate TEXT NOT NULL, reason TEXT NOT NULL, runs TEXT NOT NULL,
    PRIMARY KEY (agent, spool, fate, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_Key = tuple[Source, str, str]


class Accounts:
    """Ranges by source, fate and reason, and marks by name, in one SQLite file.

    Ranges are noted in memory first, for they stand in the entries; `keep` writes them down before those go.
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)
        self._changed: set[_Key] = set()
        self._runs: dict[_Key, Ranges] = {
            (Source(agent, spool), fate, reason): Ranges(json.loads(runs))
            for agent, spool, fate, reason, runs in self._database.execute("SELECT * FROM ranges")
        }

    def note(self, ranges: Iterable[ReceivedRange]) -> None:
        """Adds ranges, in memory."""
        with self._lock:
            for item in ranges:
                key = (item.source, item.fate, item.reason)
                self._runs.setdefault(key, Ranges()).add(item.first, item.last)
                self._changed.add(key)

    def ranges(self) -> list[ReceivedRange]:
        """Every range with its fate, in as few as can be."""
        with self._lock:
            return [
                ReceivedRange(source, first, last, fate, reason)
                for (source, fate, reason), runs in sorted(self._runs.items(), key=lambda item: item[0])
                for first, last in runs
            ]

    def marks(self) -> dict[str, str]:
        """All marks."""
        with self._lock:
            return dict(self._database.execute("SELECT name, value FROM marks"))

    def keep(self, marks: Mapping[str, str]) -> None:
        """Writes marks and the ranges that have changed, together; raises sqlite3.Error."""
        with self._lock:
            rows = [
                (source.agent_id, source.spool_id, fate, reason, json.dumps(list(self._runs[key])))
                for key in self._changed
                for source, fate, reason in (key,)
            ]
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany("INSERT OR REPLACE INTO ranges VALUES (?, ?, ?, ?, ?)", rows)
                self._database.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?)", marks.items())
                self._database.execute("COMMIT")
            except sqlite3.Error:
                self._database.execute("ROLLBACK")
                raise
            self._changed.clear()

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._database.close()
