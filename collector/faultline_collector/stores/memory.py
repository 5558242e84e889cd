"""`memory://`: results in numpy columns, bounded in number; for tests and for trying things out."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np

from faultline.ranges import Ranges
from faultline_collector.fleet import Fleet
from faultline_collector.results import Mask, ResultBatch, Source
from faultline_collector.stores.answering import answer
from faultline_collector.stores.ledger import Ledger
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.order import DAY_US, LONG_AGO_US, kept_timings, left_out, newest, pages
from faultline_collector.stores.places import PlacedResults, gathered, placed, places_of
from faultline_collector.stores.plan import plan
from faultline_collector.stores.rollups import WIDTHS_US, Cells, fold, merged
from faultline_collector.stores.store import ReceivedRange, ResultQuery, StoreError, Upkeep
from faultline_collector.stores.summary import Span, Summary, SummaryQuery

MAX_RESULTS = 1_000_000


class MemoryStore:
    """Keeps the last `max_results`; what was appended first is forgotten first and counted in `forgotten`."""

    def __init__(self, max_results: int = MAX_RESULTS) -> None:
        self.forgotten = 0
        self._max_results = max_results
        self._lock = Lock()
        self._ledger = Ledger()
        self._batches: deque[PlacedResults] = deque()
        self._timing_names: set[str] = set()
        self._cells = {width_us: fold(gathered(()), width_us) for width_us in WIDTHS_US}
        self._raw_from_us = self._rollups_from_us = LONG_AGO_US
        self._closed = False

    def append(self, results: ResultBatch, ranges: Sequence[ReceivedRange], fleet: Fleet) -> int:
        """See `Store`."""
        with self._lock:
            self._refuse_when_closed()
            results, fresh = self._ledger.admit(results, ranges)
            timings = kept_timings(results, self._timing_names)
            self._ledger.note(fresh)
            self._timing_names.update(timings)
            if len(results):
                self._batches.append(placed(replace(results, timings_us=timings), places_of(fleet)))
            self._forget()
            return left_out(results, timings)

    def received(self) -> dict[Source, Ranges]:
        """See `Store`."""
        with self._lock:
            return self._ledger.received()

    def results(self, query: ResultQuery) -> Iterator[ResultBatch]:
        """See `Store`."""
        everything = self._everything().results
        found = everything.select(_selected(everything, query))
        yield from pages(newest(found) if query.latest else found, query)

    def summary(self, query: SummaryQuery) -> Summary:
        """See `Store`."""
        everything = self._everything()
        judged = everything.results.judged_us

        def results(span: Span) -> PlacedResults:
            return everything.select((judged >= span.since_us) & (judged < span.until_us))

        def cells(span: Span, width_us: int) -> list[Cells]:
            beginning = results(Span(span.since_us, span.until_us + width_us))
            return [self._cells[width_us], fold(beginning, width_us)]

        return answer(query, plan(query, self._raw_from_us, self._rollups_from_us), results, cells)

    def upkeep(self, raw_before_us: int, rollups_before_us: int) -> Upkeep:
        """See `Store`; results become roll-ups when they are forgotten."""
        everything = self._everything()
        days = everything.results.judged_us // DAY_US
        with self._lock:
            self._raw_from_us = max(self._raw_from_us, raw_before_us // DAY_US * DAY_US)
            self._rollups_from_us = max(self._rollups_from_us, rollups_before_us // DAY_US * DAY_US)
            old = (days + 1) * DAY_US <= raw_before_us
            for width_us, cells in self._cells.items():
                every = merged([cells, fold(everything.select(old), width_us)])
                self._cells[width_us] = every.select(every.start_us >= self._rollups_from_us)
            self._batches = deque([everything.select(~old)])
        return Upkeep(dropped=len(np.unique(days[old])))

    def close(self) -> None:
        """See `Store`; what was kept is gone."""
        with self._lock:
            self._closed = True
            self._batches.clear()

    def _everything(self) -> PlacedResults:
        with self._lock:
            self._refuse_when_closed()
            if len(self._batches) != 1:
                self._batches = deque([gathered(tuple(self._batches))])
            return self._batches[0]

    def _forget(self) -> None:
        excess = sum(map(len, self._batches)) - self._max_results
        while excess > 0:
            oldest = self._batches.popleft()
            if len(oldest) > excess:
                self._batches.appendleft(oldest.select(slice(excess, None)))
            gone = min(excess, len(oldest))
            self.forgotten += gone
            excess -= gone

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreError("the store is closed", permanent=True)


def memory_at(place: str) -> Callable[[StoreOptions], MemoryStore]:
    """What makes an empty store; `place` is empty too."""
    if place:
        raise StoreError(f"memory:// takes nothing behind it, not {place!r}", permanent=True)
    return lambda _: MemoryStore()


def _selected(results: ResultBatch, query: ResultQuery) -> Mask:
    judged = results.judged_us
    keep: Mask = (judged >= query.since_us) & (judged < query.until_us)
    if query.agent_ids is not None:
        wanted = [i for i, source in enumerate(results.sources) if source.agent_id in query.agent_ids]
        keep &= np.isin(results.source, wanted)
    if query.target_ids is not None:
        wanted = [i for i, target in enumerate(results.target_ids) if target in query.target_ids]
        keep &= np.isin(results.target, wanted)
    if query.families is not None:
        keep &= np.isin(results.family, sorted(query.families))
    return keep
