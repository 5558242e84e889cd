"""Sessions over the gRPC server on a real socket."""

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest

from faultline.columns import MAX_MESSAGE_BYTES
from faultline.v1 import results_pb2, session_pb2
from faultline_collector.fleet import Agent
from faultline_collector.ingest.writer import Limits
from tests.collector.ingest.serving import (
    Registry,
    Served,
    acknowledged,
    everything,
    refusal,
    rest,
    send,
    serving,
)
from tests.collector.ingest.worlds import FLEET, NOW_US, Rig, SlowStore, batch, hello, pairs, up


async def test_a_session_stores_and_acknowledges(served: Served) -> None:
    """Over a real stream results come in, are stored, and are acknowledged."""
    call = await served.session()
    await call.write(up(batch(1, 5)))
    await call.write(up(session_pb2.Heartbeat(clock_us=NOW_US, well=True)))
    told = await rest(call)
    assert acknowledged(told) == [(1, 5)]
    assert NOW_US in {message.ack.heartbeat_clock_us for message in told}
    assert served.rig.stored() == [1, 2, 3, 4, 5]
    assert served.rig.judgement.contacts == [("west-1", True)]


async def test_an_unknown_token_is_refused(served: Served) -> None:
    """Who is not in the registry is told so, and counted."""
    assert await refusal(served.call("guess")) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "the token is not that of any agent in the registry",
    )
    assert served.rig.count("faultline_refused_sessions_total", reason="token") == 1


async def test_another_agents_token_is_refused(served: Served) -> None:
    """An agent speaks for itself only."""
    call = served.call("east-token")
    await call.write(up(hello("west-1")))
    assert await refusal(call) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "agent 'east-1' cannot speak for 'west-1'",
    )


async def test_another_protocol_is_refused(served: Served) -> None:
    """An agent of another protocol is told both versions."""
    call = served.call()
    await call.write(up(hello(protocol=2)))
    assert await refusal(call) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "the agent speaks protocol 2, this collector speaks 1",
    )


BAD_BEGINNINGS: dict[str, tuple[Any, str]] = {
    "batch": (batch(), "the first message of a session must be a hello"),
    "no-spool": (hello(spool_id=""), "the hello names no spool_id"),
}


@pytest.mark.parametrize(("said", "sentence"), BAD_BEGINNINGS.values(), ids=BAD_BEGINNINGS.keys())
async def test_a_bad_beginning_is_refused(served: Served, said: Any, sentence: str) -> None:
    """A session begins with a good hello or not at all."""
    call = served.call()
    await call.write(up(said))
    assert await refusal(call) == (grpc.StatusCode.INVALID_ARGUMENT, sentence)


async def test_a_second_hello_ends_the_session(served: Served) -> None:
    """What does not belong there is answered with a sentence."""
    call = await served.session()
    await call.write(up(hello()))
    assert await refusal(call) == (grpc.StatusCode.INVALID_ARGUMENT, "a second hello in one session")


async def test_an_agent_that_was_just_added_is_known() -> None:
    """A token of an agent that the fleet does not know yet makes the collector look again."""
    rig = Rig()
    registry = Registry(rig)
    async with serving(rig, registry) as served:
        assert await refusal(served.call("north-token")) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "agent 'north-1' is not in the registry",
        )
        registry.fleet = replace(FLEET, agents=(*FLEET.agents, Agent("north-1", "west", "IN", 64500)))
        await served.session("north-token")


async def test_a_broken_registry_is_worth_another_try() -> None:
    """A registry that does not answer refuses nobody for good."""
    rig = Rig()
    async with serving(rig, Registry(rig, broken=True)) as served:
        assert await refusal(served.call()) == (
            grpc.StatusCode.UNAVAILABLE,
            "the registry does not answer, try again",
        )


async def test_a_message_beyond_the_bound_ends_the_stream_and_not_the_server(served: Served) -> None:
    """A message that is too large costs its sender the stream."""
    call = await served.session()
    await call.write(up(batch(1, 1, details=["x" * MAX_MESSAGE_BYTES], detail=[1])))
    code, _ = await refusal(call)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    again = await served.session()
    await again.write(up(batch(1, 1)))
    assert acknowledged(await rest(again)) == [(1, 1)]


async def test_garbage_is_rejected_while_the_stream_lives(served: Served) -> None:
    """Bad batches between good ones are acknowledged with reasons, and the good ones are stored."""
    call = await served.session()
    for message in (
        batch(1, 2),
        batch(3, 2, outcome=[1]),
        batch(5, 2, target_ids=["mine"]),
        results_pb2.Batch(),
        batch(7, 20_000),
        batch(20_007, 1),
    ):
        await call.write(up(message))
    told = await rest(call)
    reasons = {(r.reason, r.count) for message in told for r in message.ack.rejected}
    assert reasons >= {("unknown_target", 2), ("oversize", 20_000)}
    assert {s for first, last in acknowledged(told) for s in range(first, last + 1)} == set(range(1, 20_008))
    assert served.rig.stored() == [1, 2, 20_007]


async def test_a_resend_after_a_break_is_recognised(served: Served) -> None:
    """An agent that lost its stream before the acknowledgement sends again, and nothing is stored twice."""
    call = await served.session()
    await call.write(up(batch(1, 4)))
    call.cancel()
    again = await served.session(unacknowledged=[results_pb2.Range(first=1, last=6)])
    await again.write(up(batch(3, 4)))
    await again.write(up(batch(1, 4)))
    assert acknowledged(await rest(again)) == [(1, 6)]
    assert served.rig.stored() == [1, 2, 3, 4, 5, 6]


async def test_the_newer_of_two_sessions_wins(served: Served) -> None:
    """A second session of one agent ends the first with a sentence."""
    older = await served.session()
    newer = await served.session(boot_id="boot-2")
    assert await refusal(older) == (grpc.StatusCode.ABORTED, "a newer session of this agent has begun")
    await newer.write(up(batch(1, 1)))
    assert acknowledged(await rest(newer)) == [(1, 1)]


async def test_nothing_is_acknowledged_before_it_is_durable() -> None:
    """While the store is busy the agent is told nothing of its results."""
    store = SlowStore()
    store.gate.clear()
    async with serving(Rig(store=store)) as served:
        call = await served.session()
        await call.write(up(batch(1, 4)))
        await call.write(up(session_pb2.Heartbeat(clock_us=NOW_US)))
        answer = await call.read()
        assert (pairs(answer.ack.durable), answer.ack.heartbeat_clock_us) == ([], NOW_US)
        store.gate.set()
        assert acknowledged(await rest(call)) == [(1, 4)]


async def test_a_sender_is_held_back_while_the_store_is_behind() -> None:
    """What the collector holds stays bounded whatever is sent, and all arrives in the end."""
    store = SlowStore()
    store.gate.clear()
    rig = Rig(store=store, limits=Limits(waiting=2_000, gather_s=0))
    async with serving(rig) as served:
        call = await served.session()
        sending = asyncio.create_task(send(call, (batch(1 + 1_000 * i, 1_000) for i in range(100))))
        await asyncio.wait([sending], timeout=1)
        assert rig.writer.waiting < 3_000
        store.gate.set()
        await sending
        assert acknowledged(await rest(call)) == [(1, 100_000)]
    assert len(rig.judgement.sequences) == 100_000


async def test_a_removed_agent_is_sent_away(served: Served) -> None:
    """Whoever leaves the registry loses the session."""
    call = await served.session()
    served.rig.intake.refit(replace(FLEET, agents=FLEET.agents[:1]))
    assert await refusal(call) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "this agent is no longer in the registry",
    )


async def test_agents_are_told_to_come_back_when_the_collector_stops(served: Served) -> None:
    """A stopping collector drains its sessions with a sentence."""
    call = await served.session()
    served.rig.intake.drain()
    (message,) = await everything(call)
    assert (message.drain.reason, message.drain.after_us) == ("the collector is stopping", 1_000_000)
