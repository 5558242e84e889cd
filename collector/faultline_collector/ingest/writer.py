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
from faultline_collector.fleet import Fleet
from faultline_collector.ingest.admit import Refusal
from faultline_collector.ingest.reading import Claim, read
from faultline_collector.metrics import Metrics
from faultline_collector.results import ResultBatch, Source, empty_batch
from faultline_collector.stores.store import ReceivedRange, Store, StoreError

_log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """A batch to be read, or ranges, that become durable together.

    Once they are, `settled` is called with what of the batch was refused. A parcel without either waits for
    those before it.
    """

    source: Source
    claim: Claim | None
    ranges: tuple[ReceivedRange, ...]
    settled: Callable[[tuple[Refusal, ...]], None]

    @property
    def weight(self) -> int:
        """What it takes of the queue, in results; a parcel without any still takes a place."""
        return 1 if self.claim is None else self.claim.arrival.batch.count


@dataclass(frozen=True, slots=True, eq=False)
class Lot:
    """A group that was read: what is to be appended, and for each of its parcels what was refused."""

    parcels: Sequence[Parcel]
    results: ResultBatch
    ranges: list[ReceivedRange]
    refusals: list[tuple[Refusal, ...]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the writer: results that may wait, results of one append, and how long to gather them."""

    waiting: int = 200_000
    group: int = 50_000
    gather_s: float = 0.05


class Writer:
    """A bounded queue before the store, and the one task that empties it.

    Whatever waits is read and appended at once (group commit); nothing is settled before it is durable. When
    the store fails, the same group is tried again until it is taken, and `room` holds the senders back;
    `problem` says why, in one sentence. A group that can never be stored is halved until the parcel that
    spoils it stands alone: that one is rejected.
    """

    def __init__(
        self,
        store: Store,
        hand_on: Callable[[ResultBatch], None],
        metrics: Metrics,
        fleet: Fleet,
        *,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._hand_on = hand_on
        self._metrics = metrics
        self._fleet = fleet
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

    def refit(self, fleet: Fleet) -> None:
        """Takes over a changed fleet."""
        self._fleet = fleet

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

    async def _commit(self, group: Sequence[Parcel]) -> None:
        failures = 0
        while isinstance(lot := await self._attempt(group), StoreError):
            if lot.permanent and len(group) > 1:
                middle = len(group) // 2
                await self._commit(group[:middle])
                await self._commit(group[middle:])
                return
            failures += 1
            await self._sleep(self._backoff.delay_s(failures, self._random))
        self._settle(lot)

    def _settle(self, lot: Lot) -> None:
        for received in lot.ranges:
            self._metrics.results.labels(received.fate).inc(received.last - received.first + 1)
        for parcel, refusals in zip(lot.parcels, lot.refusals, strict=True):
            parcel.settled(refusals)
        if len(lot.results):
            self._hand_on(lot.results)
        self._waiting -= sum(parcel.weight for parcel in lot.parcels)
        self._metrics.queue.set(self._waiting)
        self._room.set()

    async def _attempt(self, group: Sequence[Parcel]) -> Lot | StoreError:
        """Stores a group, or tells why not; a single parcel that can never be stored is rejected."""
        try:
            lot, took_s, left_out = await asyncio.to_thread(_append, self._store, group, self._fleet)
        except StoreError as error:
            rejected = error.permanent and len(group) == 1 and await self._reject(group[0], str(error))
            if not rejected:
                self._note_failure(error)
            return rejected or error
        if self.problem:
            _log.info("store works again")
        self.problem = ""
        self._metrics.append.observe(took_s)
        self._metrics.left_out_timings.inc(left_out)
        return lot

    def _note_failure(self, error: StoreError) -> None:
        self._metrics.store_errors.inc()
        if not self.problem:
            _log.error("store fails, agents are held back", error=str(error), waiting=self._waiting)
        self.problem = str(error)

    async def _reject(self, parcel: Parcel, why: str) -> Lot | None:
        """Has a parcel noted as rejected; None where even that fails, for then the store itself is ill."""
        lot = _rejected(parcel, why)
        try:
            await asyncio.to_thread(self._store.append, lot.results, lot.ranges, self._fleet)
        except StoreError:
            return None
        _log.error("results cannot be stored, and are rejected", agent=parcel.source.agent_id, error=why)
        return lot


def _append(store: Store, group: Sequence[Parcel], fleet: Fleet) -> tuple[Lot, float, int]:
    try:
        lot = _read(group)
        began = perf_counter()
        left_out = store.append(lot.results, lot.ranges, fleet) if lot.ranges else 0
        return lot, perf_counter() - began, left_out
    except StoreError:
        raise
    except Exception as error:
        # A batch that brings reading down would come again after every restart.
        raise StoreError(f"{type(error).__name__}: {error}", permanent=True) from error


def _read(group: Sequence[Parcel]) -> Lot:
    reading = read([parcel.claim for parcel in group if parcel.claim is not None])
    found = iter(reading.refusals)
    refusals = [next(found) if parcel.claim is not None else () for parcel in group]
    ranges = (
        received
        for parcel, refused in zip(group, refusals, strict=True)
        for received in (*parcel.ranges, *_fates(parcel, refused))
    )
    return Lot(group, reading.results, joined(ranges), refusals)


def _rejected(parcel: Parcel, why: str) -> Lot:
    missing = parcel.claim.missing if parcel.claim is not None else ()
    refusals = tuple(Refusal("store", first, last, why) for first, last in missing)
    ranges = joined((*parcel.ranges, *_fates(parcel, refusals)))
    return Lot((parcel,), empty_batch(), ranges, [refusals])


def _fates(parcel: Parcel, refusals: Sequence[Refusal]) -> Iterable[ReceivedRange]:
    """What becomes of the sequences that a parcel claims."""
    if parcel.claim is None:
        return
    refused = Ranges((refusal.first, refusal.last) for refusal in refusals)
    for refusal in refusals:
        yield ReceivedRange(parcel.source, refusal.first, refusal.last, "rejected", refusal.reason)
    for first, last in parcel.claim.missing:
        for low, high in refused.missing(first, last) if refusals else ((first, last),):
            yield ReceivedRange(parcel.source, low, high)


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
