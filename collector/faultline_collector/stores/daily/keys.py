"""Whole numbers that stand for texts in one table of a DuckDB store."""

from collections.abc import Callable, Iterable, Sequence

import duckdb
import numpy as np

from faultline_collector.results import Int32
from faultline_collector.stores.daily.tables import Columns, insert

Words = tuple[str | int, ...]


class Keys:
    """The keys of one table, all in memory: of sources (agent, spool, place) and of targets there are few."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...]) -> None:
        self._table = table
        self._columns = columns
        names = ", ".join(columns)
        rows = connection.execute(f"SELECT {names} FROM {table} ORDER BY key").fetchall()  # noqa: S608  our own names
        self._keys: dict[Words, int] = {words: key for key, words in enumerate(rows)}

    def words(self) -> list[Words]:
        """All words, each at the place of its key."""
        return list(self._keys.copy())

    def where(self, wanted: Callable[[Words], bool]) -> list[int]:
        """The keys of the words that are wanted."""
        return [key for key, words in enumerate(self.words()) if wanted(words)]

    def column(self, connection: duckdb.DuckDBPyConnection, words: Sequence[Words], codes: Int32) -> Int32:
        """Keys for a column of places in `words`; words that are new and used get theirs."""
        used = np.flatnonzero(np.bincount(codes, minlength=len(words))).tolist()
        self._add(connection, [words[code] for code in used])
        keys = np.full(len(words), -1, np.int32)
        keys[used] = [self._keys[words[code]] for code in used]
        return keys[codes]

    def _add(self, connection: duckdb.DuckDBPyConnection, words: Iterable[Words]) -> None:
        new = list(dict.fromkeys(item for item in words if item not in self._keys))
        if not new:
            return
        first = len(self._keys)
        columns: Columns = {
            "key": np.arange(first, first + len(new), dtype=np.int32),
            **{
                name: np.array(column, object if isinstance(column[0], str) else np.int64)
                for name, column in zip(self._columns, zip(*new, strict=True), strict=True)
            },
        }
        insert(connection, self._table, columns)
        self._keys.update((item, first + i) for i, item in enumerate(new))
