"""Feeds a trace through the collector's own path in simulated time, and keeps each outage's last word."""

from collections.abc import Callable, Iterator

import numpy as np

from faultline.ranges import Ranges
from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage
from faultline_collector.replay.trace import CHUNK, Trace, last_start_us, read_results
from faultline_collector.results import Mask, ResultBatch

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
    clock = _Clock(detector, last_start_us(trace))
    now_us = trace.start_us
    for results in _deduplicated(trace, chunk, progress):
        seconds = np.maximum(results.received_us, now_us) - trace.start_us
        ticks = trace.start_us + -(-seconds // SECOND_US) * SECOND_US
        starts = np.flatnonzero(np.r_[True, ticks[1:] != ticks[:-1]])
        for first, last in zip(starts, np.r_[starts[1:], ticks.size], strict=True):
            while now_us < ticks[first]:
                clock.tick(now_us)
                now_us += SECOND_US
            detector.observe(results.select(slice(first, last)))
    for _ in range(AFTER_S):
        clock.tick(now_us)
        now_us += SECOND_US
    return sorted(clock.last_words.values(), key=lambda o: (o.detected_us, o.id))


def _deduplicated(trace: Trace, chunk: int, progress: Progress) -> Iterator[ResultBatch]:
    received = Received(len(trace.fleet.agents))
    for results in read_results(trace, chunk):
        fresh = received.fresh(results)
        yield results.select(fresh)
        progress(len(results))


class _Clock:
    """Ticks the detector and keeps what it says; after the trace's end nobody's silence means anything."""

    def __init__(self, detector: Detector, end_us: int) -> None:
        self.last_words: dict[str, Outage] = {}
        self._detector = detector
        self._end_us = end_us
        self._heard: tuple[str, ...] | None = None

    def tick(self, now_us: int) -> None:
        if now_us >= self._end_us:
            if self._heard is None:
                self._heard = self._detector.heard_lately(now_us)
            for agent_id in self._heard:
                self._detector.contact(agent_id, now_us, well=True)
        for outage in self._detector.tick(now_us):
            self.last_words[outage.id] = outage
