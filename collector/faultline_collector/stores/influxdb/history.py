"""What was stored, out of InfluxDB and the outbox together, each result once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from faultline_collector.results import Mask, ResultBatch
from faultline_collector.stores.influxdb.lines import BACKLOG, IN_TIME_US, RECORD
from faultline_collector.stores.influxdb.outbox import Item, Outbox
from faultline_collector.stores.influxdb.reading import extent, extent_query, records, records_query
from faultline_collector.stores.influxdb.server import Ask
from faultline_collector.stores.places import PlacedResults, gathered
from faultline_collector.stores.rollups import code_of
from faultline_collector.stores.summary import Span


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results are read: of these agents and targets (None: all), and those that came in time or not."""

    agent_ids: frozenset[str] | None = None
    target_ids: frozenset[str] | None = None
    in_time: bool | None = None
    families: frozenset[int] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of InfluxDB in which they are."""
        return {None: (RECORD, BACKLOG), True: (RECORD,), False: (BACKLOG,)}[self.in_time]

    def among(self, results: ResultBatch, span: Span) -> Mask:
        """Which of the results are wanted and start in the span."""
        judged = results.judged_us
        keep: Mask = (judged >= span.since_us) & (judged < span.until_us)
        if self.agent_ids is not None:
            keep &= np.array([s.agent_id in self.agent_ids for s in results.sources], np.bool_)[
                results.source
            ]
        if self.target_ids is not None:
            keep &= np.array([t in self.target_ids for t in results.target_ids], np.bool_)[results.target]
        if self.families is not None:
            keep &= np.isin(results.family, sorted(self.families))
        if self.in_time is not None:
            keep &= came_in_time(results) == self.in_time
        return keep


def came_in_time(results: ResultBatch) -> Mask:
    """Which results were received soon after their start."""
    late = results.received_us - results.judged_us
    return (late >= IN_TIME_US[0]) & (late <= IN_TIME_US[1])


class History:
    """Reads results by the time of their start; `ask` gives the rows of a Flux query's answer."""

    def __init__(self, bucket: str, outbox: Outbox, ask: Ask) -> None:
        self._bucket = bucket
        self._outbox = outbox
        self._ask = ask

    def read(self, span: Span, wanted: Wanted) -> PlacedResults:
        """All wanted results that start in the span; raises StoreError when InfluxDB cannot be asked."""
        # What waits is taken first: what leaves the outbox meanwhile is then in both, never in neither.
        waiting = self.waiting(span, wanted)
        return (
            once(gathered([self.stored(span, wanted), waiting]))
            if len(waiting)
            else self.stored(span, wanted)
        )

    def stored(self, span: Span, wanted: Wanted) -> PlacedResults:
        """Those that InfluxDB has; raises StoreError when it cannot be asked."""
        if (
            frozenset() in (wanted.agent_ids, wanted.target_ids, wanted.families)
            or span.since_us >= span.until_us
        ):
            return gathered(())
        ids = (("agent", wanted.agent_ids), ("target", wanted.target_ids))
        flux = records_query(self._bucket, wanted.fields, span, ids)
        found = records(self._ask(flux))
        return found.select(wanted.among(found.results, span))

    def waiting(self, span: Span, wanted: Wanted) -> PlacedResults:
        """Those that the outbox has and InfluxDB may not have; raises StoreError."""
        parts = []
        for item in _overlapping(self._outbox.unsent(), span):
            if (entry := self._outbox.read(item)) is not None:
                parts.append(entry.placed.select(wanted.among(entry.placed.results, span)))
        return gathered(parts)

    def extent(self, span: Span) -> Span:
        """The part of the span in which there are results; raises StoreError."""
        waiting = _overlapping(self._outbox.unsent(), span)
        spans = [Span(item.since_us, item.until_us) for item in waiting]
        spans += extent(self._ask(extent_query(self._bucket, span)))
        return within(span, spans)

    def extent_waiting(self, span: Span) -> Span:
        """The part of the span in which results wait in the outbox."""
        return within(span, [Span(i.since_us, i.until_us) for i in _overlapping(self._outbox.unsent(), span)])


def within(span: Span, spans: Sequence[Span]) -> Span:
    """The part of a span that other spans cover, with what lies between them."""
    since_us = max(span.since_us, min((one.since_us for one in spans), default=span.until_us))
    until_us = min(span.until_us, max((one.until_us for one in spans), default=since_us))
    return Span(since_us, max(since_us, until_us))


def once(found: PlacedResults) -> PlacedResults:
    """Each result once, by source and sequence."""
    results = found.results
    _, sequence = np.unique(results.sequence, return_inverse=True)
    _, first = np.unique(code_of((results.source, sequence)), return_index=True)
    return found if len(first) == len(found) else found.select(np.sort(first))


def _overlapping(items: Iterable[Item], span: Span) -> list[Item]:
    return [i for i in items if i.results and i.since_us < span.until_us and i.until_us > span.since_us]
