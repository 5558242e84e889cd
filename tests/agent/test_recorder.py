"""From results to batches on disk."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from faultline.outcomes import Outcome
from faultline.ranges import Ranges
from faultline_agent import recorder as module
from faultline_agent.outbox import Outbox
from faultline_agent.recorder import MOST_IN_BATCH, MOST_WAITING, Recorder
from faultline_agent.results import Result
from faultline_agent.spool import Spool
from tests.agent.stage import KeptLog, SetClocks, eventually, open_spool, plain_encode, result


class FullDisk:
    """An encoding that fails like a full disk while it is told to."""

    def __init__(self) -> None:
        self.full = False

    def __call__(self, results: Sequence[Result], first_sequence: int) -> bytes:
        """Encodes, unless the disk is full."""
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        return plain_encode(results, first_sequence)


@pytest.fixture
def disk() -> FullDisk:
    """The disk under the outbox."""
    return FullDisk()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """The spool under the outbox."""
    return open_spool(tmp_path)


@pytest.fixture
async def outbox(spool: Spool, disk: FullDisk) -> AsyncIterator[Outbox]:
    """An outbox that is closed at the end."""
    outbox = Outbox(spool, disk, SetClocks())
    yield outbox
    await outbox.close()
    await outbox.close()


async def test_results_of_a_second_make_one_batch(outbox: Outbox) -> None:
    """They leave together."""
    recorder = Recorder(outbox, KeptLog())
    running = asyncio.create_task(recorder.run())
    for i in range(5):
        recorder.record(result(f"t{i}"))
    await eventually(lambda: outbox.state.results)
    assert await outbox.unacknowledged() == Ranges([(1, 5)])
    parcel = await outbox.newest(0, frozenset())
    assert parcel is not None
    assert parcel.count == 5
    running.cancel()


async def test_failure_does_not_wait_for_the_second_to_end(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a gathering time without end, only a failure gets its batch on its way."""
    monkeypatch.setattr(module, "GATHER_S", 1e6)  # the reason for patching: a constant of time
    recorder = Recorder(outbox, KeptLog())
    running = asyncio.create_task(recorder.run())
    recorder.record(result("good"))
    recorder.record(result("bad", Outcome.CONNECT))
    await eventually(lambda: outbox.state.results == 2)
    running.cancel()


async def test_large_heaps_are_split_into_batches(outbox: Outbox) -> None:
    """No batch grows beyond its bound."""
    recorder = Recorder(outbox, KeptLog())
    for _ in range(MOST_IN_BATCH + 1):
        recorder.record(result())
    assert await recorder.flush()
    parcel = await outbox.oldest(2**62, frozenset())
    assert parcel is not None
    assert parcel.count == MOST_IN_BATCH
    assert outbox.state.results == MOST_IN_BATCH + 1


async def test_full_disk_keeps_results_waiting_and_is_said_once(outbox: Outbox, disk: FullDisk) -> None:
    """They are written when there is room again."""
    log = KeptLog()
    recorder = Recorder(outbox, log)
    disk.full = True
    recorder.record(result())
    assert not await recorder.flush()
    assert not await recorder.flush()
    assert recorder.problem == "results cannot be written: database or disk is full"
    disk.full = False
    assert await recorder.flush()
    assert outbox.state.results == 1
    assert recorder.problem == ""
    assert [name for name, _ in log.events] == ["spool fails", "spool works again"]


async def test_running_recorder_outlives_a_full_disk(
    outbox: Outbox, disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tries again by itself."""
    monkeypatch.setattr(module, "PAUSE_S", 0.0)  # the reason for patching: a constant of time
    recorder = Recorder(outbox, KeptLog())
    disk.full = True
    recorder.record(result("bad", Outcome.HTTP))
    running = asyncio.create_task(recorder.run())
    await eventually(lambda: recorder.problem)
    disk.full = False
    await eventually(lambda: outbox.state.results)
    running.cancel()


async def test_what_waits_beyond_the_bound_is_lost_oldest_first_and_counted(
    outbox: Outbox, spool: Spool, disk: FullDisk
) -> None:
    """The gap is reported with its sequences."""
    recorder = Recorder(outbox, KeptLog())
    disk.full = True
    for i in range(MOST_WAITING + 7):
        recorder.record(result(f"t{i}"))
    assert not await recorder.flush()
    disk.full = False
    assert await recorder.flush()
    (run,) = outbox.dropped
    assert (run.first, run.last, run.reason) == (1, 7, "bytes")
    assert outbox.state.results == MOST_WAITING
    parcel = await outbox.oldest(2**62, frozenset())
    assert parcel is not None
    assert parcel.encoded.startswith(b"8:t7,")


async def test_cancelled_write_is_neither_lost_nor_doubled(outbox: Outbox) -> None:
    """The end of the agent in the middle of a write: a flush afterwards settles it."""
    recorder = Recorder(outbox, KeptLog())
    recorder.record(result("once", Outcome.DNS))
    writing = asyncio.create_task(recorder.flush())
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await recorder.flush()
    assert outbox.state.results == 1
