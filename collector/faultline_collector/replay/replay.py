"""Feeds a trace through the collector's own path in simulated time, and keeps each outage's last word."""

from collections.abc import Callable, Iterator

import numpy as np

from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage
from faultline_collector.replay.admission import Admission
from faultline_collector.replay.trace import CHUNK, Trace, open_results
from faultline_collector.results import ResultBatch, concatenate

SECOND_US = 1_000_000
AFTER_S = 600
"""Simulated seconds that pass after the last result, so that outages can still change."""

Progress = Callable[[int], None]
"""Is told how many rows more have been read."""
Hear = Callable[[Outage], object]
"""Is told of every change of an outage, in order."""
Keep = Callable[[ResultBatch], object]
"""Takes what was admitted, in order of receipt: a store, say."""


def replay(
    trace: Trace,
    settings: EngineSettings | None = None,
    *,
    chunk: int = CHUNK,
    progress: Progress = lambda rows: None,
    keep: Keep = lambda results: None,
    hear: Hear = lambda outage: None,
) -> list[Outage]:
    """Every outage that could ever be read, in its final state, in order of detection.

    The same trace and settings give the same outages in whatever chunks (rows) it is read.
    """
    detector = Detector(trace.fleet, settings)
    last_words: dict[str, Outage] = {}
    trusted = False
    with open_results(trace) as read:
        end_us = read.last_start_us()
        admitted = _admitted(read.batches(chunk), Admission(len(trace.fleet.agents)), progress, keep)
        for results, first_us, ticks in _blocks(admitted, trace.start_us, detector.epoch_us, end_us):
            if first_us >= end_us and not trusted:
                trusted = True
                detector.trust(first_us)
            for outage in detector.run(results, first_us, ticks):
                last_words[outage.id] = outage
                hear(outage)
    return sorted(last_words.values(), key=lambda o: (o.detected_us, o.id))


def _blocks(
    parts: Iterator[ResultBatch], start_us: int, epoch_us: int, end_us: int
) -> Iterator[tuple[ResultBatch, int, int]]:
    """Results cut at epochs, and at the end of probing: each with its first second and how many there are.

    What was received out of order counts as received with what stands before it.
    """
    first_us, last_us = start_us, 0
    held: list[ResultBatch] = []
    for part in parts:
        held.append(part)
        last_us = max(last_us, int(part.received_us.max(initial=0)))
        if _next_us(first_us, start_us, epoch_us, end_us) > last_us:
            continue
        queue = _Queue(concatenate(held))
        while (next_us := _next_us(first_us, start_us, epoch_us, end_us)) <= last_us:
            yield queue.take(next_us), first_us, (next_us - first_us) // SECOND_US
            first_us = next_us
        held = [queue.rest()]
    queue = _Queue(concatenate(held))
    quiet_us = max(last_us, first_us) + AFTER_S * SECOND_US
    while first_us < quiet_us:
        next_us = _next_us(first_us, start_us, epoch_us, end_us)
        yield queue.take(next_us), first_us, (next_us - first_us) // SECOND_US
        first_us = next_us


class _Queue:
    """Results in order of receipt, taken from the front."""

    def __init__(self, results: ResultBatch) -> None:
        self._results = results
        self._received_us = np.maximum.accumulate(results.received_us)
        self._taken = 0

    def take(self, next_us: int) -> ResultBatch:
        """What had come by the last second before `next_us`."""
        first, self._taken = (
            self._taken,
            int(np.searchsorted(self._received_us, next_us - SECOND_US, "right")),
        )
        return self._results.select(slice(first, self._taken))

    def rest(self) -> ResultBatch:
        """What was not taken."""
        return self._results.select(slice(self._taken, len(self._results)))


def _next_us(first_us: int, start_us: int, epoch_us: int, end_us: int) -> int:
    """The first second of the next epoch, or the first after the end of probing when that is nearer."""
    boundary_us = (first_us // epoch_us + 1) * epoch_us
    next_us = start_us + -(-(boundary_us - start_us) // SECOND_US) * SECOND_US
    after_us = start_us + -(-(end_us - start_us) // SECOND_US) * SECOND_US
    return after_us if first_us < after_us < next_us else next_us


def _admitted(
    batches: Iterator[ResultBatch], admission: Admission, progress: Progress, keep: Keep
) -> Iterator[ResultBatch]:
    for results in batches:
        admitted = admission.admit(results)
        keep(admitted)
        yield admitted
        progress(len(results))
