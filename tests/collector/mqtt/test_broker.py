"""The collector's connection to a broker."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import aiomqtt
import pytest

from faultline import mqtt, topics
from faultline.mqtt import Access, BrokerError, NotAllowed, connected
from faultline_collector.metrics import Metrics
from faultline_collector.mqtt import broker as module
from faultline_collector.mqtt.broker import Broker, Hearing
from tests.agent.stage import eventually
from tests.collector.mqtt.carried import QUICK, access_of
from tests.servers.mosquitto import Mosquitto

DOWN = "faultline/v1/agents/west-1/down"
UP = "faultline/v1/agents/west-1/up"


class Rest:
    """Short rests are taken as they are; a long one lasts until it is let go on."""

    def __init__(self) -> None:
        self.begun, self.over = asyncio.Event(), asyncio.Event()

    async def __call__(self, delay_s: float) -> None:
        """Rests."""
        if delay_s < module.TAKEN_OVER_S:
            await asyncio.sleep(delay_s)
        else:
            self.begun.set()
            await self.over.wait()


@asynccontextmanager
async def running(
    access: Access, *hearings: Hearing, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[Broker]:
    """A connection that is made as often as it takes."""
    broker = Broker(access, Metrics(), backoff=QUICK, sleep=sleep)
    broker.hearings += hearings
    task = asyncio.create_task(broker.run())
    try:
        yield broker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def value(broker: Broker, name: str, **labels: str) -> float:
    """A metric's value."""
    return broker._metrics.registry.get_sample_value(name, labels) or 0.0


async def test_a_refused_user_is_one_sentence_and_tried_again(mosquitto: Mosquitto) -> None:
    """Until somebody mends it at the broker."""
    right = access_of(mosquitto)
    async with running(replace(right, password="wrong")) as broker:
        said = f"broker 127.0.0.1:{right.port}: refuses user 'faultline-collector': not authorized"
        await eventually(lambda: broker.problem == said)
        await eventually(lambda: value(broker, "faultline_broker_breaks_total") >= 2)
        assert value(broker, "faultline_broker_connected") == 0
        broker.access = right
        await eventually(lambda: not broker.problem)
        assert value(broker, "faultline_broker_connected") == 1


async def test_of_two_collectors_with_one_user_the_older_says_so_and_stays_away(mosquitto: Mosquitto) -> None:
    """For a minute: to the broker they are one client, and would push each other out without end."""
    access, rest = access_of(mosquitto), Rest()
    async with running(access, sleep=rest) as older:
        await eventually(lambda: not older.problem)
        async with running(access) as newer:
            await asyncio.wait_for(rest.begun.wait(), 30)
            assert older.problem == (
                f"broker 127.0.0.1:{access.port}: somebody else has come as user 'faultline-collector', "
                "whom one alone may be"
            )
            await newer.publish(DOWN, b"x")
            await eventually(lambda: not newer.problem)
            assert value(older, "faultline_broker_connected") == 0


async def test_the_older_goes_on_when_the_newer_is_gone(broker: Mosquitto) -> None:
    """Its publications have waited; the claim of whoever came last is not kept for ever."""
    access, rest = access_of(broker), Rest()
    async with running(access, sleep=rest) as older:
        await eventually(lambda: not older.problem)
        async with running(access):
            await asyncio.wait_for(rest.begun.wait(), 30)
            publishing = [asyncio.create_task(older.publish(DOWN, b"x")) for _ in range(100)]
        broker.stop()
        (broker.folder / "mosquitto.db").unlink()  # or two minutes pass
        broker.start()
        rest.over.set()
        await asyncio.wait_for(asyncio.gather(*publishing), 30)
        assert not older.problem


async def test_without_leave_to_claim_a_collector_works_as_ever(broker: Mosquitto) -> None:
    """An access list of an earlier version lacks that line."""
    acl = broker.folder / "acl"
    acl.write_text("".join(line for line in acl.read_text().splitlines(True) if "collectors" not in line))
    broker.signal(signal.SIGHUP)
    async with running(access_of(broker)) as one:
        await eventually(lambda: not one.problem)
        await one.publish(DOWN, b"x")


async def test_a_collector_that_may_not_hear_its_claim_says_so(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may say it: half of the line in the access list is missing."""
    acl = broker.folder / "acl"
    acl.write_text(
        acl.read_text().replace("readwrite faultline/v1/collectors", "write faultline/v1/collectors")
    )
    broker.signal(signal.SIGHUP)
    monkeypatch.setattr(mqtt, "TIMEOUT_S", 0.5)  # the reason for patching: a constant of time
    async with running(access_of(broker)) as one:
        await eventually(lambda: one.problem.endswith("no answer within 0.5 s"))


async def test_what_comes_while_a_claim_is_made_is_handed_out(mosquitto: Mosquitto) -> None:
    """It has waited at the broker for a collector that was away."""
    heard: list[bytes] = []
    at = topics.up_at("west-1", "faultline-collector")
    hearing = Hearing((at,), at, lambda message: heard.append(bytes(message.payload)))
    async with running(access_of(mosquitto), hearing) as broker:
        await eventually(lambda: not broker.problem)
    async with connected(access_of(mosquitto, "west-1"), 1) as agent:
        for payload in (b"1", b"2", b"3"):
            await agent.publish(at, payload)
    async with running(access_of(mosquitto), hearing):
        await eventually(lambda: heard == [b"1", b"2", b"3"])


async def test_what_the_broker_forbids_is_raised_and_all_else_goes_on(mosquitto: Mosquitto) -> None:
    """Its list of who may say what is short of a line."""
    async with running(access_of(mosquitto)) as broker:
        with pytest.raises(NotAllowed, match="to publish on faultline/v1/agents/west-1/up: not authorized"):
            await broker.publish(UP, b"x")
        await broker.publish(DOWN, b"x")
        assert not broker.problem


async def test_a_publication_waits_for_a_broker_that_comes_back(broker: Mosquitto) -> None:
    """Over as many connections as it takes."""
    async with running(access_of(broker)) as one:
        await eventually(lambda: not one.problem)
        broker.kill()
        await eventually(lambda: one.problem)
        waiting = asyncio.create_task(one.publish(DOWN, b"x"))
        broker.start()
        await asyncio.wait_for(waiting, 30)


async def test_what_waits_when_the_connection_is_given_up_is_handed_out(mosquitto: Mosquitto) -> None:
    """The broker has been told that it came."""
    heard: list[bytes] = []
    hearing = Hearing((UP,), UP, lambda message: heard.append(bytes(message.payload)))
    async with running(access_of(mosquitto), hearing) as broker:
        await eventually(lambda: broker._line)
        line = broker._line
        assert line is not None
        async with connected(access_of(mosquitto, "west-1"), 1) as agent:
            await agent.publish(UP, b"x")
        await eventually(lambda: heard)
        message = aiomqtt.Message(UP, b"late", 1, False, 1, None)
        line.connection._inbox.put_nowait(message)
        line.broken.set_result(BrokerError("given up"))
        await eventually(lambda: heard == [b"x", b"late"])


async def test_what_finds_no_room_is_counted(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiomqtt would say it to a log that nobody reads."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)  # the reason for patching: a bound
    heard: list[str] = []
    hearing = Hearing((UP,), UP, lambda message: heard.append(str(message.topic)))
    async with running(access_of(mosquitto), hearing) as broker:
        await eventually(lambda: not broker.problem)
        assert broker._line is not None
        assert broker._line.connection._inbox.maxsize == 3
        broker._line.connection._inbox.discarded += 3
        async with connected(access_of(mosquitto, "west-1"), 1) as agent:
            await agent.publish(UP, b"x")
        await eventually(lambda: heard)
        await eventually(lambda: value(broker, "faultline_mqtt_dropped_messages_total", reason="inbox") == 3)
