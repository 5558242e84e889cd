"""Feeds a trace through the collector's own path in simulated time, and keeps each outage's last word."""

from collections.abc import Callable, Iterator

import numpy as np

from faultline.ranges import Ranges
from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage
from faultline_collector.replay.trace import CHUNK, Trace, last_start_us, read_results
from faultline_collector.results import Mask, ResultBatch, concatenate

SECOND_US = 1_000_000
AFTER_S = 600
"""Simulated seconds that pass after the last result, so that outages can still change."""

Progress = Callable[[int], None]


class Received:
    """Recognises resends: the sequences that each agent has delivered, as ingest keeps them."""

    def __init__(self, sources: int) -> None:
        self._held = [Ranges() for _ in range(sources)]

    def fresh(self, results: ResultBatch) -> Mask:
        """Which results are not resends; the first to arrive counts. Unknown agents pass."""
        out = np.ones(len(results), bool)
        order = np.lexsort((np.arange(len(results)), results.sequence, results.source))
        source, sequence = results.source[order], results.sequence[order]
        repeat = np.zeros(order.size, bool)
        repeat[1:] = (source[1:] == source[:-1]) & (sequence[1:] == sequence[:-1])
        out[order[repeat]] = False
        breaks = np.flatnonzero((source[1:] != source[:-1]) | (sequence[1:] > sequence[:-1] + 1)) + 1
        for first, last in zip(np.r_[0, breaks], np.r_[breaks, order.size] - 1, strict=True):
            if order.size and source[first] >= 0:
                self._admit(int(source[first]), order[first : last + 1], sequence[first : last + 1], out)
        return out

    def _admit(
        self,
        source: int,
        index: "np.typing.NDArray[np.intp]",
        sequence: "np.typing.NDArray[np.uint64]",
        out: Mask,
    ) -> None:
        held = self._held[source]
        first, last = int(sequence[0]), int(sequence[-1])
        for low, high in held.within(first, last):
            out[index[(sequence >= low) & (sequence <= high)]] = False
        held.add(first, last)


def replay(
    trace: Trace,
    settings: EngineSettings | None = None,
    *,
    chunk: int = CHUNK,
    progress: Progress = lambda rows: None,
) -> list[Outage]:
    """Every outage that could ever be read, in its final state, in order of detection."""
    detector = Detector(trace.fleet, settings)
    last_words: dict[str, Outage] = {}
    end_us = last_start_us(trace)
    trusted = False
    blocks = _blocks(_deduplicated(trace, chunk, progress), trace.start_us, detector.epoch_us, end_us)
    for results, first_us, ticks in blocks:
        if first_us >= end_us and not trusted:
            trusted = True
            detector.trust(first_us)
        for outage in detector.run(results, first_us, ticks):
            last_words[outage.id] = outage
    return sorted(last_words.values(), key=lambda o: (o.detected_us, o.id))


def _blocks(
    parts: Iterator[ResultBatch], start_us: int, epoch_us: int, end_us: int
) -> Iterator[tuple[ResultBatch, int, int]]:
    """Results cut at epochs, and at the end of probing: each with its first second and how many there are."""
    first_us = start_us
    held: list[ResultBatch] = []
    for part in parts:
        held.append(part)
        last_us = int(part.received_us.max(initial=0))
        if _next_us(first_us, start_us, epoch_us, end_us) > last_us:
            continue
        results = concatenate(held)
        done = 0
        received = np.maximum.accumulate(results.received_us)
        while (next_us := _next_us(first_us, start_us, epoch_us, end_us)) <= last_us:
            upto = int(np.searchsorted(received, next_us - SECOND_US, "right"))
            yield results.select(slice(done, upto)), first_us, (next_us - first_us) // SECOND_US
            done, first_us = upto, next_us
        held = [results.select(slice(done, len(results)))]
    left = concatenate(held)
    quiet_us = max(int(left.received_us.max(initial=0)), first_us) + AFTER_S * SECOND_US
    while first_us < quiet_us:
        next_us = _next_us(first_us, start_us, epoch_us, end_us)
        upto = int(np.searchsorted(np.maximum.accumulate(left.received_us), next_us - SECOND_US, "right"))
        yield left.select(slice(0, upto)), first_us, (next_us - first_us) // SECOND_US
        left, first_us = left.select(slice(upto, len(left))), next_us


def _next_us(first_us: int, start_us: int, epoch_us: int, end_us: int) -> int:
    """The first second of the next epoch, or the first after the end of probing when that is nearer."""
    boundary_us = (first_us // epoch_us + 1) * epoch_us
    next_us = start_us + -(-(boundary_us - start_us) // SECOND_US) * SECOND_US
    after_us = start_us + -(-(end_us - start_us) // SECOND_US) * SECOND_US
    return after_us if first_us < after_us < next_us else next_us


def _deduplicated(trace: Trace, chunk: int, progress: Progress) -> Iterator[ResultBatch]:
    received = Received(len(trace.fleet.agents))
    for results in read_results(trace, chunk):
        fresh = received.fresh(results)
        yield results.select(fresh)
        progress(len(results))
