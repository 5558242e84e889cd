"""Results on disk until the collector has them: SQLite, encoded batches, sequences that are never reused."""

import errno
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from faultline.ranges import Ranges
from faultline_agent.mark import Mark
from faultline_agent.results import Encode, Result
from faultline_agent.uplinks.uplink import DroppedRange, LostRange
from faultline_agent.wreck import last_words

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS batches (
    first INTEGER PRIMARY KEY, count INTEGER NOT NULL, recorded_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL, crc INTEGER NOT NULL, encoded BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS batches_by_time ON batches (recorded_us, first);
CREATE TABLE IF NOT EXISTS dropped (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS lost (spool_id TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;
"""

_UNREADABLE = (
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
    *(sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS),
)
"""What SQLite says of a file that does not get better; a write that fails may."""

_PASSING_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM)
_PASSING_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENFILE, errno.ENOMEM)
"""What keeps a spool from being opened and may be over the next time, as a full disk."""

_MAGIC = b"SQLite format 3\0"

LOCK_S = 2.0
"""How long to wait for an agent that is just ending."""

OVERHEAD_BYTES = 64
"""What a batch takes on disk beside its encoded results."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One encoded batch of the spool."""

    first: int
    count: int
    recorded_us: int
    encoded: bytes

    @property
    def last(self) -> int:
        """Sequence of its last result."""
        return self.first + self.count - 1


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What the spool holds; `oldest_us` is 0 when it holds nothing."""

    results: int
    bytes: int
    oldest_us: int
    next_sequence: int


class SpoolError(Exception):
    """Raised when the spool cannot be used; `permanent`: not before somebody has changed something."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class SpoolDamaged(SpoolError):
    """Raised when the spool turns out to be damaged while it is used: who opens it next finds that too."""


class Spool:
    """The spool file. Blocking; every call is one transaction that is on disk when it returns."""

    def __init__(self, path: Path, agent_id: str, *, max_bytes: int, max_age_us: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._max_age_us = max_age_us
        self.replaced = ""
        """Where a damaged file was moved to and why, in one sentence; empty when the file was good."""
        self._wrecked: tuple[LostRange, ...] = ()
        self._mark_path = path.with_name(f"{path.name}.mark")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # the assignment that it keeps may hold passwords of targets
            self._db = self._open_or_replace()
            self.spool_id = str(self.recall("spool_id"))
            self._next, self._results, self._bytes = self._count()
            self._mark = Mark(self._mark_path, agent_id)
            self._own_up()
        except (OSError, sqlite3.Error) as error:
            raise _cannot_open(path, error) from error

    def append(self, results: Sequence[Result], encode: Encode, now_us: int, lost: int = 0) -> Parcel:
        """Stores results under the next sequences; `lost` ones before them are noted as dropped.

        What is too old by then goes, and so do the oldest beyond the bytes: all of it happens, or nothing.
        """
        first = self._next + lost
        encoded = encode(results, first)
        size = len(encoded) + OVERHEAD_BYTES
        with self._transaction():
            if lost:
                self._note_dropped(self._next, first - 1, "bytes")
            self._db.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)",
                (first, len(results), now_us, size, zlib.crc32(encoded), encoded),
            )
            self._set("next_sequence", str(first + len(results)))
            self._next = first + len(results)
            self._results += len(results)
            self._bytes += size
            self._evict(now_us)
        self._mark.write(self.spool_id, self._next - 1)
        return Parcel(first, len(results), now_us, encoded)

    def newest(self, since_us: int, skip: Collection[int]) -> Parcel | None:
        """The newest batch recorded at or after a time, but for those whose first sequence is in `skip`."""
        return self._pick("recorded_us >= ? ORDER BY recorded_us DESC, first DESC", since_us, skip)

    def oldest(self, before_us: int, skip: Collection[int]) -> Parcel | None:
        """The oldest batch recorded before a time, but for those whose first sequence is in `skip`."""
        return self._pick("recorded_us < ? ORDER BY recorded_us, first", before_us, skip)

    def forget(self, durable: Ranges) -> None:
        """Removes what the collector has: batches and noted drops that lie wholly within the ranges."""
        with self._transaction():
            for first, last in durable:
                self._remove("first BETWEEN ? AND ? AND first + count - 1 <= ?", (first, last, last))
                self._db.execute("DELETE FROM dropped WHERE first >= ? AND last <= ?", (first, last))

    def dropped(self) -> tuple[DroppedRange, ...]:
        """Every dropped range that the collector has not acknowledged."""
        rows = self._db.execute("SELECT first, last, reason FROM dropped ORDER BY first")
        return tuple(DroppedRange(*row) for row in rows)

    def lost(self) -> tuple[LostRange, ...]:
        """What was given out by spools that were here before, as long as the collector has not noted it."""
        return tuple(LostRange(*row) for row in self._db.execute("SELECT spool_id, 1, last FROM lost"))

    def settle_lost(self, noted: Sequence[LostRange]) -> None:
        """Removes lost spools that the collector has noted."""
        with self._transaction():
            for run in noted:
                self._db.execute(
                    "DELETE FROM lost WHERE spool_id = ? AND last <= ?", (run.spool_id, run.last)
                )

    def unacknowledged(self) -> Ranges:
        """The sequences of every batch that is still here."""
        return Ranges(
            (first, first + count - 1)
            for first, count in self._db.execute("SELECT first, count FROM batches ORDER BY first")
        )

    def continue_above(self, sequence: int) -> None:
        """Makes sure that no sequence up to this one is given out again."""
        if sequence >= self._next:
            with self._transaction():
                self._set("next_sequence", str(sequence + 1))
            self._next = sequence + 1

    def state(self) -> SpoolState:
        """What the spool holds now."""
        (oldest,) = self._db.execute("SELECT min(recorded_us) FROM batches").fetchone()
        return SpoolState(self._results, self._bytes, oldest or 0, self._next)

    def remember(self, name: str, value: str) -> None:
        """Keeps a fact of the agent's beside its results."""
        with self._transaction():
            self._set(name, value)

    def recall(self, name: str) -> str | None:
        """A fact kept by `remember`."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Closes the file; safe twice."""
        self._mark.close()
        self._db.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around what uses the spool: what cannot be read of its file raises SpoolDamaged."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
            if code not in _UNREADABLE and code & 0xFF not in _UNREADABLE:
                raise
            raise SpoolDamaged(f"spool {self._path} is damaged ({error})") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What fails leaves the file and what is known of it as they were."""
        try:
            with self._db:
                yield
        except BaseException:
            self._next, self._results, self._bytes = self._count()
            raise

    def _open_or_replace(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            passes = isinstance(error, sqlite3.OperationalError) and "disk I/O" not in str(error)
            if passes or not self._is_spool():
                raise
            self.replaced = self._move_aside(str(error))
            return self._open()

    def _is_spool(self) -> bool:
        """Whether a file that cannot be read was a spool once, and not something that a wrong path names."""
        return self._mark_path.exists() or self._path.read_bytes()[: len(_MAGIC)] == _MAGIC

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=LOCK_S, check_same_thread=False)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            problem = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
            if problem != "ok":
                raise sqlite3.DatabaseError(problem)
            db.executescript(_SCHEMA)
            with db:
                db.execute("INSERT OR IGNORE INTO facts VALUES ('spool_id', ?)", (uuid4().hex,))
        except BaseException:
            db.close()
            raise
        return db

    def _move_aside(self, problem: str) -> str:
        """Only the newest damaged file is kept: a failing disk makes many."""
        aside = self._path.with_name(f"{self._path.name}.damaged")
        gone = "; the one that was there before is removed" if aside.exists() else ""
        for suffix in ("", "-wal", "-shm"):
            part, place = (path.with_name(path.name + suffix) for path in (self._path, aside))
            if part.exists():
                part.replace(place)
            else:
                place.unlink(missing_ok=True)
        self._path.touch(mode=0o600)
        self._wrecked = last_words(aside)
        return f"spool {self._path} was damaged ({problem}) and moved to {aside}{gone}; a new one begins"

    def _own_up(self) -> None:
        """Notes what the file once gave out and has no more, and only then marks itself as the spool.

        SQLite passes silently over the damaged end of its log, and a file may be restored from an old copy:
        what is above its own count is then dropped, and not given out again.
        """
        marked = self._mark.read()
        with self._transaction():
            for run in (*self._wrecked, *([marked] if marked else [])):
                if run.spool_id != self.spool_id:
                    self._note_lost(run)
                elif run.last >= self._next:
                    self._note_dropped(self._next, run.last, "damaged")
                    self._set("next_sequence", str(run.last + 1))
        self._next, self._results, self._bytes = self._count()
        self._mark.write(self.spool_id, self._next - 1)

    def _note_lost(self, run: LostRange) -> None:
        if run.last:
            self._db.execute(
                "INSERT INTO lost VALUES (?1, ?2) ON CONFLICT (spool_id) DO UPDATE SET last = max(last, ?2)",
                (run.spool_id, run.last),
            )

    def _count(self) -> tuple[int, int, int]:
        """The next sequence, above every one that was ever given out; results and bytes that are held."""
        results, size, above_held = self._db.execute(
            "SELECT coalesce(sum(count), 0), coalesce(sum(bytes), 0), coalesce(max(first + count), 1)"
            " FROM batches"
        ).fetchone()
        (above_dropped,) = self._db.execute("SELECT coalesce(max(last) + 1, 1) FROM dropped").fetchone()
        noted = int(self.recall("next_sequence") or 1)
        return max(noted, int(above_held), int(above_dropped)), int(results), int(size)

    def _pick(self, condition: str, bound_us: int, skip: Collection[int]) -> Parcel | None:
        keys = self._db.execute(
            f"SELECT first FROM batches WHERE {condition} LIMIT ?",  # noqa: S608 - both conditions stand above
            (bound_us, len(skip) + 1),
        ).fetchall()
        for (first,) in keys:
            if first not in skip:
                return self._read(first) or self._pick(condition, bound_us, skip)
        return None

    def _read(self, first: int) -> Parcel | None:
        row = self._db.execute(
            "SELECT count, recorded_us, crc, encoded FROM batches WHERE first = ?", (first,)
        ).fetchone()
        if row is None:
            raise SpoolDamaged(f"spool {self._path} is damaged (batch {first} is in its index only)")
        count, recorded_us, crc, encoded = row
        if zlib.crc32(encoded) == crc:
            return Parcel(first, count, recorded_us, encoded)
        with self._transaction():
            self._evict_where("first = ?", first, "damaged")
        return None

    def _evict(self, now_us: int) -> None:
        self._evict_where("recorded_us < ?", now_us - self._max_age_us, "age")
        excess = self._bytes - self._max_bytes
        if excess > 0:
            self._evict_where("first <= ?", self._last_to_go(excess), "bytes")

    def _evict_where(self, condition: str, bound: int, reason: str) -> None:
        rows = self._remove(condition, (bound,))
        for first, last in Ranges((first, first + count - 1) for first, count, _ in rows):
            self._note_dropped(first, last, reason)

    def _remove(self, condition: str, bounds: tuple[int, ...]) -> list[tuple[int, int, int]]:
        rows: list[tuple[int, int, int]] = self._db.execute(
            f"DELETE FROM batches WHERE {condition} RETURNING first, count, bytes",  # noqa: S608 - constants
            bounds,
        ).fetchall()
        self._results -= sum(count for _, count, _ in rows)
        self._bytes -= sum(size for _, _, size in rows)
        return rows

    def _last_to_go(self, excess: int) -> int:
        """The last of the oldest batches that must go so that `excess` bytes are free."""
        last_gone = 0
        oldest = self._db.execute("SELECT first, bytes FROM batches ORDER BY first")
        while excess > 0:
            last_gone, size = oldest.fetchone()
            excess -= size
        return last_gone

    def _note_dropped(self, first: int, last: int, reason: str) -> None:
        """Joins the run to its neighbour before it when that was dropped for the same reason."""
        joined = self._db.execute(
            "UPDATE dropped SET last = ? WHERE last = ? AND reason = ?", (last, first - 1, reason)
        )
        if not joined.rowcount:
            self._db.execute("INSERT INTO dropped VALUES (?, ?, ?)", (first, last, reason))

    def _set(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def _cannot_open(path: Path, error: OSError | sqlite3.Error) -> SpoolError:
    if isinstance(error, OSError):
        said, passing = f"{error.strerror} ({error.filename})", error.errno in _PASSING_ERRNOS
    else:
        said, passing = str(error), getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING_CODES
    reason = "another process uses it" if "locked" in said else said
    return SpoolError(f"spool {path} cannot be opened: {reason}", permanent=not passing)
