"""Agents' sessions over a real broker, from the agent's uplink to the store."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from faultline import topics
from faultline.mqtt import Connection, connected, publication, session_of
from faultline.ranges import Ranges
from faultline.v1 import session_pb2
from faultline_agent.uplinks.uplink import Ack, Assignment, Drain, Hello, Session, UplinkError
from faultline_agent.uplinks.wire import encode_batch, hello_message
from faultline_collector.mqtt import carrier as module
from tests.agent.stage import DEADLINE_S, eventually, result
from tests.agent.uplinks.test_contract import heartbeat, next_order
from tests.collector.ingest.worlds import FLEET, NOW_US, Rig, SlowStore, target
from tests.collector.mqtt.carried import Carried, access_of, uplink_of
from tests.servers.mosquitto import COLLECTOR, Mosquitto

SESSION = b"a session of this test"


@pytest.fixture
async def carried(mosquitto: Mosquitto) -> AsyncIterator[Carried]:
    """A collector that agents reach by the broker of the module."""
    async with Carried(mosquitto).running() as one:
        yield one


def hello(agent_id: str = "west-1", unacknowledged: Ranges | None = None) -> Hello:
    """An agent's introduction."""
    return Hello(agent_id, "boot", "spool-1", "0.1.0", "", NOW_US, unacknowledged or Ranges(), ("tcp",))


@pytest.fixture
async def agent(carried: Carried) -> AsyncIterator[Session]:
    """A session of west-1."""
    uplink = uplink_of(carried.server)
    yield await uplink.connect(hello())
    await uplink.close()


class Voice:
    """A client at the broker that says what it likes, as the user `west-1`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def say(
        self, payload: bytes, topic: str = topics.up("west-1"), session_id: bytes = SESSION
    ) -> None:
        """Publishes."""
        await self._connection.publish(topic, payload, publication(session_id))

    async def told(self) -> session_pb2.CollectorMessage:
        """What it is told next in the session."""
        async with asyncio.timeout(DEADLINE_S):
            while session_of(message := await self._connection.next()) != SESSION:
                pass
        return session_pb2.CollectorMessage.FromString(message.payload)


@pytest.fixture
async def voice(carried: Carried) -> AsyncIterator[Voice]:
    """Somebody who speaks as west-1."""
    async with connected(access_of(carried.server, "west-1"), 100) as connection:
        await connection.subscribe(topics.down("west-1"))
        yield Voice(connection)


async def test_results_are_stored_and_acknowledged(carried: Carried) -> None:
    """Welcome, assignment, results, acknowledgement: as over gRPC."""
    uplink = uplink_of(carried.server)
    session = await uplink.connect(hello())
    orders = session.orders()
    assert isinstance(await next_order(orders), Assignment)
    await session.send_batch(encode_batch([result()] * 3, 1), live=True)
    assert await next_order(orders) == Ack(Ranges([(1, 3)]))
    assert carried.rig.stored() == [1, 2, 3]
    await session.send_heartbeat(heartbeat())
    assert (await next_order(orders)) == Ack(Ranges(), {}, 77)
    await session.close()
    await eventually(lambda: carried.rig.count("faultline_sessions") == 0)
    again = await uplink.connect(hello(unacknowledged=Ranges([(2, 5)])))
    assert (again.welcome.held, again.welcome.highest_sequence) == (Ranges([(2, 3)]), 3)
    await uplink.close()


async def test_a_new_assignment_goes_out(carried: Carried, agent: Session) -> None:
    """To every agent, by whatever way it came."""
    orders = agent.orders()
    await next_order(orders)
    carried.rig.intake.refit(replace(FLEET, targets=(*FLEET.targets, target("x"))))
    assignment = await next_order(orders)
    assert isinstance(assignment, Assignment)
    assert "x" in [one.target_id for one in assignment.targets]


async def test_a_removed_agent_is_sent_away_for_good(carried: Carried, agent: Session) -> None:
    """As over gRPC."""
    orders = agent.orders()
    await next_order(orders)
    carried.rig.intake.refit(replace(FLEET, agents=()))
    with pytest.raises(UplinkError, match="no longer in the registry") as raised:
        await next_order(orders)
    assert raised.value.permanent


async def test_a_stopping_collector_asks_to_come_back(carried: Carried, agent: Session) -> None:
    """And says so before it goes."""
    orders = agent.orders()
    await next_order(orders)
    carried.rig.intake.drain()
    assert await next_order(orders) == Drain(1.0, "", "the collector is stopping")


async def test_an_agent_that_is_not_known_is_refused_for_good(carried: Carried) -> None:
    """The broker knows it and the registry does not."""
    uplink = uplink_of(carried.server, "north-1")
    with pytest.raises(UplinkError, match="agent 'north-1' is not in the registry") as raised:
        await uplink.connect(hello("north-1"))
    assert raised.value.permanent
    assert carried.refreshed == 1
    assert carried.rig.count("faultline_refused_sessions_total", reason="agent") == 1
    await uplink.close()


async def test_topic_and_content_that_disagree_are_refused(carried: Carried) -> None:
    """The broker vouches for the topic, and for nothing that stands in a message."""
    uplink = uplink_of(carried.server, "west-1")
    with pytest.raises(UplinkError, match="agent 'west-1' cannot speak for 'east-1'") as raised:
        await uplink.connect(hello("east-1"))
    assert raised.value.permanent
    assert carried.rig.count("faultline_refused_sessions_total", reason="agent") == 1
    await uplink.close()


async def test_another_agents_session_cannot_be_spoken_in(carried: Carried, agent: Session) -> None:
    """Even with its id, which nobody else sees: the topic is another's."""
    session_id = next(iter(carried.carrier._lines))
    async with connected(access_of(carried.server, "east-1"), 10) as connection:
        batch = session_pb2.AgentMessage().SerializeToString()
        at = topics.up_at("east-1", COLLECTOR)
        await connection.publish(at, batch, publication(session_id))
    dropped = carried.rig.count
    await eventually(lambda: dropped("faultline_mqtt_dropped_messages_total", reason="disagrees") == 1)


NO_HELLO = session_pb2.AgentMessage(heartbeat=session_pb2.Heartbeat()).SerializeToString()


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        pytest.param(b"\xff\xff", "the hello cannot be read", id="garbage"),
        pytest.param(NO_HELLO, "the first message of a session must be a hello", id="no-hello"),
    ],
)
async def test_a_bad_beginning_is_refused(
    carried: Carried, voice: Voice, payload: bytes, sentence: str
) -> None:
    """With a sentence, and counted; it may come again."""
    await voice.say(payload)
    end = (await voice.told()).end
    assert (end.reason, end.permanent) == (sentence, False)
    assert carried.rig.count("faultline_refused_sessions_total", reason="bad_hello") == 1


async def test_what_belongs_to_no_session_begins_anew(carried: Carried, voice: Voice) -> None:
    """After a restart of the collector its agents are told so once, at once; a last will is for no answer."""
    at = topics.up_at("west-1", COLLECTOR)
    for _ in range(3):
        await voice.say(NO_HELLO, at)
    assert (await voice.told()).end.reason == "the collector does not know this session, begin anew"
    await voice.say(NO_HELLO, topics.last("west-1"))
    await voice.say(NO_HELLO, at, b"")
    dropped = carried.rig.count
    await eventually(lambda: dropped("faultline_mqtt_dropped_messages_total", reason="no_session_id") == 1)
    assert dropped("faultline_mqtt_dropped_messages_total", reason="no_session") == 3


async def test_a_hello_that_comes_twice_is_one(carried: Carried, voice: Voice) -> None:
    """At least once may be twice."""
    said = hello_message(hello()).SerializeToString()
    await voice.say(said)
    assert (await voice.told()).HasField("welcome")
    await voice.say(said)
    beat = session_pb2.AgentMessage(heartbeat=session_pb2.Heartbeat(clock_us=NOW_US))
    await voice.say(beat.SerializeToString(), topics.up_at("west-1", COLLECTOR))
    assert (await voice.told()).HasField("assignment")
    assert (await voice.told()).HasField("ack")
    await voice.say(b"\xff", topics.up_at("west-1", COLLECTOR))
    assert "pars" in (await voice.told()).end.reason.lower()


async def test_a_silent_agents_session_ends(carried: Carried, agent: Session) -> None:
    """Nothing was heard of it for long, and no last will came either."""
    assert carried.rig.presences.get("west-1").connected
    carried.clock.now += module.SILENT_S + 1
    await eventually(lambda: carried.rig.count("faultline_sessions") == 0)
    assert not carried.rig.presences.get("west-1").connected


async def test_a_newer_session_replaces_the_older(carried: Carried, voice: Voice) -> None:
    """The older is told; results of either are stored."""
    await voice.say(hello_message(hello()).SerializeToString())
    assert (await voice.told()).HasField("welcome")
    session = carried.rig.intake.open("west-1", hello_message(hello()).hello)
    told = [await voice.told(), await voice.told()]
    assert told[1].end.reason == "a newer session of this agent has begun"
    carried.rig.intake.closed(session)


async def test_while_the_store_is_behind_little_waits(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds no room is counted; the agent still has it and sends it again in its next session."""
    monkeypatch.setattr(module, "MOST_WAITING", 4)  # the reason for patching: a bound
    rig = Rig(SlowStore())
    assert isinstance(rig.store, SlowStore)
    rig.store.gate.clear()
    rig.writer._limits = replace(rig.writer._limits, waiting=1)
    async with Carried(mosquitto, rig=rig).running() as carried:
        uplink = uplink_of(mosquitto)
        session = await uplink.connect(hello())
        for first in range(1, 12):
            await session.send_batch(encode_batch([result()], first), live=True)
        await eventually(lambda: rig.count("faultline_mqtt_dropped_messages_total", reason="full"))
        rig.store.gate.set()
        await eventually(lambda: rig.stored())
        again = await uplink.connect(hello(unacknowledged=Ranges([(1, 11)])))
        for first, last in Ranges([(1, 11)]):
            for sequence in range(first, last + 1):
                if not again.welcome.held.covers(sequence, sequence):
                    await again.send_batch(encode_batch([result()], sequence), live=False)
                    await eventually(lambda: sequence in rig.stored())  # noqa: B023
        assert rig.stored() == list(range(1, 12))
        await uplink.close()
    assert carried.carrier._waiting_bytes == 0


async def test_too_many_sessions_are_not_begun(
    carried: Carried, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs memory; who finds no room tries again."""
    monkeypatch.setattr(module, "MOST_ERRANDS", 0)  # the reason for patching: a bound
    await voice.say(hello_message(hello()).SerializeToString())
    dropped = carried.rig.count
    await eventually(lambda: dropped("faultline_mqtt_dropped_messages_total", reason="errands") == 1)
    assert carried.carrier._lines == {}


async def test_two_collectors_share_agents_and_mix_up_no_session(broker: Mosquitto) -> None:
    """One of them hears a Hello, and all that follows goes to that one."""
    second = f"{COLLECTOR}-2"
    acl = broker.folder / "acl"
    lines = acl.read_text().partition(f"user {COLLECTOR}\n")[2].partition("\n\n")[0]
    acl.write_text(f"{acl.read_text()}\nuser {second}\n{lines}\n")
    broker.signal(signal.SIGHUP)
    async with Carried(broker).running() as one, Carried(broker, user=second).running() as other:
        uplinks = [uplink_of(broker, agent_id) for agent_id in ("west-1", "east-1")]
        sessions = [
            await uplink.connect(hello(agent_id))
            for uplink, agent_id in zip(uplinks, ("west-1", "east-1"), strict=True)
        ]
        for first in range(1, 6):
            for session in sessions:
                await session.send_batch(encode_batch([result()], first), live=True)
        await eventually(lambda: one.rig.stored() + other.rig.stored() == [1, 2, 3, 4, 5] * 2)
        assert [carried.rig.count("faultline_sessions") for carried in (one, other)] == [1, 1]
        for uplink in uplinks:
            await uplink.close()
