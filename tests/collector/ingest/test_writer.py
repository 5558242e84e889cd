"""Group commit: nothing is settled before it is durable, and the queue is bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from faultline.ranges import Ranges
from faultline.v1 import results_pb2
from faultline_collector.fleet import Fleet
from faultline_collector.ingest.admit import Refusal
from faultline_collector.ingest.decode import Arrival, claimed
from faultline_collector.ingest.reading import Claim
from faultline_collector.ingest.writer import Limits, Parcel, Writer, joined
from faultline_collector.metrics import Metrics
from faultline_collector.results import Source
from faultline_collector.stores.store import ReceivedRange
from tests.collector.ingest.worlds import NOW_US, SOURCE, Judgement, SlowStore, batch

TARGETS = frozenset({"web"})


def parcel(first: int, count: int, settled: list[int]) -> Parcel:
    """Results from `first` on; notes `first` when they are settled."""
    return Parcel(SOURCE, claim(batch(first, count)), (), lambda _: settled.append(first))


def claim(message: results_pb2.Batch) -> Claim:
    """All of a batch, from an agent of a fleet with one target."""
    first, last = claimed(message)
    return Claim(Arrival(message, SOURCE, 0, NOW_US), Ranges([(first, last)]), TARGETS)


class Bench:
    """A writer before a slow store."""

    def __init__(self, limits: Limits, store: SlowStore | None = None, *, failures: int = 0) -> None:
        self.store = store or SlowStore(failures=failures)
        self.judgement = Judgement()
        self.metrics = Metrics()
        self.settled: list[int] = []
        self.slept: list[float] = []
        self.tried_thrice = asyncio.Event()
        self.problems: list[str] = []
        self.writer = Writer(
            self.store, self.judgement.take, self.metrics, Fleet(), limits=limits, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 4:
            self.tried_thrice.set()
        self.problems.append(self.writer.problem)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the writer; at the end all that waits is stored."""
        task = asyncio.create_task(self.writer.run())
        try:
            yield
        finally:
            self.store.gate.set()
            self.writer.close()
            await task


async def test_nothing_is_settled_before_it_is_durable() -> None:
    """While the store is busy neither acknowledgement nor judgement happens."""
    bench = Bench(Limits(gather_s=0))
    bench.store.gate.clear()
    async with bench.running():
        bench.writer.put(parcel(1, 3, bench.settled))
        assert await asyncio.to_thread(bench.store.entered.wait, 30)
        assert (bench.settled, bench.judgement.sequences) == ([], [])
        assert bench.writer.waiting == 3
    assert (bench.settled, bench.judgement.sequences) == ([1], [1, 2, 3])
    assert bench.writer.waiting == 0


async def test_what_waits_is_appended_at_once() -> None:
    """Parcels that came while the store was busy go into one append, up to the bound of a group."""
    bench = Bench(Limits(group=10, gather_s=0))
    for first in range(1, 22, 3):
        bench.writer.put(parcel(first, 3, bench.settled))
    async with bench.running():
        pass
    assert bench.store.appends == [9, 9, 3]
    assert bench.settled == list(range(1, 22, 3))


async def test_a_parcel_greater_than_a_group_goes_alone() -> None:
    """The bound of a group never leaves a parcel behind."""
    bench = Bench(Limits(group=2, gather_s=0))
    bench.writer.put(parcel(1, 5, bench.settled))
    bench.writer.put(parcel(6, 1, bench.settled))
    async with bench.running():
        pass
    assert bench.store.appends == [5, 1]


async def test_a_failing_store_is_tried_again_and_told() -> None:
    """Failures are counted, told and waited out; the same results are stored once it works."""
    bench = Bench(Limits(gather_s=0), failures=3)
    async with bench.running():
        bench.writer.put(parcel(1, 3, bench.settled))
    assert bench.settled == [1]
    assert bench.writer.problem == ""
    assert bench.metrics.registry.get_sample_value("faultline_store_errors_total") == 3
    delays = [s for s in bench.slept if s]
    assert len(delays) == 3
    assert delays[0] <= 0.2


async def test_the_problem_of_a_store_can_be_read() -> None:
    """While the store fails, the writer says why in one sentence."""
    bench = Bench(Limits(gather_s=0), failures=1)
    async with bench.running():
        bench.writer.put(parcel(1, 3, bench.settled))
    assert bench.problems[-1] == "the disk is full"


async def test_a_full_queue_has_no_room() -> None:
    """Senders wait while the queue is full, and go on once it is not."""
    bench = Bench(Limits(waiting=5, gather_s=0))
    bench.store.gate.clear()
    async with bench.running():
        bench.writer.put(parcel(1, 6, bench.settled))
        waiting = asyncio.create_task(bench.writer.room())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        bench.store.gate.set()
        async with asyncio.timeout(30):
            await waiting
    assert bench.settled == [1]


async def test_parcels_without_results_take_room_too() -> None:
    """Ranges alone are bounded as well."""
    bench = Bench(Limits(waiting=2, gather_s=0))
    for _ in range(2):
        bench.writer.put(
            Parcel(SOURCE, None, (ReceivedRange(SOURCE, 1, 9, "dropped", "age"),), lambda _: None)
        )
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bench.writer.room()
    async with bench.running():
        pass
    assert bench.judgement.batches == []


@pytest.mark.parametrize(
    ("buggy", "why"),
    [
        pytest.param(False, "a value does not fit", id="the-store-says-so"),
        pytest.param(True, "ValueError: no such day", id="a-bug"),
    ],
)
async def test_what_can_never_be_stored_is_rejected_alone(buggy: bool, why: str) -> None:
    """A parcel that spoils its group holds nobody back: it alone is rejected, with a reason."""
    bench = Bench(Limits(gather_s=0), SlowStore(poison=frozenset({8}), buggy=buggy))
    refused: list[Refusal] = []
    for first in (1, 4, 10, 13):
        bench.writer.put(parcel(first, 3, bench.settled))
    bench.writer.put(Parcel(SOURCE, claim(batch(7, 3)), (), refused.extend))
    async with bench.running():
        pass
    assert bench.settled == [1, 4, 10, 13]
    assert refused == [Refusal("store", 7, 9, why)]
    assert sorted(bench.judgement.sequences) == [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15]
    assert list(bench.store.received()[SOURCE]) == [(1, 15)]
    assert bench.metrics.registry.get_sample_value("faultline_results_total", {"fate": "rejected"}) == 3
    assert (bench.writer.waiting, bench.writer.problem) == (0, "")


async def test_a_store_that_is_gone_for_good_rejects_nothing() -> None:
    """Where not even a rejection can be kept, it is not the parcel's fault: it waits, and is not lost."""
    bench = Bench(Limits(gather_s=0))
    bench.store.close()
    bench.writer.put(parcel(1, 3, bench.settled))
    task = asyncio.create_task(bench.writer.run())
    async with asyncio.timeout(30):
        await bench.tried_thrice.wait()
    task.cancel()
    await asyncio.wait([task])
    assert bench.problems[-1] == "the store is closed"
    assert (bench.settled, bench.writer.waiting) == ([], 3)


async def test_left_out_timings_are_counted() -> None:
    """A store keeps so many names of timings; what it leaves out can be seen."""
    bench = Bench(Limits(gather_s=0))
    names = [f"t_{a}{b}" for a in "abcdefghij" for b in "abcdefgh"]
    for i in range(0, 80, 10):
        timings = [results_pb2.Timing(name=name, us=[5, 5, -1]) for name in names[i : i + 10]]
        message = batch(1 + 3 * i, 3, timings=timings)
        bench.writer.put(Parcel(SOURCE, claim(message), (), lambda _: None))
    async with bench.running():
        pass
    assert bench.metrics.registry.get_sample_value("faultline_left_out_timings_total") == 2 * (80 - 63)


async def test_closing_twice_is_safe() -> None:
    """A writer that is closed ends once, with all that waited stored."""
    bench = Bench(Limits(gather_s=0))
    bench.writer.put(parcel(1, 1, bench.settled))
    async with bench.running():
        bench.writer.close()
    bench.writer.close()
    assert bench.settled == [1]


def test_ranges_are_joined_by_source_fate_and_reason() -> None:
    """Neighbours become one range; what differs in fate stays apart."""
    other = Source("west-1", "spool-2")
    parts = [
        ReceivedRange(SOURCE, 1, 3),
        ReceivedRange(other, 4, 6),
        ReceivedRange(SOURCE, 4, 6),
        ReceivedRange(SOURCE, 7, 7, "rejected", "oversize"),
        ReceivedRange(SOURCE, 9, 9),
    ]
    assert joined(parts) == [
        ReceivedRange(SOURCE, 1, 6),
        ReceivedRange(SOURCE, 9, 9),
        ReceivedRange(other, 4, 6),
        ReceivedRange(SOURCE, 7, 7, "rejected", "oversize"),
    ]
