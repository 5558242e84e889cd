"""Reads batches of the wire into columns: many batches at once, without a step per row."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultline.columns import MAX_BATCH_RESULTS, MAX_TIMINGS
from faultline.v1 import results_pb2
from faultline_collector.ingest.wire import BadBatch, Wire
from faultline_collector.results import Int32, ResultBatch, Source

MAX_SEQUENCE = 2**63 - 1
"""Highest sequence that a store can keep."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A batch as it came: from whom, when by the collector's clock, and what to add to the agent's times."""

    batch: results_pb2.Batch
    source: Source
    offset_us: int
    received_us: int


def claimed(batch: results_pb2.Batch) -> tuple[int, int]:
    """The first and last sequence of a batch; raises BadBatch where it names none."""
    first, last = batch.first_sequence, batch.first_sequence + batch.count - 1
    if not 1 <= first <= last <= MAX_SEQUENCE:
        raise BadBatch(f"a batch of {batch.count} from sequence {first} names no results")
    return first, last


def decode(batch: results_pb2.Batch, source: Source, offset_us: int, received_us: int) -> ResultBatch:
    """The columns of one batch; raises BadBatch."""
    return decode_all((Arrival(batch, source, offset_us, received_us),))


def decode_all(arrivals: Sequence[Arrival]) -> ResultBatch:
    """The columns of all batches end to end; raises BadBatch when any of them cannot be read.

    Every value fits its column afterwards; an outcome outside of the closed set becomes 0.
    """
    batches = [arrival.batch for arrival in arrivals]
    for batch in batches:
        _check_shape(batch)
    wire = Wire([batch.count for batch in batches])
    sources, source = _merged([[arrival.source] for arrival in arrivals])
    target_ids, target = _merged([batch.target_ids for batch in batches])
    details, detail = _merged([batch.details for batch in batches])
    return ResultBatch(
        sources=sources,
        source=wire.spread([codes[0] for codes in source], np.int32),
        target_ids=target_ids,
        target=wire.coded("target", [batch.target for batch in batches], target),
        sequence=wire.counted([batch.first_sequence for batch in batches]),
        started_us=wire.summed("started_delta_us", [batch.started_delta_us for batch in batches]),
        offset_us=wire.spread([arrival.offset_us for arrival in arrivals], np.int64),
        received_us=wire.spread([arrival.received_us for arrival in arrivals], np.int64),
        attempt=wire.unsigned("attempt", [batch.attempt for batch in batches], np.uint8),
        outcome=wire.outcomes([batch.outcome for batch in batches]),
        status=wire.unsigned("status", [batch.status for batch in batches], np.uint16),
        family=wire.unsigned("family", [batch.family for batch in batches], np.uint8),
        flags=wire.unsigned("flags", [batch.flags for batch in batches], np.uint8),
        timings_us=wire.timings([_timings(batch) for batch in batches]),
        details=details,
        detail=_detail(wire, batches, detail),
    )


def _check_shape(batch: results_pb2.Batch) -> None:
    count = batch.count
    if count > MAX_BATCH_RESULTS:
        raise BadBatch(f"{count} results are more than {MAX_BATCH_RESULTS} in one batch", reason="oversize")
    if not 1 <= len(batch.target_ids) <= count:
        raise BadBatch(f"{len(batch.target_ids)} target ids for {count} results")
    if len(batch.details) > count:
        raise BadBatch(f"{len(batch.details)} details for {count} results")
    if len(batch.timings) > MAX_TIMINGS:
        raise BadBatch(f"{len(batch.timings)} timings are more than {MAX_TIMINGS}")


def _merged(dictionaries: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], list[list[int]]]:
    """One dictionary with the words of all, and for each of them the codes of its words in it.

    Agents often have the same targets: a dictionary like the one before it is not looked up again.
    """
    codes: defaultdict[Any, int] = defaultdict()
    codes.default_factory = codes.__len__
    places: list[list[int]] = []
    last: Sequence[Any] = ()
    for some in dictionaries:
        words = some[:]
        places.append(places[-1] if places and words == last else list(map(codes.__getitem__, words)))
        last = words
    return tuple(codes), places


def _timings(batch: results_pb2.Batch) -> dict[str, Sequence[int]]:
    return {timing.name: timing.us for timing in batch.timings}


def _detail(wire: Wire, batches: Sequence[results_pb2.Batch], codes: list[list[int]]) -> Int32:
    columns = [batch.detail for batch in batches]
    if not any(columns):
        return np.empty(0, np.int32)
    return wire.coded("detail", columns, [[-1, *places] for places in codes])
