"""`memory://`: results in numpy columns, bounded in number; for tests and for trying things out."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline.ranges import Ranges
from faultline_collector.results import Int64, Mask, ResultBatch, Source, concatenate
from faultline_collector.stores.ledger import Ledger
from faultline_collector.stores.order import DAY_US, MINUTE_US, kept_timings, newest, pages, step_us
from faultline_collector.stores.store import (
    AvailabilityCount,
    AvailabilityQuery,
    ReceivedRange,
    ResultQuery,
    StoreError,
)

MAX_RESULTS = 1_000_000


class MemoryStore:
    """Keeps the last `max_results`; what was appended first is forgotten first and counted in `forgotten`."""

    def __init__(self, max_results: int = MAX_RESULTS) -> None:
        self.forgotten = 0
        self._max_results = max_results
        self._lock = Lock()
        self._ledger = Ledger()
        self._batches: deque[ResultBatch] = deque()
        self._timing_names: set[str] = set()
        self._closed = False

    def append(self, results: ResultBatch, ranges: Sequence[ReceivedRange]) -> None:
        """See `Store`."""
        with self._lock:
            self._refuse_when_closed()
            results, fresh = self._ledger.admit(results, ranges)
            timings = kept_timings(results, self._timing_names)
            self._ledger.note(fresh)
            self._timing_names.update(timings)
            if len(results):
                self._batches.append(replace(results, timings_us=timings))
            self._forget()

    def received(self) -> dict[Source, Ranges]:
        """See `Store`."""
        with self._lock:
            return self._ledger.received()

    def results(self, query: ResultQuery) -> Iterator[ResultBatch]:
        """See `Store`."""
        everything = self._everything()
        found = everything.select(_selected(everything, query))
        yield from pages(newest(found) if query.latest else found, query)

    def availability(self, query: AvailabilityQuery) -> list[AvailabilityCount]:
        """See `Store`."""
        everything = self._everything()
        judged = everything.judged_us
        targets = _codes(everything.target_ids, query.target_groups)
        agents = _codes([s.agent_id for s in everything.sources], query.agent_groups)
        keep = (judged >= query.since_us) & (judged < query.until_us)
        if len(everything):
            keep &= (targets[everything.target] >= 0) & (agents[everything.source] >= 0)
        found = everything.select(keep)
        if not len(found):
            return []
        step = (found.judged_us - query.since_us) // step_us(query)
        keys = np.stack([targets[found.target], agents[found.source], step])
        groups, place = np.unique(keys, axis=1, return_inverse=True)
        return _counts(query, found, groups, place.reshape(-1))

    def expire(self, before_us: int) -> int:
        """See `Store`."""
        everything = self._everything()
        days = everything.judged_us // DAY_US
        old = (days + 1) * DAY_US <= before_us
        with self._lock:
            self._batches = deque([everything.select(~old)])
        return len(np.unique(days[old]))

    def close(self) -> None:
        """See `Store`; what was kept is gone."""
        with self._lock:
            self._closed = True
            self._batches.clear()

    def _everything(self) -> ResultBatch:
        with self._lock:
            self._refuse_when_closed()
            if len(self._batches) != 1:
                self._batches = deque([concatenate(tuple(self._batches))])
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


def _selected(results: ResultBatch, query: ResultQuery) -> Mask:
    judged = results.judged_us
    keep: Mask = (judged >= query.since_us) & (judged < query.until_us)
    if query.agent_ids is not None:
        wanted = [i for i, source in enumerate(results.sources) if source.agent_id in query.agent_ids]
        keep &= np.isin(results.source, wanted)
    if query.target_ids is not None:
        wanted = [i for i, target in enumerate(results.target_ids) if target in query.target_ids]
        keep &= np.isin(results.target, wanted)
    return keep


def _codes(ids: Sequence[str], groups: Mapping[str, str]) -> Int64:
    """The place of each id's group among the sorted groups, -1 without one."""
    places = {group: i for i, group in enumerate(sorted(set(groups.values())))}
    return np.array([places[groups[i]] if i in groups else -1 for i in ids], np.int64)


def _counts(
    query: AvailabilityQuery, found: ResultBatch, groups: Int64, place: Int64
) -> list[AvailabilityCount]:
    unknown = (found.outcome == Outcome.INCONCLUSIVE) | ((found.flags & Flag.SATURATED) != 0)
    ok = ~unknown & (found.outcome == Outcome.OK)
    number = groups.shape[1]
    oks, unknowns, alls = (np.bincount(place[mask], minlength=number) for mask in (ok, unknown, slice(None)))
    known = _known_us(query, found.judged_us[~unknown], place[~unknown], number)
    target_names = sorted(set(query.target_groups.values()))
    agent_names = sorted(set(query.agent_groups.values()))
    return [
        AvailabilityCount(
            target_group=target_names[groups[0, i]],
            agent_group=agent_names[groups[1, i]],
            start_us=query.since_us + int(groups[2, i]) * step_us(query),
            ok=int(oks[i]),
            failed=int(alls[i] - oks[i] - unknowns[i]),
            unknown=int(unknowns[i]),
            known_us=int(known[i]),
        )
        for i in range(number)
    ]


def _known_us(query: AvailabilityQuery, judged: Int64, place: Int64, number: int) -> Int64:
    """Microseconds of each group's step that lie in a minute with a result that tells something."""
    minutes = np.unique(
        np.stack([place, judged // MINUTE_US, (judged - query.since_us) // step_us(query)]), axis=1
    )
    group, minute, step = minutes
    begin = np.maximum(minute * MINUTE_US, query.since_us + step * step_us(query))
    end = np.minimum((minute + 1) * MINUTE_US, query.since_us + (step + 1) * step_us(query))
    known = np.zeros(number, np.int64)
    np.add.at(known, group, np.minimum(end, query.until_us) - begin)
    return known
