"""What every uplink does alike."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from faultline.ranges import Ranges
from faultline_agent.uplinks.uplink import (
    Ack,
    Assignment,
    Drain,
    DroppedRange,
    Evidence,
    Explain,
    Heartbeat,
    LostRange,
    Order,
    ProbeNow,
    Session,
    Uplink,
    UplinkError,
)
from faultline_agent.uplinks.wire import encode_batch
from tests.agent.stage import DEADLINE_S, assigned, eventually, result
from tests.agent.uplinks.collectors import FarEnd, hello


@pytest.fixture
async def uplink(far_end: FarEnd) -> AsyncIterator[Uplink]:
    """The way there, closed twice at the end."""
    uplink = far_end.uplink
    yield uplink
    await uplink.close()
    await uplink.close()


def heartbeat(*dropped: DroppedRange) -> Heartbeat:
    """A sign of life."""
    return Heartbeat(77, 0, 0, 0, 0, 0, True, "", dropped, 0, "", 0)


async def next_order(orders: AsyncIterator[Order]) -> Order:
    """What the collector says next, soon."""
    async with asyncio.timeout(DEADLINE_S):
        return await anext(orders)


async def test_batch_is_acknowledged_by_its_sequences(far_end: FarEnd, uplink: Uplink) -> None:
    """In the lane that it was sent in."""
    session = await uplink.connect(hello())
    orders = session.orders()
    await session.send_batch(encode_batch([result()] * 3, 1), live=True)
    assert await next_order(orders) == Ack(Ranges([(1, 3)]))
    await session.send_batch(encode_batch([result()], 4), live=False)
    assert await next_order(orders) == Ack(Ranges([(4, 4)]))
    assert [what for what in far_end.heard if what != "hello"] == ["live 1-3", "backlog 4-4"]
    await session.close()


async def test_heartbeat_is_acknowledged_with_its_clock_and_drops(far_end: FarEnd, uplink: Uplink) -> None:
    """The agent measures the round trip, and forgets the drops."""
    session = await uplink.connect(hello())
    await session.send_heartbeat(heartbeat(DroppedRange(5, 8, "age")))
    ack = await next_order(session.orders())
    assert ack == Ack(Ranges([(5, 8)]), {}, 77)
    await session.close()


async def test_lost_spools_are_acknowledged(far_end: FarEnd, uplink: Uplink) -> None:
    """By their names, apart from the session's own ranges."""
    session = await uplink.connect(hello())
    lost = (LostRange("older", 1, 8), LostRange("oldest", 1, 3))
    await session.send_heartbeat(replace(heartbeat(), lost=lost))
    assert await next_order(session.orders()) == Ack(Ranges(), {}, 77, lost)
    await session.close()


async def test_welcome_tells_what_is_held_already(far_end: FarEnd, uplink: Uplink) -> None:
    """And the highest sequence that was ever seen of the spool."""
    far_end.held["spool"] = Ranges([(1, 10), (20, 30)])
    session = await uplink.connect(hello("spool", Ranges([(5, 22)])))
    assert session.welcome.held == Ranges([(5, 10), (20, 22)])
    assert session.welcome.highest_sequence == 30
    assert session.welcome.heartbeat_s > 0
    await session.close()
    other = await uplink.connect(hello("other", Ranges([(5, 22)])))
    assert (other.welcome.held, other.welcome.highest_sequence) == (Ranges(), 0)
    await other.close()


@pytest.mark.parametrize(
    "order",
    [
        Assignment("v1", (assigned("web", 30.0, 2.0, host="127.0.0.1", port=9),)),
        Assignment("v2", ()),
        ProbeNow(("web", "api"), 1.5, 99),
        Explain("r1", "web", ("story",), 99),
        Drain(2.5, "", "the collector restarts"),
        Ack(Ranges([(1, 2)]), {"unknown_target": 2}),
    ],
    ids=lambda order: type(order).__name__,
)
async def test_order_arrives_as_it_was_given(far_end: FarEnd, uplink: Uplink, order: Order) -> None:
    """Whatever carries it."""
    session = await uplink.connect(hello())
    await far_end.order(order)
    assert await next_order(session.orders()) == order
    await session.close()


async def test_evidence_arrives(far_end: FarEnd, uplink: Uplink) -> None:
    """An answer to Explain."""
    session = await uplink.connect(hello())
    await session.send_evidence(Evidence("r1", "web", "story", 5, "{}"))
    await eventually(lambda: "evidence" in far_end.heard)
    await session.close()


@pytest.mark.parametrize("permanent", [True, False])
async def test_refusal_says_whether_to_come_back(far_end: FarEnd, uplink: Uplink, permanent: bool) -> None:
    """With the collector's sentence."""
    far_end.refusal = UplinkError("no such agent", permanent=permanent)
    with pytest.raises(UplinkError, match="no such agent") as raised:
        await uplink.connect(hello())
    assert raised.value.permanent is permanent


async def test_cut_session_raises_for_who_listens_and_who_sends(far_end: FarEnd, uplink: Uplink) -> None:
    """And a new one can be had."""
    session = await uplink.connect(hello())
    await far_end.cut()
    with pytest.raises(UplinkError) as raised:
        await next_order(session.orders())
    assert not raised.value.permanent
    with pytest.raises(UplinkError):
        await send_until_it_fails(session)
    await session.close()
    await session.close()
    again = await uplink.connect(hello())
    await again.send_batch(encode_batch([result()], 1), live=True)
    assert isinstance(await next_order(again.orders()), Ack)
    await again.close()


async def send_until_it_fails(session: Session) -> None:
    """What is on its way into a broken stream may still be taken for a moment."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            await session.send_heartbeat(heartbeat())
            await asyncio.sleep(0.01)


async def test_orders_end_when_the_collector_ends_the_session(far_end: FarEnd, uplink: Uplink) -> None:
    """A polite end is no error."""
    session = await uplink.connect(hello())
    await far_end.end()
    async with asyncio.timeout(DEADLINE_S):
        assert [order async for order in session.orders()] == []
    await session.close()


async def test_session_can_be_closed_after_its_listener_was_cancelled(
    far_end: FarEnd, uplink: Uplink
) -> None:
    """The end of the agent finds it waiting for orders."""
    session = await uplink.connect(hello())
    listening = asyncio.create_task(next_order(session.orders()))
    await asyncio.sleep(0)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    await session.close()
