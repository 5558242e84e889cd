"""The tables of roll-ups, of 5 minutes one a day, of an hour one for 30 days, and the SQL that fills them.

Their rows are partial cells, to be added up: late results are another partial. `bits` is the mask of minutes.
"""
# ruff: noqa: S608  names and whole numbers of our own

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import duckdb

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.stores.daily.tables import TIMING_PREFIX
from faultline_collector.stores.order import DAY_US, MINUTE_US
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US, SUB_BITS

DAYS = {FIVE_MINUTES_US: 1, HOUR_US: 30}
"""How many days, counted from 1970-01-01, each table holds, by the width of its cells."""

COUNTS = (*(f"n_{outcome.word}" for outcome in Outcome), "n_saturated")
"""The columns of counts: unsaturated results by outcome, then the saturated ones."""

_KEYS = "start_us BIGINT, target INTEGER, place INTEGER, family UTINYINT"
_STORED = (*COUNTS, "n_others")  # whether a cell has any that are not good is asked of one column
_COUNTS = ", ".join(f"{name} UINTEGER" for name in _STORED)
_CELLS = f"CREATE TABLE IF NOT EXISTS {{table}} ({_KEYS}, {_COUNTS}, bits UBIGINT)"
_BINS = f"CREATE TABLE IF NOT EXISTS {{table}} ({_KEYS}, timing VARCHAR, bin USMALLINT, number UINTEGER)"

SCHEDULED = f"flags & {Flag.ASKED:d} = 0"
"""Whether a result counts in history (`rollups.scheduled`)."""

_SATURATED = f"flags & {Flag.SATURATED:d} <> 0"
OWN_COUNTS = ", ".join(
    [
        *(f"count(*) FILTER (outcome = {o:d} AND NOT {_SATURATED}) AS n_{o.word}" for o in Outcome),
        f"count(*) FILTER ({_SATURATED}) AS n_saturated",
        f"count(*) FILTER (outcome <> {Outcome.OK:d} OR {_SATURATED}) AS n_others",
    ]
)
"""SQL that counts rows of results into those columns."""

TOLD = f"outcome <> {Outcome.INCONCLUSIVE:d} AND NOT {_SATURATED}"
"""Whether a result tells something of its target."""

GOOD = f"outcome = {Outcome.OK:d} AND NOT {_SATURATED}"
"""Whether a result's timings count."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = "%Y%m%d"


def cells_table(width_us: int, first_day: int) -> str:
    """The table of counts whose days begin with `first_day`."""
    return f"cells_{width_us // 1_000_000}_{_date(first_day)}"


def bins_table(width_us: int, first_day: int) -> str:
    """The table of histograms beside a table of counts."""
    return f"bins_{width_us // 1_000_000}_{_date(first_day)}"


def first_day(width_us: int, day: int) -> int:
    """The first of the days whose cells stand in one table with those of `day`."""
    return day - day % DAYS[width_us]


def stretches(
    connection: duckdb.DuckDBPyConnection, width_us: int, since_us: int, until_us: int
) -> list[int]:
    """The first days of all tables of a width that touch [since_us, until_us), in order."""
    prefix = f"cells_{width_us // 1_000_000}_"
    names = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, ?)", [prefix]
    ).fetchall()
    found = (
        (datetime.strptime(name.removeprefix(prefix), _NAME).replace(tzinfo=UTC) - _EPOCH).days
        for (name,) in names
    )
    wide_us = DAYS[width_us] * DAY_US
    return sorted(day for day in found if day * DAY_US < until_us and day * DAY_US + wide_us > since_us)


def make_tables(connection: duckdb.DuckDBPyConnection, width_us: int, day: int) -> None:
    """Makes the tables that hold the cells of a day, where they are missing."""
    first = first_day(width_us, day)
    connection.execute(_CELLS.format(table=cells_table(width_us, first)))
    connection.execute(_BINS.format(table=bins_table(width_us, first)))


def drop_tables(connection: duckdb.DuckDBPyConnection, width_us: int, first: int) -> None:
    """Drops the tables that begin with a day."""
    connection.execute(f"DROP TABLE {cells_table(width_us, first)}")
    connection.execute(f"DROP TABLE {bins_table(width_us, first)}")


def folded_cells(rows: str, width_us: int) -> str:
    """SQL that makes cells of rows of results; `rows` is what stands behind FROM."""
    minute = f"(judged_us % {width_us}) // {MINUTE_US}"
    return (
        f"SELECT {_start(width_us)}, r.target, s.place, r.family, {OWN_COUNTS}, "
        f"bit_or(CASE WHEN {TOLD} THEN 1::UBIGINT << {minute} ELSE 0::UBIGINT END) AS bits "
        f"FROM {rows} r JOIN sources s ON s.key = r.source WHERE {SCHEDULED} GROUP BY ALL"
    )


def folded_bins(rows: str, width_us: int, timings: Iterable[str]) -> str:
    """SQL that makes bins of rows of results for some timings, one at least."""
    return " UNION ALL ".join(
        f"SELECT {_start(width_us)}, r.target, s.place, r.family, {_text(name)} AS timing, "
        f"{bin_of(column_of(name))} AS bin, count(*) AS number "
        f"FROM {rows} r JOIN sources s ON s.key = r.source "
        f"WHERE {SCHEDULED} AND {GOOD} AND {column_of(name)} >= 0 GROUP BY ALL"
        for name in timings
    )


def summed_cells(table: str) -> str:
    """SQL that adds up partial cells, in order of time."""
    counts = ", ".join(f"sum({name})::UINTEGER AS {name}" for name in _STORED)
    return (
        f"SELECT start_us, target, place, family, {counts}, bit_or(bits) AS bits "
        f"FROM {table} GROUP BY ALL ORDER BY start_us, target, place, family"
    )


def summed_bins(table: str) -> str:
    """SQL that adds up partial bins; those of one timing stand together."""
    return (
        "SELECT start_us, target, place, family, timing, bin, sum(number)::UINTEGER AS number "
        f"FROM {table} GROUP BY ALL ORDER BY timing, start_us, target, place, family, bin"
    )


def by_hour(table: str) -> str:
    """SQL of cells of 5 minutes as partial cells of an hour."""
    minute = f"start_us % {HOUR_US} // {MINUTE_US}"
    return (
        f"(SELECT * REPLACE (start_us // {HOUR_US} * {HOUR_US} AS start_us, bits << ({minute}) AS bits) "
        f"FROM {table})"
    )


def bins_by_hour(table: str) -> str:
    """SQL of bins of 5 minutes as partial bins of an hour."""
    return f"(SELECT * REPLACE (start_us // {HOUR_US} * {HOUR_US} AS start_us) FROM {table})"


def column_of(timing: str) -> str:
    """The column of a timing in a table of results, quoted."""
    return '"' + (TIMING_PREFIX + timing).replace('"', '""') + '"'


def bin_of(column: str) -> str:
    """SQL for `rollups.bin_of`."""
    shift = f"greatest(floor(log2(greatest({column}, 1)))::INTEGER - {SUB_BITS}, 0)"
    return f"({shift} * {1 << SUB_BITS} + ({column} >> {shift}))"


def _start(width_us: int) -> str:
    return f"judged_us // {width_us} * {width_us} AS start_us"


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime(_NAME)
