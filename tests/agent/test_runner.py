"""The schedule at work: what is due is started, what is found is recorded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_agent.guard import LoadGuard
from faultline_agent.health import Condition
from faultline_agent.outbox import Outbox
from faultline_agent.recorder import Recorder
from faultline_agent.references import References
from faultline_agent.results import Result
from faultline_agent.runner import Runner, as_seen_by
from faultline_agent.schedule import Schedule
from faultline_agent.uplinks.uplink import ProbeNow
from tests.agent.probing import BAD, GOOD, ToldProbe, plain_tools, told
from tests.agent.stage import KeptLog, SetClocks, assigned, eventually, open_spool, plain_encode


class KeptResults(Recorder):
    """A recorder that also keeps what it is given."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, KeptLog())
        self.kept: list[Result] = []

    def record(self, result: Result) -> None:
        """Keeps it."""
        self.kept.append(result)


class Stage:
    """A runner on clocks that are set by hand."""

    def __init__(self, folder: Path) -> None:
        self.clocks = SetClocks()
        self.guard = LoadGuard()
        self.log = KeptLog()
        self.reference = told()
        tools = plain_tools()
        probes = {"r0": self.reference, "r1": self.reference}
        references = References(probes, tools, self.log, self.clocks, every_s=10.0)
        self.outbox = Outbox(open_spool(folder), plain_encode, self.clocks)
        self.recorder = KeptResults(self.outbox)
        schedule = Schedule("agent", Random(1))
        self.runner = Runner(
            schedule, self.guard, references, self.recorder, tools, self.log, self.clocks, Random(1)
        )
        self.running = asyncio.create_task(self.runner.run())

    def assign(self, *probes: ToldProbe, interval_s: float = 30.0) -> None:
        """Targets t0, t1, ..."""
        self.runner.take([(assigned(f"t{i}", interval_s), probe) for i, probe in enumerate(probes)])

    async def advance(self, seconds: float) -> None:
        """Lets time pass for the runner."""
        self.clocks.now_s += seconds
        self.runner._changed.set()
        await asyncio.sleep(0.001)

    async def results(self, count: int) -> list[Result]:
        """Waits for so many results."""
        await eventually(lambda: len(self.recorder.kept) >= count)
        return self.recorder.kept


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage that is cleared at the end."""
    stage = Stage(tmp_path)
    yield stage
    stage.running.cancel()
    await asyncio.gather(stage.running, return_exceptions=True)
    await stage.outbox.close()


async def test_each_target_is_probed_within_its_interval(stage: Stage) -> None:
    """And recorded with the wall's time."""
    stage.assign(told(), told(), told())
    await stage.advance(31.0)
    results = await stage.results(3)
    assert {r.target_id for r in results} == {"t0", "t1", "t2"}
    assert all(r.started_us == stage.clocks.wall_us() for r in results)
    assert all(r.outcome is Outcome.OK and r.attempt == 0 for r in results)
    assert stage.runner.tally.outcomes == {"ok": 3}


async def test_failure_is_reported_twice_when_the_retry_fails_too(stage: Stage) -> None:
    """First attempt and retry each have their result."""
    stage.assign(told(BAD))
    await stage.advance(31.0)
    await stage.results(1)
    await stage.advance(1.1)
    results = await stage.results(2)
    assert [(r.outcome, r.attempt, r.detail) for r in results] == [
        (Outcome.CONNECT, 0, "connection refused"),
        (Outcome.CONNECT, 1, "connection refused"),
    ]


async def test_late_run_is_flagged(stage: Stage) -> None:
    """Nothing came in between, though many starts were missed."""
    stage.assign(told(), interval_s=1.0)
    await stage.advance(20.0)
    (result,) = await stage.results(1)
    assert result.flags == Flag.LATE


async def test_bug_in_one_probe_does_not_stop_the_others(stage: Stage) -> None:
    """Its own result is inconclusive."""
    stage.assign(told(ZeroDivisionError()), told())
    await stage.advance(31.0)
    await stage.results(2)
    await stage.advance(60.0)
    results = await stage.results(4)
    outcomes = [(r.target_id, r.outcome) for r in results]
    assert outcomes.count(("t0", Outcome.INCONCLUSIVE)) == 2
    assert outcomes.count(("t1", Outcome.OK)) == 2


async def test_failures_of_an_unwell_agent_are_inconclusive(stage: Stage) -> None:
    """The agent looks at its references first, and keeps the sentence that it found."""
    stage.reference.tell(BAD)
    stage.assign(told(BAD))
    await stage.advance(31.0)
    (result,) = await stage.results(1)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.detail.startswith("agent unwell (2 of 2 references do not answer; r0: connection refused)")
    assert result.detail.endswith(": connection refused")
    assert stage.runner.tally.inconclusive_in_a_row == 1


def test_well_agent_says_what_it_found_and_an_inconclusive_finding_stays() -> None:
    """Only an unwell one takes back."""
    assert as_seen_by(Condition(True), BAD) == BAD
    unwell = Condition(False, "no network")
    assert as_seen_by(unwell, GOOD).detail == "agent unwell (no network): ok"
    inconclusive = as_seen_by(unwell, GOOD)
    assert as_seen_by(unwell, inconclusive) == inconclusive


async def test_saturated_agent_flags_and_sheds(stage: Stage) -> None:
    """Some runs are left out and counted, the rest weigh nothing, and there is no retry."""
    stage.guard.saturated, stage.guard.shed = True, 0.5
    stage.assign(*[told(BAD) for _ in range(40)])
    await stage.advance(31.0)
    await eventually(lambda: len(stage.recorder.kept) + stage.runner.tally.shed == 40)
    assert 8 < stage.runner.tally.shed < 32
    assert all(r.flags & Flag.SATURATED for r in stage.recorder.kept)
    await stage.advance(2.0)
    assert all(r.attempt == 0 for r in stage.recorder.kept)


async def test_new_assignment_ends_old_targets_and_keeps_the_others(stage: Stage) -> None:
    """Without a restart of anything."""
    first, second = told(), told()
    stage.assign(first, second)
    changes = stage.runner.take([(assigned("t0", 30.0), first)])
    assert (changes.kept, changes.removed) == (1, 1)
    assert stage.runner.probe_of("t1") is None
    await stage.advance(31.0)
    await stage.results(1)
    assert second.runs == 0


async def test_target_that_is_removed_while_probed_ends_quietly(stage: Stage) -> None:
    """Its last result is still recorded."""
    slow = told()
    slow.hold()
    stage.assign(slow)
    await stage.advance(31.0)
    await eventually(lambda: slow.runs)
    stage.runner.take([])
    slow._go.set()
    await stage.results(1)


async def test_hastened_target_is_probed_at_once(stage: Stage) -> None:
    """Beyond its schedule."""
    stage.assign(told(), interval_s=3_600.0)
    assert stage.runner.hasten(ProbeNow(("t0",), 1.0, 0), 10.0) == 1
    await stage.results(1)


async def test_cancelled_runner_cancels_what_is_under_way(stage: Stage) -> None:
    """And records nothing of it."""
    slow = told()
    slow.hold()
    stage.assign(slow)
    await stage.advance(31.0)
    await eventually(lambda: slow.runs)
    stage.running.cancel()
    await asyncio.gather(stage.running, return_exceptions=True)
    assert stage.recorder.kept == []
