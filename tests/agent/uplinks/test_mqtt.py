"""What only the uplink over MQTT does."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faultline import mqtt as module
from faultline import topics
from faultline.mqtt import Access, connected, publication
from faultline.ranges import Ranges
from faultline.v1 import session_pb2
from faultline_agent.uplinks import mqtt as uplink_module
from faultline_agent.uplinks.mqtt import Line, MqttUplink
from faultline_agent.uplinks.uplink import Ack, Uplink, UplinkError
from faultline_agent.uplinks.wire import encode_batch
from faultline_agent.way import Tls, Way, parse_url
from tests.agent.stage import eventually, result
from tests.agent.uplinks.brokered import MqttEnd, mqtt_end, uplink_to
from tests.agent.uplinks.collectors import hello
from tests.agent.uplinks.test_contract import heartbeat, next_order
from tests.servers.mosquitto import COLLECTOR, Mosquitto


@pytest.fixture
async def end(mosquitto: Mosquitto) -> AsyncIterator[MqttEnd]:
    """A collector at the module's broker."""
    async with mqtt_end(mosquitto) as one:
        yield one


def way_to(url: str, token: str, tls: Tls | None = None) -> MqttUplink:
    """An uplink to a URL."""
    return MqttUplink.open(Way(parse_url(url), "agent", token, tls or Tls()))


async def refusal(uplink: Uplink) -> tuple[str, bool]:
    """Why it cannot connect, and whether for good."""
    with pytest.raises(UplinkError) as raised:
        await uplink.connect(hello())
    await uplink.close()
    return str(raised.value), raised.value.permanent


def line_of(uplink: Uplink) -> Line:
    """Its connection."""
    assert isinstance(uplink, MqttUplink)
    assert uplink._line is not None
    return uplink._line


async def test_broker_that_is_away_is_a_transient_error() -> None:
    """With its address in the sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = await refusal(way_to(f"mqtt://127.0.0.1:{port}", "secret"))
    assert said == (f"broker 127.0.0.1:{port}: [Errno 111] Connection refused", False)


async def test_wrong_password_is_one_sentence_and_worth_another_try(mosquitto: Mosquitto) -> None:
    """Whoever keeps the broker may mend it; until then results stay in the spool."""
    mosquitto.password("agent")
    said = await refusal(way_to(f"mqtt://127.0.0.1:{mosquitto.plain_port}", "wrong"))
    assert said == (
        f"broker 127.0.0.1:{mosquitto.plain_port}: refuses user 'agent': not authorized",
        False,
    )


async def test_topic_that_the_broker_refuses_is_seen(mosquitto: Mosquitto) -> None:
    """The broker's list of who may say what is not for this agent: aiomqtt would take it for success."""
    uplink = uplink_to(mosquitto, "agent")
    uplink._agent_id = "other"
    sentence, permanent = await refusal(uplink)
    assert "refuses user 'agent' to publish on faultline/v1/agents/other/up: not authorized" in sentence
    assert not permanent


async def test_topic_that_the_agent_may_not_read_is_seen(deaf_agent: tuple[int, str]) -> None:
    """It would be told nothing, so it says nothing."""
    port, password = deaf_agent
    sentence, permanent = await refusal(way_to(f"mqtt://127.0.0.1:{port}", password))
    assert "refuses user 'agent' to read faultline/v1/agents/agent/down: not authorized" in sentence
    assert not permanent


async def test_no_collector_at_the_broker_is_said_at_once(mosquitto: Mosquitto) -> None:
    """Nobody has subscribed: the broker knows, so nobody waits."""
    sentence, _ = await refusal(uplink_to(mosquitto, "lonely"))
    assert sentence.endswith("no collector has subscribed to faultline/v1/agents/lonely/up")


async def test_collector_that_does_not_answer_is_given_up(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has subscribed, and hangs."""
    monkeypatch.setattr(uplink_module, "WELCOME_S", 0.2)  # the reason for patching: a constant of time
    access = Access(mosquitto.host, mosquitto.plain_port, COLLECTOR, mosquitto.password(COLLECTOR))
    async with connected(access, 10) as connection:
        await connection.subscribe(topics.heard_by(COLLECTOR)[0])
        sentence, _ = await refusal(uplink_to(mosquitto))
    assert sentence.endswith("no collector answers on faultline/v1/agents/agent/up within 0.2 s")


async def test_broker_that_freezes_is_found_out(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither sending nor connecting waits for ever; when it goes on, so does the agent."""
    async with mqtt_end(broker) as end:
        uplink = end.uplink
        session = await uplink.connect(hello())
        broker.freeze()
        monkeypatch.setattr(module, "TIMEOUT_S", 0.5)  # the reason for patching: a constant of time
        with pytest.raises(UplinkError, match=r"no answer within 0\.5 s"):
            await session.send_heartbeat(heartbeat())
        await session.close()
        said = (f"broker 127.0.0.1:{broker.plain_port}: no answer within 0.5 s", False)
        assert await refusal(uplink) == said
        broker.thaw()
        monkeypatch.setattr(module, "TIMEOUT_S", 30.0)
        again = await uplink.connect(hello())
        await again.close()
        await uplink.close()


async def test_killed_broker_breaks_the_session_at_once(broker: Mosquitto) -> None:
    """Who listens hears of it, and who sends does not wait for an answer that cannot come."""
    async with mqtt_end(broker) as end:
        uplink = end.uplink
        session = await uplink.connect(hello())
        broker.kill()
        with pytest.raises(UplinkError, match=f"broker 127.0.0.1:{broker.plain_port}: ") as raised:
            await next_order(session.orders())
        assert not raised.value.permanent
        with pytest.raises(UplinkError):
            await session.send_heartbeat(heartbeat())
        await session.close()
        await uplink.close()


async def test_last_will_tells_of_an_agent_that_vanishes(end: MqttEnd) -> None:
    """The broker says for it that it has left; one that closes says so itself."""
    uplink = end.uplink
    session = await uplink.connect(hello())
    sock = line_of(uplink)._connection._client._client.socket()
    assert isinstance(sock, socket.socket)
    sock.shutdown(socket.SHUT_RDWR)
    await eventually(lambda: end.heard == ["hello", "leave"])
    await session.close()
    again = await uplink.connect(hello())
    await again.close()
    await eventually(lambda: end.heard == ["hello", "leave", "hello", "leave"])
    await uplink.close()


async def test_words_of_an_older_session_are_passed_over(end: MqttEnd) -> None:
    """What waited at the broker for a session that is gone is not taken for this one's."""
    uplink = end.uplink
    await (await uplink.connect(hello())).close()
    stale = session_pb2.CollectorMessage(drain=session_pb2.Drain(reason="old")).SerializeToString()
    await end.connection.publish(topics.down("agent"), stale, publication(b"an older session"))
    await end.connection.publish(topics.down("agent"), b"\xff\xff", publication())
    session = await uplink.connect(hello())
    await session.send_heartbeat(heartbeat())
    assert await next_order(session.orders()) == Ack(Ranges(), {}, 77)
    await uplink.close()


async def test_what_a_later_collector_says_is_passed_over(end: MqttEnd) -> None:
    """A message without anything that is known here."""
    uplink = end.uplink
    session = await uplink.connect(hello())
    session_id = line_of(uplink)._session_id
    await end.connection.publish(topics.down("agent"), b"", publication(session_id))
    await session.send_heartbeat(heartbeat())
    assert await next_order(session.orders()) == Ack(Ranges(), {}, 77)
    await uplink.close()


async def test_what_cannot_be_read_breaks_the_session(end: MqttEnd) -> None:
    """A collector that says nonsense in this session is not listened to further."""
    uplink = end.uplink
    session = await uplink.connect(hello())
    session_id = line_of(uplink)._session_id
    await end.connection.publish(topics.down("agent"), b"\xff\xff", publication(session_id))
    with pytest.raises(UplinkError, match="a collector says what cannot be read"):
        await next_order(session.orders())
    await uplink.close()


@pytest.mark.parametrize("how", ["password", "certificate"])
async def test_tls_by_password_and_by_certificate(end: MqttEnd, mosquitto: Mosquitto, how: str) -> None:
    """Either way the broker knows who the agent is."""
    certificate, key = mosquitto.certificate("agent")
    if how == "password":
        url, token = f"mqtts://127.0.0.1:{mosquitto.passwords_port}", mosquitto.password("agent")
        uplink = way_to(url, token, tls=Tls(mosquitto.authorities))
    else:
        url = f"mqtts://localhost:{mosquitto.certificates_port}"
        uplink = way_to(url, "", tls=Tls(mosquitto.authorities, certificate, key))
    session = await uplink.connect(hello())
    await session.send_batch(encode_batch([result()], 1), live=True)
    assert await next_order(session.orders()) == Ack(Ranges([(1, 1)]))
    await uplink.close()


async def test_certificate_of_another_agent_is_refused_before_it_is_shown(mosquitto: Mosquitto) -> None:
    """The name in the certificate must be the agent's: the broker takes it for the user."""
    certificate, key = mosquitto.certificate("other")
    url = f"mqtts://localhost:{mosquitto.certificates_port}"
    said = await refusal(way_to(url, "", tls=Tls(mosquitto.authorities, certificate, key)))
    assert said == (f"{certificate} is the certificate of ['other'], not of 'agent'", True)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # paho leaves it to be collected
async def test_broker_of_another_authority_is_not_trusted(mosquitto: Mosquitto) -> None:
    """The system's list does not name it."""
    sentence, permanent = await refusal(way_to(f"mqtts://localhost:{mosquitto.passwords_port}", "secret"))
    await asyncio.sleep(0)
    gc.collect()
    assert "certificate verify failed" in sentence
    assert not permanent


async def test_files_that_cannot_be_used_stop_with_a_sentence(tmp_path: Path) -> None:
    """Trying again does not mend them."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    sentence, permanent = await refusal(way_to("mqtts://localhost:1", "secret", tls=Tls(empty)))
    assert (sentence.startswith(f"{empty} cannot be used: "), permanent) == (True, True)
    said = await refusal(way_to("mqtts://localhost:1", "secret", tls=Tls(Path("/nowhere/ca.pem"))))
    assert said == ("reading /nowhere/ca.pem: No such file or directory", True)


async def test_orders_that_find_no_room_break_the_session(
    end: MqttEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An acknowledgement that is lost is repeated when the agent comes back; nothing is lost for good."""
    monkeypatch.setattr(uplink_module, "MOST_WAITING", 2)  # the reason for patching: a bound
    uplink = end.uplink
    session = await uplink.connect(hello())
    for _ in range(4):
        await end.order(Ack(Ranges([(1, 1)])))
    await eventually(lambda: line_of(uplink)._connection.discarded)
    with pytest.raises(UplinkError, match="orders come faster than they are taken"):
        await next_order(session.orders())
    await asyncio.wait_for(uplink.close(), 30)
