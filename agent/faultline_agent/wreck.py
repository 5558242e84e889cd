"""What a damaged spool file still tells of what it had given out."""

import sqlite3
from pathlib import Path
from typing import Any

from faultline_agent.uplinks.uplink import LostRange

_ID = "SELECT value FROM facts WHERE name = 'spool_id'"

_LAST = (
    "SELECT value - 1 FROM facts WHERE name = 'next_sequence'",
    "SELECT max(first + count - 1) FROM batches",
    "SELECT max(last) FROM dropped",
)

_LOST = "SELECT spool_id, 1, last FROM lost"


def last_words(path: Path) -> tuple[LostRange, ...]:
    """The spool itself and the lost spools that it knew, as far as they can be read."""
    try:
        db = sqlite3.connect(path)
    except sqlite3.Error:
        return ()
    try:
        known = [LostRange(*row) for row in _read(db, _LOST)]
        spool_id = next((str(value) for (value,) in _read(db, _ID)), "")
        last = max((int(value or 0) for query in _LAST for (value,) in _read(db, query)), default=0)
    finally:
        db.close()
    return (*known, LostRange(spool_id, 1, last)) if spool_id and last else tuple(known)


def _read(db: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """The rows; none where the damage is in their way."""
    try:
        return db.execute(query).fetchall()
    except sqlite3.Error:
        return []
