"""Results become roll-ups: a bounded step at a time, each a transaction beside that of the writer."""
# ruff: noqa: S608  names and whole numbers of our own

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

import duckdb

from faultline_collector.stores.daily import cells, packs, tables
from faultline_collector.stores.daily.file import DuckdbFile
from faultline_collector.stores.order import DAY_US, FOREVER_US, LONG_AGO_US
from faultline_collector.stores.packed import AGAIN_US, SETTLE_US
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US, WIDTHS_US
from faultline_collector.stores.store import StoreError

STEP_RESULTS = 100_000
"""Most results that one step folds."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS folded (day INTEGER NOT NULL, results BIGINT NOT NULL, closed BOOLEAN NOT NULL);
CREATE TABLE IF NOT EXISTS kept_from (results_us BIGINT NOT NULL, rollups_us BIGINT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Folded:
    """How far a day is folded: the first `results` rows of its table; once closed it has cells of an hour."""

    results: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What stands in the roll-ups, as one transaction sees it."""

    days: Mapping[int, Folded]
    unfolded: Mapping[int, int]  # days with rows that are not folded, and the first of them
    raw_from_us: int
    rollups_from_us: int

    @property
    def hours_until_us(self) -> int:
        """Every day before has cells of an hour."""
        open_days = {day for day, folded in self.days.items() if not folded.closed}
        new = {day for day in self.unfolded if day not in self.days}
        return min(open_days | new, default=FOREVER_US // DAY_US) * DAY_US


def read_state(connection: duckdb.DuckDBPyConnection) -> State:
    """The state of the roll-ups."""
    found = connection.execute("SELECT day, results, closed FROM folded").fetchall()
    days = {day: Folded(results, closed) for day, results, closed in found}
    marks = connection.execute("SELECT results_us, rollups_us FROM kept_from").fetchall()
    raw_from_us, rollups_from_us = marks[0] if marks else (LONG_AGO_US, LONG_AGO_US)
    counted = tables.counted(connection)
    unfolded = {
        day: days.get(day, Folded()).results
        for day, results in counted.items()
        if results > days.get(day, Folded()).results
    }
    return State(days, unfolded, raw_from_us, rollups_from_us)


class Folding:
    """The upkeep of one file's roll-ups; whoever writes results meanwhile is not held up."""

    def __init__(self, file: DuckdbFile, clock: Callable[[], int], step_results: int) -> None:
        self._file = file
        self._clock = clock
        self._step_results = step_results
        self._packed_us: dict[int, int] = {}
        self._lock = Lock()

    def step(self) -> bool:
        """Folds some results, or closes a day, or packs one; whether there is more of it."""
        with self._lock, self._file.tending() as connection:
            state = read_state(connection)
            if state.unfolded:
                _fold(connection, state, self._step_results)
                return True
            settled_us = self._clock() - SETTLE_US
            ripe = [d for d, f in state.days.items() if not f.closed and (d + 1) * DAY_US <= settled_us]
            if ripe:
                _close(connection, min(ripe))
                return True
            return self._pack(connection, state)

    def _pack(self, connection: duckdb.DuckDBPyConnection, state: State) -> bool:
        """Packs the newest closed day that is not packed; whether there are more."""
        there = set(cells.stretches(connection, FIVE_MINUTES_US, LONG_AGO_US, FOREVER_US))
        closed = {day for day, folded in state.days.items() if folded.closed}
        now_us = self._clock()
        loose = {
            day
            for day in (closed & there) - set(packs.days(connection))
            if now_us >= self._packed_us.get(day, LONG_AGO_US) + AGAIN_US
        }
        if loose:
            packs.pack(connection, max(loose))
            self._packed_us[max(loose)] = now_us
        return len(loose) > 1

    def forget(self, raw_before_us: int, rollups_before_us: int) -> list[int]:
        """Drops what ended before, results only once they are folded; gives the days of results dropped.

        It is the writer's transaction, for what is appended meanwhile must not go with its table.
        """
        with self._lock, self._file.writing() as connection:
            state = read_state(connection)
            old = [day for day in tables.counted(connection) if (day + 1) * DAY_US <= raw_before_us]
            folded = [day for day in old if day not in state.unfolded]
            for day in folded:
                connection.execute(f"DROP TABLE {tables.table_of(day)}")
                connection.execute("UPDATE folded SET results = 0 WHERE day = ?", [day])
            raw_from_us = max(state.raw_from_us, raw_before_us // DAY_US * DAY_US)
            rollups_from_us = max(
                state.rollups_from_us, min(rollups_before_us // DAY_US * DAY_US, raw_from_us)
            )
            if (raw_from_us, rollups_from_us) != (state.raw_from_us, state.rollups_from_us):
                _drop_rollups(connection, rollups_from_us)
                connection.execute("DELETE FROM kept_from")
                connection.execute("INSERT INTO kept_from VALUES (?, ?)", [raw_from_us, rollups_from_us])
        return folded


def _fold(connection: duckdb.DuckDBPyConnection, state: State, left: int) -> None:
    """Folds the first `left` rows that are not folded, day by day."""
    for day, first in sorted(state.unfolded.items()):
        if left <= 0:
            return
        table, part = tables.table_of(day), f"rowid >= {first} AND rowid < {first + left}"
        found = connection.execute(f"SELECT count(*), max(rowid) FROM {table} WHERE {part}").fetchall()
        number, last = found[0]
        if first + number != last + 1:
            raise StoreError(f"{table}: rows are not numbered as they came", permanent=True)
        closed = state.days.get(day, Folded()).closed
        for width_us in WIDTHS_US if closed else (FIVE_MINUTES_US,):
            _fold_rows(connection, f"(FROM {table} WHERE {part})", day, width_us)
        packs.drop(connection, day)
        connection.execute("DELETE FROM folded WHERE day = ?", [day])
        connection.execute("INSERT INTO folded VALUES (?, ?, ?)", [day, first + number, closed])
        left -= number


def _fold_rows(connection: duckdb.DuckDBPyConnection, rows: str, day: int, width_us: int) -> None:
    cells.make_tables(connection, width_us, day)
    first = cells.first_day(width_us, day)
    counts, bins = cells.cells_table(width_us, first), cells.bins_table(width_us, first)
    connection.execute(f"INSERT INTO {counts} BY NAME {cells.folded_cells(rows, width_us)}")
    timings = tables.timings_of(connection, day)
    if timings:
        connection.execute(f"INSERT INTO {bins} BY NAME {cells.folded_bins(rows, width_us, timings)}")


def _close(connection: duckdb.DuckDBPyConnection, day: int) -> None:
    """Adds up the partial cells of a day, and makes its cells of an hour."""
    if day in cells.stretches(connection, FIVE_MINUTES_US, day * DAY_US, (day + 1) * DAY_US):
        counts, bins = cells.cells_table(FIVE_MINUTES_US, day), cells.bins_table(FIVE_MINUTES_US, day)
        _rewrite(connection, counts, cells.summed_cells(counts))
        _rewrite(connection, bins, cells.summed_bins(bins))
        cells.make_tables(connection, HOUR_US, day)
        first = cells.first_day(HOUR_US, day)
        hours, hour_bins = cells.cells_table(HOUR_US, first), cells.bins_table(HOUR_US, first)
        connection.execute(f"INSERT INTO {hours} BY NAME {cells.summed_cells(cells.by_hour(counts))}")
        connection.execute(f"INSERT INTO {hour_bins} BY NAME {cells.summed_bins(cells.bins_by_hour(bins))}")
    connection.execute("UPDATE folded SET closed = true WHERE day = ?", [day])


def _rewrite(connection: duckdb.DuckDBPyConnection, table: str, rows: str) -> None:
    connection.execute(f"CREATE TABLE rewritten AS {rows}")
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE rewritten RENAME TO {table}")


def _drop_rollups(connection: duckdb.DuckDBPyConnection, before_us: int) -> None:
    for width_us, days in cells.DAYS.items():
        for first in cells.stretches(connection, width_us, LONG_AGO_US, before_us):
            if (first + days) * DAY_US <= before_us:
                cells.drop_tables(connection, width_us, first)
    for day in packs.days(connection):
        if (day + 1) * DAY_US <= before_us:
            packs.drop(connection, day)
    connection.execute("DELETE FROM folded WHERE (day + 1) * ? <= ? AND results = 0", [DAY_US, before_us])
