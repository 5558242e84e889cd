"""Between the columns of a DuckDB store and those of the collector."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED
from faultline_collector.results import Int32, ResultBatch, Source, empty_batch
from faultline_collector.stores.daily.keys import Keys, Words
from faultline_collector.stores.daily.tables import TIMING_PREFIX
from faultline_collector.stores.store import ReceivedRange

_SAME = ("sequence", "offset_us", "received_us", "attempt", "outcome", "status", "family", "flags")
"""Columns that are the same on both sides."""


def day_columns(results: ResultBatch, timings: Mapping[str, Int32]) -> dict[str, npt.NDArray[Any]]:
    """Columns for the table of a day, those of keys apart."""
    columns: dict[str, npt.NDArray[Any]] = {name: getattr(results, name) for name in _SAME}
    columns["judged_us"] = results.judged_us
    if len(results.detail):
        columns["detail"] = np.array([*results.details, None], object)[results.detail]
    return columns | {TIMING_PREFIX + name: column for name, column in timings.items()}


def batch_of(
    found: Mapping[str, npt.NDArray[Any]], sources: Sequence[Words], targets: Sequence[Words]
) -> ResultBatch:
    """Results out of fetched columns; dictionaries hold only what occurs."""
    if not len(found["sequence"]):
        return empty_batch()
    source_keys, own = np.unique(found["source"], return_inverse=True)
    words = [Source(str(sources[key][0]), str(sources[key][1])) for key in source_keys]
    codes = {source: code for code, source in enumerate(dict.fromkeys(words))}
    source = np.array([codes[one] for one in words], np.int32)[own]
    target_keys, target = np.unique(found["target"], return_inverse=True)
    details, detail = _details(found["detail"])
    columns: dict[str, Any] = {name: found[name] for name in _SAME}
    return ResultBatch(
        sources=tuple(codes),
        source=source,
        target_ids=tuple(str(targets[key][0]) for key in target_keys),
        target=target.astype(np.int32),
        started_us=found["judged_us"] - found["offset_us"],
        timings_us={
            name.removeprefix(TIMING_PREFIX): np.ma.filled(column, NOT_REACHED)
            for name, column in found.items()
            if name.startswith(TIMING_PREFIX)
        },
        details=details,
        detail=detail,
        **columns,
    )


def _details(column: npt.NDArray[Any]) -> tuple[tuple[str, ...], Int32]:
    told = np.flatnonzero(~np.ma.getmaskarray(column))
    places: dict[str, int] = {}
    codes = np.full(len(column), -1, np.int32)
    codes[told] = [places.setdefault(word, len(places)) for word in np.ma.getdata(column)[told]]
    return tuple(places), codes


def read_ranges(connection: duckdb.DuckDBPyConnection, sources: Keys) -> list[ReceivedRange]:
    """All ranges as they were written."""
    words = [Source(str(agent), str(spool)) for agent, spool, *_ in sources.words()]
    found = connection.execute("SELECT source, first, last, fate, reason FROM ranges").fetchall()
    return [ReceivedRange(words[key], *rest) for key, *rest in found]


def range_columns(ranges: Sequence[ReceivedRange], keys: Int32) -> dict[str, npt.NDArray[Any]]:
    """Columns for the table of ranges."""
    return {
        "source": keys,
        "first": np.array([item.first for item in ranges], np.uint64),
        "last": np.array([item.last for item in ranges], np.uint64),
        "fate": np.array([item.fate for item in ranges], object),
        "reason": np.array([item.reason for item in ranges], object),
    }
