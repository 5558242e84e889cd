"""One agent's session, without a transport."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.ranges import Ranges
from faultline.v1 import results_pb2, session_pb2
from faultline_collector.ingest.session import AgentSession, Ending, Misspoken
from faultline_collector.ingest.writer import Limits
from tests.collector.ingest.worlds import (
    FLEET,
    NOW_US,
    Rig,
    SlowStore,
    batch,
    dropped,
    hello,
    pairs,
    target,
    up,
)

Told = list[session_pb2.CollectorMessage]


@asynccontextmanager
async def working(rig: Rig) -> AsyncIterator[Rig]:
    """Runs the rig's writer."""
    task = asyncio.create_task(rig.writer.run())
    try:
        yield rig
    finally:
        rig.writer.close()
        await task


async def hold(rig: Rig, *said: Any, greeting: session_pb2.Hello | None = None) -> Told:
    """A whole session in which an agent says all that and leaves; gives what it was told."""
    session = rig.intake.open("west-1", greeting or hello())
    for message in said:
        await session.hear(up(message))
    session.leave()
    return await listen(rig, session)


async def listen(rig: Rig, session: AgentSession) -> Told:
    """All that the agent is told until the session ends."""
    told = []
    async with asyncio.timeout(30):
        while (message := await session.next()) is not None:
            told.append(message)
    rig.intake.closed(session)
    return told


def acknowledged(told: Told) -> list[tuple[int, int]]:
    """The ranges of all acknowledgements."""
    return list(Ranges(pair for message in told for pair in pairs(message.ack.durable)))


def rejections(told: Told) -> list[tuple[str, int, str]]:
    """What all acknowledgements say was rejected."""
    return [(r.reason, r.count, r.example) for message in told for r in message.ack.rejected]


async def test_a_welcome_and_an_assignment_come_first() -> None:
    """An agent is greeted with what is held, and told what to probe."""
    told = await hold(Rig())
    assert [message.WhichOneof("body") for message in told] == ["welcome", "assignment"]
    assert [one.target_id for one in told[1].assignment.targets] == ["api", "web"]
    assert told[0].welcome.clock_us == NOW_US
    assert told[0].welcome.heartbeat_s == 5


async def test_an_assignment_that_is_known_is_not_sent() -> None:
    """An agent that works by the current version is not told again."""
    rig = Rig()
    version = (await hold(rig))[1].assignment.version
    told = await hold(rig, greeting=hello(assignment_version=version))
    assert [message.WhichOneof("body") for message in told] == ["welcome"]


async def test_results_are_stored_handed_on_and_acknowledged() -> None:
    """The straight way: stored once, judged once, acknowledged once."""
    async with working(Rig()) as rig:
        told = await hold(rig, batch(1, 3), batch(4, 2))
    assert acknowledged(told) == [(1, 5)]
    assert rig.stored() == [1, 2, 3, 4, 5]
    assert rig.judgement.sequences == [1, 2, 3, 4, 5]
    assert rig.count("faultline_results_total", fate="stored") == 5
    assert rig.count("faultline_batches_total", lane="live") == 2


async def test_a_resend_is_acknowledged_and_not_stored_twice() -> None:
    """What came before is known, whole or in part, and only the missing part is taken."""
    async with working(Rig()) as rig:
        await hold(rig, batch(3, 3))
        told = await hold(rig, batch(3, 3), batch(1, 8))
    assert acknowledged(told) == [(1, 8)]
    assert rig.stored() == list(range(1, 9))
    assert sorted(rig.judgement.sequences) == list(range(1, 9))
    assert rig.count("faultline_results_total", fate="resent") == 6


async def test_a_resend_of_what_is_on_its_way_waits_for_it() -> None:
    """A resend is not acknowledged while its first sending is not durable."""
    rig = Rig(store=SlowStore())
    assert isinstance(rig.store, SlowStore)
    rig.store.gate.clear()
    async with working(rig):
        session = rig.intake.open("west-1", hello())
        await session.hear(up(batch(1, 3)))
        newer = rig.intake.open("west-1", hello(unacknowledged=[results_pb2.Range(first=1, last=3)]))
        await newer.hear(up(batch(1, 3)))
        newer.leave()
        welcome = await newer.next()
        assert welcome is not None
        assert pairs(welcome.welcome.held) == []
        assert welcome.welcome.highest_sequence == 3
        rig.store.gate.set()
        assert acknowledged(await listen(rig, newer)) == [(1, 3)]
    assert rig.stored() == [1, 2, 3]


async def test_what_is_held_is_told_at_the_greeting() -> None:
    """After a lost acknowledgement an agent learns at once what need not be sent again."""
    async with working(Rig()) as rig:
        await hold(rig, batch(1, 5))
        ranges = [results_pb2.Range(first=4, last=9), results_pb2.Range(first=0, last=9)]
        told = await hold(rig, greeting=hello(unacknowledged=ranges))
    assert pairs(told[0].welcome.held) == [(4, 5)]
    assert told[0].welcome.highest_sequence == 5


async def test_bad_results_are_acknowledged_and_counted() -> None:
    """What is rejected is told with its reason, never asked for again, and the rest is stored."""
    bad = batch(1, 4, target_ids=["web", "mine"], target=[0, 1, 1, 0])
    async with working(Rig()) as rig:
        told = await hold(rig, bad)
        again = await hold(rig, bad)
    sentence = "'mine' is not a target of this fleet"
    assert acknowledged(told) == acknowledged(again) == [(1, 4)]
    assert (rejections(told), rejections(again)) == ([("unknown_target", 2, sentence)], [])
    assert rig.stored() == rig.judgement.sequences == [1, 4]
    assert rig.count("faultline_rejected_results_total", reason="unknown_target") == 2
    assert rig.count("faultline_results_total", fate="rejected") == 2


async def test_a_target_of_an_earlier_assignment_is_stored() -> None:
    """What waited in a spool is history, also when the agent is to probe something else by now."""
    async with working(Rig()) as rig:
        told = await hold(rig, batch(1, 1, target_ids=["far"]))
    assert rejections(told) == []
    assert rig.stored() == [1]


async def test_a_target_that_has_left_the_fleet_is_unknown() -> None:
    """Nobody could say whose history it is."""
    rig = Rig()
    rig.intake.refit(replace(FLEET, targets=FLEET.targets[:1]))
    async with working(rig):
        told = await hold(rig, batch(1, 1))
    assert [reason for reason, _, _ in rejections(told)] == ["unknown_target"]


async def test_bad_columns_reject_the_batch_and_nothing_else() -> None:
    """A batch that cannot be read is acknowledged as rejected, and the session goes on."""
    async with working(Rig()) as rig:
        told = await hold(rig, batch(1, 3, outcome=[1]), batch(4, 2))
    assert acknowledged(told) == [(1, 5)]
    assert rejections(told) == [("bad_columns", 3, "column outcome has 1 entries for 3 results")]
    assert rig.stored() == [4, 5]


async def test_a_batch_without_sequences_is_told() -> None:
    """What names no sequence cannot be acknowledged, but it is counted and told."""
    async with working(Rig()) as rig:
        told = await hold(rig, batch(0, 3))
    sentence = "a batch of 3 from sequence 0 names no results"
    assert (acknowledged(told), rejections(told)) == ([], [("bad_columns", 3, sentence)])


async def test_dropped_ranges_are_noted_where_nothing_came() -> None:
    """A drop is believed for what is missing; what came stays stored."""
    async with working(Rig()) as rig:
        await hold(rig, batch(3, 2))
        beat = session_pb2.Heartbeat(
            clock_us=NOW_US, dropped=[dropped(1, 6, "age"), dropped(9, 9, "mice"), dropped(0, 5)]
        )
        told = await hold(rig, beat)
        await hold(rig, beat)
    assert acknowledged(told) == [(1, 6), (9, 9)]
    assert rig.count("faultline_dropped_results_total", reason="age") == 4
    assert rig.count("faultline_dropped_results_total", reason="other") == 1
    assert rig.presences.get("west-1").dropped_results == 5
    assert next(iter(rig.store.received().values())).count() == 7


def lost(spool_id: str, first: int, last: int) -> results_pb2.LostRange:
    """What a spool had given out that is no more."""
    return results_pb2.LostRange(spool_id=spool_id, range=results_pb2.Range(first=first, last=last))


async def test_one_heartbeat_cannot_fill_the_queue() -> None:
    """Ranges beyond those that an agent sends at once are left for its next heartbeat."""
    rig = Rig()
    session = rig.intake.open("west-1", hello())
    many = [dropped(first, first) for first in range(1, 1_202, 2)]
    await session.hear(up(session_pb2.Heartbeat(clock_us=NOW_US, dropped=many)))
    assert rig.writer.waiting == 500


async def test_what_a_lost_spool_never_brought_is_dropped() -> None:
    """What came stays stored, the rest counts once; the ranges of the session's own spool are untouched."""
    async with working(Rig()) as rig:
        await hold(rig, batch(3, 2))
        beat = session_pb2.Heartbeat(clock_us=NOW_US, lost=[lost("spool-1", 1, 6)])
        for _ in range(2):
            told = await hold(rig, beat, greeting=hello(spool_id="spool-2"))
            assert [one for message in told for one in message.ack.lost] == [lost("spool-1", 1, 6)]
            assert acknowledged(told) == []
        await hold(rig, batch(1, 3), greeting=hello(spool_id="spool-2"))
    assert rig.count("faultline_dropped_results_total", reason="damaged") == 4
    assert rig.presences.get("west-1").dropped_results == 4
    received = {source.spool_id: ranges.count() for source, ranges in rig.store.received().items()}
    assert received == {"spool-1": 6, "spool-2": 3}
    assert rig.stored() == [1, 2, 3, 3, 4]


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(lost("", 1, 6), id="no-spool"),
        pytest.param(lost("x" * 201, 1, 6), id="long-id"),
        pytest.param(lost("spool-1", 1, 6), id="its-own"),
        pytest.param(lost("old", 0, 6), id="from-zero"),
        pytest.param(lost("old", 7, 6), id="backwards"),
    ],
)
async def test_an_impossible_loss_is_passed_over(claim: results_pb2.LostRange) -> None:
    """Above all, no agent can have the results of its own spool taken for lost."""
    async with working(Rig()) as rig:
        told = await hold(rig, session_pb2.Heartbeat(clock_us=NOW_US, lost=[claim]), batch(1, 2))
    assert acknowledged(told) == [(1, 2)]
    assert rig.stored() == [1, 2]
    assert [source.spool_id for source in rig.store.received()] == ["spool-1"]


async def test_a_heartbeat_is_answered_and_passed_on() -> None:
    """A heartbeat updates the presence, reaches the correlator, and comes back for the round trip."""
    rig = Rig()
    beat = session_pb2.Heartbeat(
        clock_us=NOW_US - 250, well=False, condition="no reference answers", spool_results=7
    )
    told = await hold(rig, beat)
    presence = rig.presences.get("west-1")
    assert told[-1].ack.heartbeat_clock_us == NOW_US - 250
    assert rig.judgement.contacts == [("west-1", False)]
    assert (presence.well, presence.condition, presence.spool_results) == (False, "no reference answers", 7)
    assert not presence.connected


async def test_a_wrong_clock_is_corrected_in_the_columns() -> None:
    """The time is stored as it was sent, beside the measured offset."""
    hour = 3_600_000_000
    async with working(Rig()) as rig:
        await hold(rig, batch(1, 1), greeting=hello(clock_us=NOW_US + hour))
    (judged,) = rig.judgement.batches
    assert judged.started_us.tolist() == [NOW_US]
    assert judged.judged_us.tolist() == [NOW_US - hour]


async def test_a_newer_session_ends_the_older() -> None:
    """Of two sessions of one agent the newest wins."""
    rig = Rig()
    older = rig.intake.open("west-1", hello())
    newer = rig.intake.open("west-1", hello(boot_id="boot-2"))
    assert await listen(rig, older) == []
    assert older.ending is Ending.REPLACED
    assert newer.ending is None
    assert rig.presences.get("west-1").connected
    assert rig.count("faultline_sessions") == 1


async def test_a_change_of_the_fleet_reaches_its_agents() -> None:
    """A new assignment goes out at once, and a removed agent's session ends."""
    rig = Rig()
    west, east = rig.intake.open("west-1", hello()), rig.intake.open("east-1", hello("east-1"))
    first = [await west.next(), await west.next()][1]
    rig.intake.refit(replace(FLEET, agents=FLEET.agents[1:], targets=(*FLEET.targets, target("x"))))
    second = await west.next()
    assert first is not None
    assert second is not None
    assert [one.target_id for one in second.assignment.targets] == ["api", "web", "x"]
    assert second.assignment.version != first.assignment.version
    assert east.ending is Ending.REMOVED


async def test_an_unchanged_assignment_is_not_sent_again() -> None:
    """A change of the fleet that does not touch an agent says nothing to it."""
    rig = Rig()
    session = rig.intake.open("west-1", hello())
    rig.intake.refit(replace(FLEET, targets=(*FLEET.targets, target("x", "east"))))
    session.leave()
    assert len(await listen(rig, session)) == 2


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param({"spool_id": ""}, "the hello names no spool_id", id="no-spool"),
        pytest.param({"boot_id": "x" * 201}, "boot_id has 201 characters, at most 200", id="long-id"),
        pytest.param({"ca_bundle": "x" * 201}, "ca_bundle has 201 characters", id="long-bundle"),
    ],
)
def test_a_bad_hello_begins_nothing(fields: dict[str, str], sentence: str) -> None:
    """A session does not begin with what cannot be an identity."""
    with pytest.raises(Misspoken, match=sentence):
        Rig().intake.open("west-1", hello(**fields))


async def test_a_second_hello_is_refused() -> None:
    """An agent introduces itself once."""
    session = Rig().intake.open("west-1", hello())
    with pytest.raises(Misspoken, match="a second hello"):
        await session.hear(up(hello()))


async def test_what_is_not_known_is_passed_over() -> None:
    """A message of a later version, or proof that nobody asked for, harms nothing."""
    rig = Rig()
    session = rig.intake.open("west-1", hello())
    await session.hear(session_pb2.AgentMessage())
    await session.hear(up(session_pb2.Evidence(target_id="web")))
    session.leave()
    assert len(await listen(rig, session)) == 2


async def test_an_agent_waits_while_the_store_is_behind() -> None:
    """The queue stays bounded: the next batch is not heard before there is room, and is not lost."""
    rig = Rig(store=SlowStore(), limits=Limits(waiting=4, gather_s=0))
    assert isinstance(rig.store, SlowStore)
    rig.store.gate.clear()
    async with working(rig):
        session = rig.intake.open("west-1", hello())
        await session.hear(up(batch(1, 5)))
        held_back = asyncio.create_task(session.hear(up(batch(6, 5))))
        done, _ = await asyncio.wait([held_back], timeout=0.05)
        assert not done
        held_back.cancel()
        await asyncio.wait([held_back])
        rig.store.gate.set()
        assert acknowledged(await hold(rig, batch(6, 5))) == [(6, 10)]
    assert rig.stored() == list(range(1, 11))


BATCH = st.tuples(st.integers(1, 40), st.integers(1, 9), st.booleans())


@given(st.lists(st.lists(BATCH, max_size=6), max_size=4))
async def test_every_sequence_has_one_fate(sessions: list[list[tuple[int, int, bool]]]) -> None:
    """Whatever is sent, and sent again, in whatever overlap: all is acknowledged, nothing is twice."""
    async with working(Rig()) as rig:
        for said in sessions:
            sent = {s for first, count, _ in said for s in range(first, first + count)}
            messages = [
                dropped_beat(first, count) if drops else batch(first, count) for first, count, drops in said
            ]
            told = await hold(rig, *messages)
            assert {s for first, last in acknowledged(told) for s in range(first, last + 1)} == sent
    everything = {s for said in sessions for f, c, _ in said for s in range(f, f + c)}
    stored = rig.stored()
    assert len(stored) == len(set(stored))
    assert sorted(rig.judgement.sequences) == stored
    assert len(stored) + rig.count("faultline_results_total", fate="dropped") == len(everything)


def dropped_beat(first: int, count: int) -> session_pb2.Heartbeat:
    """A heartbeat that tells of one dropped range."""
    return session_pb2.Heartbeat(clock_us=NOW_US, dropped=[dropped(first, first + count - 1)])
