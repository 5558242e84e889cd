"""One DuckDB file: opened or refused with a sentence, written in transactions, read beside."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import sleep

import duckdb

from faultline_collector.stores.store import StoreError

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}

_PERMANENT = (
    duckdb.FatalException,
    duckdb.ConnectionException,
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.ProgrammingError,
    duckdb.NotSupportedError,
)
"""What will fail again: the file is lost to this process, or what was to be written does not fit."""

CLOSING_TRIES, CLOSING_S = 100, 0.05
"""How often it is tried to close a file that somebody reads, and how long is waited in between, seconds."""

_HOLDER = re.compile(r"\(PID (\d+)\)")


class DuckdbFile:
    """One connection writes, one transaction at a time; all others have their own and block nobody."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._asking: set[duckdb.DuckDBPyConnection] = set()
        self._root = _connect(path)  # never executes anything itself: others are made from it at any moment
        self._writer = self._root.cursor()

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction: everything within becomes durable together, or nothing of it."""
        with self._lock, _as_store_error(f"writing to {self.path}"):
            self._writer.begin()
            try:
                yield self._writer
                self._writer.commit()
            except BaseException:
                _roll_back(self._writer)
                raise

    @contextmanager
    def tending(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction beside that of the writer, on tables that no other writes to."""
        with _as_store_error(f"tending {self.path}"), self._cursor() as connection:
            connection.begin()
            try:
                yield connection
                connection.commit()
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One state of the file, to be left soon: while it is open nothing can be checkpointed."""
        with _as_store_error(f"reading {self.path}"):
            with self._cursor() as connection:
                connection.begin()
                yield connection

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._root.cursor() as connection:
            self._asking.add(connection)
            try:
                yield connection
            finally:
                self._asking.discard(connection)

    def close(self) -> None:
        """Lets go of the file; safe twice. What is still asked is broken off: DuckDB closes nothing in use.

        Raises `StoreError` when they do not cease.
        """
        with self._lock, _as_store_error(f"closing {self.path}"):
            self._writer.close()
            for _ in range(CLOSING_TRIES):
                if self._is_closed():
                    return
                for connection in tuple(self._asking):
                    connection.interrupt()
                sleep(CLOSING_S)
            self._root.close()

    def _is_closed(self) -> bool:
        try:
            self._root.close()
        except duckdb.ResourceInUseException:
            return False
        return True


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:
        pass  # a commit that failed has rolled back already; what counts is the error on its way


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    if not path.parent.is_dir():
        raise StoreError(f"the folder {path.parent} does not exist", permanent=True)
    try:
        return duckdb.connect(path, config=SETTINGS)
    except duckdb.Error as error:
        holder = _HOLDER.search(str(error))
        if holder is not None:
            said = f"the file {path} is used by the running collector (pid {holder[1]}); ask it over its API"
        else:
            said = f"the file {path} cannot be used: {_first_line(error)}"
        raise StoreError(said, permanent=True) from error


@contextmanager
def _as_store_error(doing: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        permanent = isinstance(error, _PERMANENT)
        raise StoreError(f"{doing}: {_first_line(error)}", permanent=permanent) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
