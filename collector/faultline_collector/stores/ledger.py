"""What was ever received, by source: the part of exactly-once that all stores share. Pure."""

from collections.abc import Iterable, Sequence

import numpy as np

from faultline.ranges import Ranges
from faultline_collector.results import Mask, ResultBatch, Source
from faultline_collector.stores.store import ReceivedRange, StoreError

STORED = "stored"


class Ledger:
    """Ranges that never need to be sent again. What was received once is never admitted twice."""

    def __init__(self, ranges: Iterable[ReceivedRange] = ()) -> None:
        self._held: dict[Source, Ranges] = {}
        self.note(ranges)

    def note(self, ranges: Iterable[ReceivedRange]) -> None:
        """Takes ranges up, once they are durable."""
        for item in ranges:
            self._held.setdefault(item.source, Ranges()).add(item.first, item.last)

    def received(self) -> dict[Source, Ranges]:
        """All that is held, as copies."""
        return {source: ranges.copy() for source, ranges in self._held.items()}

    def admit(
        self, results: ResultBatch, ranges: Sequence[ReceivedRange]
    ) -> tuple[ResultBatch, list[ReceivedRange]]:
        """What of results and ranges is new; raises StoreError when results and stored ranges disagree."""
        fresh = self._fresh(ranges)
        if fresh != list(ranges):
            results = results.select(_covered(results, fresh))
        stored = sum(item.last - item.first + 1 for item in fresh if item.fate == STORED)
        if stored != len(results):
            raise StoreError(f"{len(results)} results, but the ranges say {stored} stored", permanent=True)
        return results, fresh

    def _fresh(self, ranges: Sequence[ReceivedRange]) -> list[ReceivedRange]:
        coming: dict[Source, Ranges] = {}
        fresh = []
        for item in ranges:
            held = self._held.get(item.source, Ranges())
            now = coming.setdefault(item.source, Ranges())
            for low, high in held.missing(item.first, item.last):
                for first, last in now.missing(low, high):
                    fresh.append(ReceivedRange(item.source, first, last, item.fate, item.reason))
            now.add(item.first, item.last)
        return fresh


def _covered(results: ResultBatch, ranges: list[ReceivedRange]) -> Mask:
    """Which results lie in the stored ranges, each sequence once."""
    keep = np.zeros(len(results), np.bool_)
    sequence = results.sequence
    for item in ranges:
        if item.fate == STORED and item.source in results.sources:
            rows = results.source == results.sources.index(item.source)
            keep |= rows & (sequence >= item.first) & (sequence <= item.last)
    order = np.lexsort((sequence, results.source))
    again = np.zeros(len(results), np.bool_)
    again[order[1:]] = (np.diff(results.source[order]) == 0) & (np.diff(sequence[order]) == 0)
    return keep & ~again


def merged(ranges: Iterable[ReceivedRange]) -> list[ReceivedRange]:
    """The same ranges in as few as can be, by source, fate and reason."""
    runs: dict[tuple[Source, str, str], Ranges] = {}
    for item in ranges:
        runs.setdefault((item.source, item.fate, item.reason), Ranges()).add(item.first, item.last)
    return [
        ReceivedRange(source, first, last, fate, reason)
        for (source, fate, reason), held in sorted(runs.items(), key=lambda run: run[0])
        for first, last in held
    ]
