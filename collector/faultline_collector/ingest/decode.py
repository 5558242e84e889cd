"""Reads a batch of the wire into columns, without a step per row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from faultline.columns import MAX_BATCH_RESULTS, MAX_TIMINGS, NOT_REACHED, TIMING_NAME, TOTAL
from faultline.v1 import results_pb2
from faultline_collector.results import Int32, ResultBatch, Source

MAX_SEQUENCE = 2**63 - 1
"""Highest sequence that a store can keep."""


class BadBatch(Exception):
    """Raised when a batch cannot be read as columns; `reason` is the word for its rejection."""

    def __init__(self, sentence: str, *, reason: str = "bad_columns") -> None:
        super().__init__(sentence)
        self.reason = reason


def claimed(batch: results_pb2.Batch) -> tuple[int, int]:
    """The first and last sequence of a batch; raises BadBatch where it names none."""
    first, last = batch.first_sequence, batch.first_sequence + batch.count - 1
    if not 1 <= first <= last <= MAX_SEQUENCE:
        raise BadBatch(f"a batch of {batch.count} from sequence {first} names no results")
    return first, last


def decode(batch: results_pb2.Batch, source: Source, offset_us: int, received_us: int) -> ResultBatch:
    """The columns of a batch that came from `source`; raises BadBatch.

    Every value fits its column afterwards; an outcome outside of the closed set becomes 0.
    """
    count = batch.count
    if count > MAX_BATCH_RESULTS:
        raise BadBatch(f"{count} results are more than {MAX_BATCH_RESULTS} in one batch", reason="oversize")
    _check_dictionaries(batch)
    return ResultBatch(
        sources=(source,),
        source=np.zeros(count, np.int32),
        target_ids=tuple(batch.target_ids),
        target=_unsigned("target", batch.target, count, len(batch.target_ids) - 1, np.int32),
        sequence=np.arange(batch.first_sequence, batch.first_sequence + count, dtype=np.uint64),
        started_us=_started(batch),
        offset_us=np.full(count, offset_us, np.int64),
        received_us=np.full(count, received_us, np.int64),
        attempt=_unsigned("attempt", batch.attempt, count, 255, np.uint8),
        outcome=_outcomes(batch),
        status=_unsigned("status", batch.status, count, 65_535, np.uint16),
        family=_unsigned("family", batch.family, count, 255, np.uint8),
        flags=_unsigned("flags", batch.flags, count, 255, np.uint8),
        timings_us=_timings(batch),
        details=tuple(batch.details),
        detail=_details(batch),
    )


def _check_dictionaries(batch: results_pb2.Batch) -> None:
    if not 1 <= len(batch.target_ids) <= batch.count:
        raise BadBatch(f"{len(batch.target_ids)} target ids for {batch.count} results")
    if len(batch.details) > batch.count:
        raise BadBatch(f"{len(batch.details)} details for {batch.count} results")
    if len(batch.timings) > MAX_TIMINGS:
        raise BadBatch(f"{len(batch.timings)} timings are more than {MAX_TIMINGS}")


def _column(name: str, values: Sequence[int], count: int) -> npt.NDArray[Any] | None:
    """The values in the type of the wire, or None where every entry is the default."""
    length = len(values)
    if length == 0:
        return None
    if length != count:
        raise BadBatch(f"column {name} has {length} entries for {count} results")
    return np.array(values)


def _unsigned(name: str, values: Sequence[int], count: int, most: int, kind: type[Any]) -> npt.NDArray[Any]:
    column = _column(name, values, count)
    if column is None:
        return np.zeros(count, kind)
    highest = int(np.maximum.reduce(column))
    if highest > most:
        raise BadBatch(f"column {name} holds {highest}, at most {most} is allowed")
    return column.astype(kind)


def _started(batch: results_pb2.Batch) -> npt.NDArray[np.int64]:
    deltas = _column("started_delta_us", batch.started_delta_us, batch.count)
    if deltas is None:
        raise BadBatch(f"column started_delta_us has 0 entries for {batch.count} results")
    return np.cumsum(deltas, dtype=np.int64)


def _outcomes(batch: results_pb2.Batch) -> npt.NDArray[np.uint8]:
    column = _column("outcome", batch.outcome, batch.count)
    if column is None:
        return np.zeros(batch.count, np.uint8)
    if np.maximum.reduce(column) > 255 or np.minimum.reduce(column) < 0:
        column = np.where((column < 0) | (column > 255), 0, column)
    return column.astype(np.uint8)


def _timings(batch: results_pb2.Batch) -> dict[str, Int32]:
    columns = {}
    for timing in batch.timings:
        if TIMING_NAME.fullmatch(timing.name) is None:
            raise BadBatch(f"timing {timing.name[:40]!r} is not a name like first_byte")
        columns[timing.name] = _timing(timing, batch.count)
    if TOTAL not in columns:
        columns[TOTAL] = np.full(batch.count, NOT_REACHED, np.int32)
    return columns


def _timing(timing: results_pb2.Timing, count: int) -> Int32:
    column = _column(timing.name, timing.us, count)
    if column is None:
        return np.zeros(count, np.int32)
    lowest = int(np.minimum.reduce(column))
    if lowest < NOT_REACHED:
        raise BadBatch(f"timing {timing.name} holds {lowest}, at least {NOT_REACHED} is allowed")
    return column.astype(np.int32, copy=False)


def _details(batch: results_pb2.Batch) -> Int32:
    if not batch.detail:
        return np.empty(0, np.int32)
    return _unsigned("detail", batch.detail, batch.count, len(batch.details), np.int32) - np.int32(1)
