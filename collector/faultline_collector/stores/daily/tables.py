"""The tables of a DuckDB store, one a day (UTC, by start), and the SQL around them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED
from faultline_collector.stores.order import DAY_US, FOREVER_US, LONG_AGO_US

LAYOUT = 1
"""The number of these tables' form; another when files of the form before cannot be used as they are."""

Columns = Mapping[str, npt.NDArray[Any]]

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS layout AS SELECT {LAYOUT} AS number;
CREATE TABLE IF NOT EXISTS places (key INTEGER NOT NULL, region VARCHAR NOT NULL, asn UINTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sources (
    key INTEGER NOT NULL, agent VARCHAR NOT NULL, spool VARCHAR NOT NULL, place INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS targets (key INTEGER NOT NULL, target VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS ranges (
    source INTEGER NOT NULL, first UBIGINT NOT NULL, last UBIGINT NOT NULL,
    fate VARCHAR NOT NULL, reason VARCHAR NOT NULL
);
"""

DAY = """
CREATE TABLE IF NOT EXISTS {table} (
    source INTEGER, target INTEGER, sequence UBIGINT, judged_us BIGINT, offset_us BIGINT, received_us BIGINT,
    attempt UTINYINT, outcome UTINYINT, status USMALLINT, family UTINYINT, flags UTINYINT, detail VARCHAR
)
"""

LATEST = """
WITH found AS (SELECT r.*, a.agent FROM ({selected}) r JOIN agent_codes a ON a.key = r.source),
    last AS (SELECT agent, target, max(judged_us) AS judged_us FROM found GROUP BY ALL)
SELECT found.* EXCLUDE (agent) FROM found JOIN last USING (agent, target, judged_us)
"""

TIMING_PREFIX = "t_"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLE = "results_%Y%m%d"


def layout_problem(connection: duckdb.DuckDBPyConnection) -> str:
    """Why the tables of a file cannot be used, in a sentence; empty when they can, or when there are none."""
    names = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "layout" not in names:
        if not names or {"places", "sources"} <= names:  # layout 1 had no number at first
            return ""
        return "has the layout of an older Faultline" if "sources" in names else "is not Faultline's"
    ((found,),) = connection.execute("SELECT number FROM layout").fetchall()
    if found == LAYOUT:
        return ""
    return f"has layout {found}, of {'an older' if found < LAYOUT else 'a newer'} Faultline"


def table_of(day: int) -> str:
    """The name of the table of a day, counted from 1970-01-01."""
    return (_EPOCH + timedelta(days=day)).strftime(_TABLE)


def days(connection: duckdb.DuckDBPyConnection, since_us: int, until_us: int) -> list[int]:
    """The days that have a table and touch [since_us, until_us), in order."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'results_')"
    ).fetchall()
    found = ((datetime.strptime(name, _TABLE).replace(tzinfo=UTC) - _EPOCH).days for (name,) in rows)
    return sorted(day for day in found if day * DAY_US < until_us and (day + 1) * DAY_US > since_us)


def counted(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """How many rows the table of each day has."""
    found = days(connection, LONG_AGO_US, FOREVER_US)
    asked = " UNION ALL ".join(f"SELECT {day}, count(*) FROM {table_of(day)}" for day in found)  # noqa: S608
    return dict(connection.execute(asked).fetchall()) if found else {}


def timings_of(connection: duckdb.DuckDBPyConnection, day: int) -> list[str]:
    """The timings that the table of a day has columns for."""
    columns = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [table_of(day)]
    ).fetchall()
    return [name.removeprefix(TIMING_PREFIX) for (name,) in columns if name.startswith(TIMING_PREFIX)]


def make_day(connection: duckdb.DuckDBPyConnection, day: int) -> set[str]:
    """Makes the table of a day where it is missing; gives the names of the timings it has columns for."""
    connection.execute(DAY.format(table=table_of(day)))
    return set(timings_of(connection, day))


def add_timings(connection: duckdb.DuckDBPyConnection, day: int, names: Iterable[str]) -> None:
    """Gives the table of a day columns for more timings."""
    for name in names:
        column = (TIMING_PREFIX + name).replace('"', '""')
        connection.execute(
            f'ALTER TABLE {table_of(day)} ADD COLUMN IF NOT EXISTS "{column}" INTEGER DEFAULT {NOT_REACHED}'
        )


def insert(connection: duckdb.DuckDBPyConnection, table: str, columns: Columns) -> None:
    """Appends columns to the columns of the same names."""
    connection.register("incoming", dict(columns))
    try:
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")  # noqa: S608  our own names
    finally:
        connection.unregister("incoming")


def union(of_days: Iterable[int]) -> str:
    """All results of some days; a timing that a day does not have is NULL there."""
    return "(" + " UNION ALL BY NAME ".join(f"FROM {table_of(day)}" for day in of_days) + ")"


def listed(numbers: Iterable[int]) -> str:
    """Keys as the inside of SQL's IN (), which must not be empty."""
    return ", ".join(str(number) for number in (*numbers, -1))


def pairs(name: str, numbers: Sequence[int]) -> Columns:
    """A table with a number beside each key from 0 on."""
    return {"key": np.arange(len(numbers), dtype=np.int32), name: np.array(numbers, np.int32)}
