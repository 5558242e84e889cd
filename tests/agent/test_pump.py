"""The spool's way to the collector: lanes, acknowledgements, breaks and what comes after them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faultline.ranges import Ranges
from faultline_agent import conversation as module
from faultline_agent.lanes import BACKLOG_WINDOW, FRESH_US, LIVE_WINDOW, PATIENCE_S
from faultline_agent.uplinks.pump import BACKOFF
from faultline_agent.uplinks.uplink import (
    Ack,
    Assignment,
    Drain,
    DroppedRange,
    Explain,
    LostRange,
    ProbeNow,
    UplinkError,
)
from tests.agent.pumping import BEAT_S, Stage
from tests.agent.stage import (
    DEADLINE_S,
    NOW_US,
    assigned,
    eventually,
    open_spool,
    plain_encode,
    result,
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage that is cleared at the end."""
    stage = Stage(open_spool(tmp_path))
    yield stage
    await stage.close()


async def test_what_is_recorded_arrives_and_is_forgotten(stage: Stage) -> None:
    """The straight way."""
    stage.start()
    await stage.record(3)
    await stage.record(2)
    await stage.emptied()
    assert sorted(stage.sent) == [(1, True), (4, True)]
    assert list(stage.collector.held.values()) == [Ranges([(1, 5)])]
    await stage.pump.drained()


async def test_backlog_goes_oldest_first_after_what_is_live_newest_first(stage: Stage) -> None:
    """What happened just now is of more use than what happened an hour ago."""
    await stage.record(1, batches=3)
    stage.clocks.now_s += FRESH_US / 1e6 + 1
    await stage.record(1, batches=3)
    stage.start()
    await stage.emptied()
    assert stage.sent == [(6, True), (5, True), (4, True), (1, False), (2, False), (3, False)]


async def test_no_more_than_the_windows_is_under_way_without_acknowledgement(stage: Stage) -> None:
    """Neither side is flooded."""
    stage.collector.holds_acks = True
    await stage.record(1, batches=BACKLOG_WINDOW + 5)
    stage.clocks.now_s += FRESH_US / 1e6 + 1
    await stage.record(1, batches=LIVE_WINDOW + 5)
    stage.start()
    await eventually(lambda: len(stage.sent) == LIVE_WINDOW + BACKLOG_WINDOW)
    assert sum(live for _, live in stage.sent) == LIVE_WINDOW
    await stage.collector.release()
    await stage.emptied()


async def test_what_was_not_acknowledged_is_sent_again_after_a_cut(stage: Stage) -> None:
    """And what the collector has is not."""
    stage.collector.holds_acks = True
    stage.start()
    await stage.record(1, batches=4)
    await eventually(lambda: len(stage.sent) == 4)
    held = stage.collector.held[stage.outbox.spool_id]
    stage.collector.held[stage.outbox.spool_id] = Ranges([(2, 3)])
    stage.collector.holds_acks = False
    stage.collector.batches.clear()
    await stage.collector.cut()
    await stage.emptied()
    assert {first for first, _ in stage.sent} == {1, 4}
    assert stage.collector.held[stage.outbox.spool_id] == held


async def test_cut_collector_comes_back_and_nothing_is_lost(stage: Stage) -> None:
    """The link says so meanwhile; the first wait after a good session is short."""
    stage.start()
    await stage.record(2)
    await stage.emptied()
    stage.collector.refusal = UplinkError("nobody answers")
    await stage.collector.cut()
    await eventually(lambda: len(stage.away) >= 6)
    assert (stage.pump.link.connected, stage.pump.link.problem) == (False, "nobody answers")
    await stage.record(3)
    stage.collector.refusal = None
    await stage.emptied()
    await eventually(lambda: stage.pump.link.connected)
    assert stage.away[0] <= BACKOFF.first_s
    assert stage.away[5] > 4 * BACKOFF.first_s
    problems = [facts["problem"] for facts in stage.log.named("not connected")]
    assert problems == ["the collector was cut off", "nobody answers"], "changes are logged, not repetitions"


async def test_refused_agent_stops(stage: Stage) -> None:
    """Trying again will not help, and the sentence is the collector's."""
    stage.collector.refusal = UplinkError("this token belongs to nobody", permanent=True)
    with pytest.raises(UplinkError, match="this token belongs to nobody"):
        await stage.pump.run()


async def test_spool_that_cannot_be_written_holds_nothing_up_for_good(stage: Stage) -> None:
    """Forgetting fails and breaks the session; what the collector has is forgotten once that works again."""
    stage.collector.holds_acks = True
    stage.start()
    await stage.record(3)
    await eventually(lambda: stage.sent)
    stage.spool._db.execute("PRAGMA query_only = ON")  # SQLite itself refuses to write
    await stage.collector.release()
    await eventually(lambda: len(stage.away) >= 2)
    said = "the spool fails: attempt to write a readonly database"
    assert (stage.pump.link.connected, stage.pump.link.problem) == (False, said)
    stage.spool._db.execute("PRAGMA query_only = OFF")
    await stage.emptied()
    assert stage.sent == [(1, True)], "it was not sent again"


async def test_a_lost_spool_is_reported_until_acknowledged(tmp_path: Path) -> None:
    """In heartbeats; the collector finds out what of it never came."""
    spool = open_spool(tmp_path)
    spool.append([result()] * 9, plain_encode, NOW_US)
    spool.close()
    (tmp_path / "spool.db").write_bytes(b"no database" * 500)
    stage = Stage(open_spool(tmp_path))
    assert stage.outbox.lost == (LostRange(spool.spool_id, 1, 9),)
    stage.start()
    await eventually(lambda: not stage.outbox.lost)
    assert stage.collector.held[spool.spool_id] == Ranges([(1, 9)])
    await stage.close()


async def test_drops_are_reported_until_acknowledged(stage: Stage) -> None:
    """In heartbeats."""
    await stage.outbox.append([result()], lost=4)
    stage.start()
    await eventually(lambda: not stage.outbox.dropped)
    assert stage.collector.dropped == {stage.outbox.spool_id: [DroppedRange(1, 4, "bytes")]}
    await stage.emptied()


async def test_heartbeats_measure_the_round_trip(stage: Stage) -> None:
    """The next one tells it."""
    stage.start()
    await eventually(lambda: stage.pump.link.last_ack_us)
    stage.clocks.now_s += BEAT_S
    stage.collector.holds_acks = True
    stage.beat.set()
    await eventually(lambda: len(stage.post.round_trips) == 2)
    stage.clocks.now_s += 0.25
    await stage.collector.release()
    await eventually(lambda: stage.pump.link.round_trip_us == 250_000)


async def test_collector_that_never_acknowledges_is_left(stage: Stage) -> None:
    """A new session may do better."""
    stage.collector.holds_acks = True
    stage.start()
    await stage.record(1)
    await eventually(lambda: stage.sent)
    stage.clocks.now_s += PATIENCE_S + 1
    stage.beat.set()
    await eventually(lambda: len(stage.collector.hellos) > 1)
    problems = [facts["problem"] for facts in stage.log.named("not connected")]
    assert problems == ["the collector does not acknowledge"]


async def test_silent_collector_is_left(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even heartbeats are answered."""
    monkeypatch.setattr(module, "SILENT_HEARTBEATS", 0.001)  # the reason for patching: a constant of time
    stage.collector.holds_acks = True
    stage.start()
    await eventually(lambda: len(stage.collector.hellos) > 1)
    assert stage.log.named("not connected")[0]["problem"] == "the collector says nothing"


async def test_drained_agent_stays_away_as_long_as_it_is_told(stage: Stage) -> None:
    """Bounded, and then comes back by itself."""
    stage.start()
    await eventually(lambda: stage.collector.sessions)
    await stage.collector.order(Drain(120.0, "", "an upgrade"))
    await eventually(lambda: len(stage.collector.hellos) == 2)
    assert 120.0 < stage.away[0] < 121.0
    await stage.collector.order(Drain(1e9, "", "for ever"))
    await eventually(lambda: len(stage.collector.hellos) == 3)
    assert stage.away[1] < module.MOST_AWAY_S + 2


async def test_assignment_and_haste_reach_the_station(stage: Stage) -> None:
    """An agent that has the assignment already is not given it again."""
    stage.start()
    await eventually(lambda: stage.collector.sessions)
    assignment = Assignment("v7", (assigned(),))
    await stage.collector.assign(assignment)
    await stage.collector.order(ProbeNow(("web",), 1.0, 9))
    await eventually(lambda: stage.post.hastened)
    assert stage.post.assignment == assignment
    stage.post.assignment = Assignment("v7", ())
    await stage.collector.cut()
    await eventually(lambda: len(stage.collector.hellos) == 2)
    await stage.record(1)
    await stage.emptied()
    assert stage.post.assignment.targets == ()


async def test_times_of_the_collector_hold_whatever_the_clocks_say(stage: Stage) -> None:
    """An agent that is an hour wrong probes as long as it was asked to, and no longer."""
    stage.collector.clock_us = stage.clocks.wall_us() - 3_600_000_000
    stage.start()
    await eventually(lambda: stage.collector.sessions)
    order = ProbeNow(("web",), 1.0, stage.collector.clock_us + 20_000_000)
    await stage.collector.order(order)
    await eventually(lambda: stage.post.hastened)
    stage.clocks.now_s += 5.0
    await stage.collector.order(order)
    await eventually(lambda: len(stage.post.hastened) == 2)
    left_us = [hastened.until_us - stage.clocks.wall_us() for hastened in stage.post.hastened]
    assert left_us == [15_000_000, 15_000_000]


async def test_questions_are_answered_or_counted(stage: Stage) -> None:
    """No more of them wait than a few."""
    stage.start()
    stage.post.may_answer.clear()
    await eventually(lambda: stage.collector.sessions)
    for i in range(module.MOST_QUESTIONS + 3):
        await stage.collector.order(Explain(f"r{i}", "web", ("story",), 9))
    await eventually(lambda: stage.pump.link.unanswered)
    stage.post.may_answer.set()
    await stage.collector.order(Explain("unknown", "other", ("story",), 9))
    await eventually(lambda: len(stage.post.asked) >= module.MOST_QUESTIONS)
    await eventually(lambda: stage.collector.evidence)
    assert stage.collector.evidence[0].request_id == "r0"


async def test_rejections_are_counted_by_reason(stage: Stage) -> None:
    """They are acknowledged like the rest."""
    stage.start()
    await eventually(lambda: stage.collector.sessions)
    for count in (2, 3):
        await stage.collector.order(Ack(Ranges([(90, 91)]), {"unknown_target": count}))
    await eventually(lambda: stage.pump.link.rejected == {"unknown_target": 5})


async def test_spool_goes_on_above_what_the_collector_has_seen(stage: Stage) -> None:
    """Also when the file is older than the collector's memory."""
    stage.collector.held[stage.outbox.spool_id] = Ranges([(1, 500)])
    stage.start()
    await eventually(lambda: stage.pump.link.connected)
    await stage.record(1)
    await stage.emptied()
    assert stage.sent == [(501, True)]


async def test_cancelled_pump_closes_its_session(stage: Stage) -> None:
    """Nothing is left open behind a stopped agent."""
    stage.start()
    await eventually(lambda: stage.collector.sessions)
    assert stage.running is not None
    stage.running.cancel()
    await asyncio.gather(stage.running, return_exceptions=True)
    assert stage.collector.sessions == []


async def test_cancellation_that_meets_a_break_is_not_forgotten(stage: Stage) -> None:
    """Stopping in the very moment in which the session breaks must stop."""
    stage.start()
    for _ in range(20):
        await eventually(lambda: stage.collector.sessions)
        await stage.collector.cut()
        assert stage.running is not None
        stage.running.cancel()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(stage.running, return_exceptions=True)
        assert stage.running.cancelled()
        stage.start()
