"""Results in order of their receipt, from a history that is read by the time of their start."""

from collections.abc import Iterator

import numpy as np

from faultline_collector.results import ResultBatch, concatenate
from faultline_collector.stores.influxdb.history import History, Wanted
from faultline_collector.stores.influxdb.lines import IN_TIME_US
from faultline_collector.stores.order import MINUTE_US, PAGE_RESULTS, in_order, newest
from faultline_collector.stores.store import ResultQuery, StoreError
from faultline_collector.stores.summary import Span

_FIRST_US = MINUTE_US
_WIDER = 8
_SOON_US, _LATE_US = IN_TIME_US


class Stream:
    """Answers one query, a stretch of time after the other, so that few results are held at once.

    A result that came in time was received within a minute of its start: once a stretch is read, all received
    before a certain time are known. The others are few, and read at the begin. When InfluxDB cannot be asked,
    the stream gives what waits in the outbox and then raises StoreError.
    """

    def __init__(self, history: History, query: ResultQuery) -> None:
        self._history = history
        self._query = query
        self._failure: StoreError | None = None

    def pages(self) -> Iterator[ResultBatch]:
        """What `Store.results` gives."""
        left = self._query.limit
        found = self._newest() if self._query.latest else self._all()
        for results in found:
            ordered = in_order(results, newest_first=self._query.newest_first)
            if self._query.limit:
                ordered = ordered.select(slice(0, left))
                left -= len(ordered)
            for start in range(0, len(ordered), PAGE_RESULTS):
                yield ordered.select(slice(start, start + PAGE_RESULTS))
            if self._query.limit and not left:
                return
        if self._failure is not None:
            raise self._failure

    def _newest(self) -> Iterator[ResultBatch]:
        last = concatenate(())
        for _, results in self._stretches(None):
            last = newest(concatenate([last, results]))
        yield last

    def _all(self) -> Iterator[ResultBatch]:
        """Batches of which each holds all that was received before the next, or after it."""
        held = self._read(self._span, in_time=False)
        for span, results in self._stretches(in_time=True):
            held = concatenate([held, results])
            ready = self._is_complete(held, span)
            yield held.select(ready)
            held = held.select(~ready)
        yield held

    def _is_complete(self, held: ResultBatch, span: Span) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which results were received at a time of which no stretch yet to come can tell."""
        if self._query.newest_first:
            return held.received_us > span.since_us + _LATE_US
        return held.received_us < span.until_us + _SOON_US

    @property
    def _span(self) -> Span:
        return Span(self._query.since_us, self._query.until_us)

    def _stretches(self, in_time: bool | None) -> Iterator[tuple[Span, ResultBatch]]:
        """The window in stretches of about a page each, in the order of the query."""
        left, width_us = self._extent(), _FIRST_US
        while left.since_us < left.until_us:
            if self._query.newest_first:
                middle_us = max(left.since_us, left.until_us - width_us)
                span, left = Span(middle_us, left.until_us), Span(left.since_us, middle_us)
            else:
                middle_us = min(left.until_us, left.since_us + width_us)
                span, left = Span(left.since_us, middle_us), Span(middle_us, left.until_us)
            results = self._read(span, in_time)
            yield span, results
            width_us = max(
                1, min(_WIDER, 2 * PAGE_RESULTS // max(len(results), 1)) * width_us or width_us // 2
            )

    def _extent(self) -> Span:
        try:
            return self._history.extent(self._span)
        except StoreError as error:
            self._failure = error
            return self._history.extent_waiting(self._span)

    def _read(self, span: Span, in_time: bool | None) -> ResultBatch:
        wanted = Wanted(self._query.agent_ids, self._query.target_ids, in_time, self._query.families)
        if self._failure is None:
            try:
                return self._history.read(span, wanted).results
            except StoreError as error:
                self._failure = error
        return self._history.waiting(span, wanted).results
