"""Packed days in a DuckDB file: one table a closed day, dropped in the transaction that changes its cells."""
# ruff: noqa: S608  names and whole numbers of our own

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np

from faultline_collector.results import Int64
from faultline_collector.stores.daily import cells
from faultline_collector.stores.order import DAY_US
from faultline_collector.stores.packed import (
    BINS_WIDTH_US,
    decoded,
    decoded_bins,
    encoded,
    encoded_bins,
    packed,
)
from faultline_collector.stores.packed_counting import Packed
from faultline_collector.stores.places import Place
from faultline_collector.stores.rollups import WIDTHS_US, Cells, code_of
from faultline_collector.stores.summary import Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLE = "packed_%Y%m%d"
_KEYS = ("start_us", "target", "place", "family")


def days(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """The days that are packed, in order."""
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'packed_')"
    ).fetchall()
    return sorted((datetime.strptime(name, _TABLE).replace(tzinfo=UTC) - _EPOCH).days for (name,) in found)


def drop(connection: duckdb.DuckDBPyConnection, day: int) -> None:
    """Forgets the pack of a day, if there is one."""
    connection.execute(f"DROP TABLE IF EXISTS {_table_of(day)}")


def pack(connection: duckdb.DuckDBPyConnection, day: int) -> None:
    """Packs the cells of a closed day, of every width."""
    table = _table_of(day)
    connection.execute(f"CREATE TABLE {table} (width_us BIGINT, timing VARCHAR, bytes BLOB)")
    for width_us in WIDTHS_US:
        whole, bins = packed(_cells(connection, day, width_us), day)
        rows = {"": encoded(whole)} | {name: encoded_bins(own) for name, own in bins.items()}
        for name, data in rows.items():
            connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", [width_us, name, data])


class FilePacks:
    """See `Packs`; `but` are days of which not all is folded."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, but: Collection[int]) -> None:
        self._connection = connection
        self._days = [day for day in days(connection) if day not in but]

    def days(self, width_us: int) -> Sequence[int]:
        """See `Packs`."""
        return self._days

    def read(self, width_us: int, some: Sequence[int], timing: str) -> Mapping[int, Packed]:
        """See `Packs`."""
        of_days = " UNION ALL ".join(f"SELECT {day} AS day, * FROM {_table_of(day)}" for day in some)
        asked = f"SELECT day, timing, bytes FROM ({of_days}) WHERE width_us = ? AND timing IN ('', ?)"
        found = {
            (day, name): data
            for day, name, data in self._connection.execute(asked, [width_us, timing]).fetchall()
        }
        return {
            day: Packed(decoded(found[day, ""]), decoded_bins(bins) if timing and bins else None)
            for day in some
            for bins in (found.get((day, timing)),)
        }


def _cells(connection: duckdb.DuckDBPyConnection, day: int, width_us: int) -> Cells:
    """The cells of a width that begin in a day, with histograms where those are packed; keys as codes."""
    span, first = Span(day * DAY_US, (day + 1) * DAY_US), cells.first_day(width_us, day)
    own = f"WHERE start_us >= {span.since_us} AND start_us < {span.until_us}"
    counts, bins = cells.cells_table(width_us, first), cells.bins_table(width_us, first)
    found = connection.execute(cells.summed_cells(f"(FROM {counts} {own})")).fetchnumpy()
    keys = tuple(found[name].astype(np.int64) for name in _KEYS)
    timings, columns = _bins(connection, f"(FROM {bins} {own})", keys, width_us == BINS_WIDTH_US)
    return Cells(
        width_us=width_us,
        target_ids=tuple(
            name for (name,) in connection.execute("SELECT target FROM targets ORDER BY key").fetchall()
        ),
        target=found["target"],
        places=tuple(
            Place(*row)
            for row in connection.execute("SELECT region, asn FROM places ORDER BY key").fetchall()
        ),
        place=found["place"],
        family=keys[3],
        start_us=keys[0],
        outcomes=np.stack([found[name] for name in cells.COUNTS[:-1]], axis=1).astype(np.int64),
        saturated=found[cells.COUNTS[-1]].astype(np.int64),
        minutes=found["bits"],
        timings=timings,
        bin_cell=columns[0],
        bin_timing=columns[1],
        bin=columns[2],
        bin_count=columns[3],
    )


def _bins(
    connection: duckdb.DuckDBPyConnection, rows: str, keys: tuple[Int64, ...], wanted: bool
) -> tuple[tuple[str, ...], Int64]:
    """The timings that occur; and cell, timing, bin and count of each bin."""
    names = [
        name for (name,) in connection.execute(f"SELECT DISTINCT timing FROM {rows} ORDER BY 1").fetchall()
    ]
    parts = [np.empty((4, 0), np.int64)]
    for timing, name in enumerate(names):
        asked = f"SELECT {', '.join(_KEYS)}, bin, number FROM {rows} WHERE timing = ?"
        found = connection.execute(asked, [name]).fetchnumpy()
        code = code_of([np.concatenate((key, found[name])) for name, key in zip(_KEYS, keys, strict=True)])
        order = np.argsort(code[: len(keys[0])])
        cell = order[np.searchsorted(code[: len(order)], code[len(order) :], sorter=order)]
        parts.append(np.stack((cell, np.full(len(cell), timing), found["bin"], found["number"])))
    return tuple(names), np.concatenate(parts, axis=1).astype(np.int64)


def _table_of(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime(_TABLE)
