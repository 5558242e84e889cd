"""Makes results durable in groups, then tells everyone who waits for it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter

import structlog

from faultline.backoff import Backoff
from faultline.ranges import Ranges
from faultline_collector.metrics import Metrics
from faultline_collector.results import ResultBatch, Source, concatenate
from faultline_collector.stores.store import ReceivedRange, Store, StoreError

_log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """Results and ranges that become durable together; `settled` is called once they are."""

    results: ResultBatch | None
    ranges: tuple[ReceivedRange, ...]
    settled: Callable[[], None]

    @property
    def weight(self) -> int:
        """What it takes of the queue, in results; a parcel without any still takes a place."""
        return 1 if self.results is None else max(1, len(self.results))


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the writer: results that may wait, results of one append, and how long to gather them."""

    waiting: int = 200_000
    group: int = 50_000
    gather_s: float = 0.05


class Writer:
    """A bounded queue before the store, and the one task that empties it.

    Whatever waits is appended at once (group commit); nothing is settled before it is durable. When the
    store fails, the same group is tried again until it is taken, and `room` holds the senders back; `problem`
    says why, in one sentence.
    """

    def __init__(
        self,
        store: Store,
        hand_on: Callable[[ResultBatch], None],
        metrics: Metrics,
        *,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._hand_on = hand_on
        self._metrics = metrics
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff(first_s=0.2, most_s=10)
        self._random = Random()
        self._sleep = sleep
        self._queue: deque[Parcel] = deque()
        self._waiting = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = False
        self.problem = ""

    @property
    def waiting(self) -> int:
        """Results (and parcels without results) that wait or are being stored."""
        return self._waiting

    async def room(self) -> None:
        """Waits until the queue is no longer full."""
        while self._waiting >= self._limits.waiting:
            self._room.clear()
            await self._room.wait()

    def put(self, parcel: Parcel) -> None:
        """Queues a parcel; callers wait for `room` first, so that the bound is exceeded by one at most."""
        self._queue.append(parcel)
        self._waiting += parcel.weight
        self._some.set()

    def close(self) -> None:
        """Lets `run` end once the queue is empty; safe twice."""
        self._closing = True
        self._some.set()

    async def run(self) -> None:
        """Stores what comes until `close` was called and nothing waits."""
        while True:
            await self._some.wait()
            if not self._queue:
                return
            if self._waiting < self._limits.group and not self._closing:
                await self._sleep(self._limits.gather_s)
            await self._commit(self._next_group())
            if not self._queue and not self._closing:
                self._some.clear()

    def _next_group(self) -> list[Parcel]:
        group = [self._queue.popleft()]
        weight = group[0].weight
        while self._queue and weight + self._queue[0].weight <= self._limits.group:
            group.append(self._queue.popleft())
            weight += group[-1].weight
        return group

    async def _commit(self, group: list[Parcel]) -> None:
        results = await self._store_until_taken(group)
        for parcel in group:
            parcel.settled()
        if len(results):
            self._hand_on(results)
        self._waiting -= sum(parcel.weight for parcel in group)
        self._metrics.queue.set(self._waiting)
        self._room.set()

    async def _store_until_taken(self, group: list[Parcel]) -> ResultBatch:
        failures = 0
        while True:
            try:
                results, took_s = await asyncio.to_thread(_append, self._store, group)
            except StoreError as error:
                failures += 1
                self.problem = str(error)
                self._metrics.store_errors.inc()
                if failures == 1:
                    _log.error("store fails, agents are held back", error=str(error), waiting=self._waiting)
                await self._sleep(self._backoff.delay_s(failures, self._random))
                continue
            if failures:
                _log.info("store works again", failures=failures)
            self.problem = ""
            self._metrics.append.observe(took_s)
            return results


def _append(store: Store, group: Sequence[Parcel]) -> tuple[ResultBatch, float]:
    results = concatenate([parcel.results for parcel in group if parcel.results is not None])
    ranges = joined(received for parcel in group for received in parcel.ranges)
    began = perf_counter()
    if len(results) or ranges:
        store.append(results, ranges)
    return results, perf_counter() - began


def joined(ranges: Iterable[ReceivedRange]) -> list[ReceivedRange]:
    """The same sequences in as few ranges as can be."""
    sets: dict[tuple[Source, str, str], Ranges] = {}
    for one in ranges:
        sets.setdefault((one.source, one.fate, one.reason), Ranges()).add(one.first, one.last)
    return [
        ReceivedRange(source, first, last, fate, reason)
        for (source, fate, reason), runs in sets.items()
        for first, last in runs
    ]
