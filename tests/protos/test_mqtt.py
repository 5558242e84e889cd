"""A connection to a real broker: what is refused, what breaks, and what is said of it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from faultline import mqtt as module
from faultline.mqtt import Access, BrokerError, Connection, NotAllowed, TakenOver, broker_error, connected
from faultline_collector.lab.ports import free_port
from tests.servers.mosquitto import Mosquitto

DOWN = "faultline/v1/agents/west-1/down"


def access_of(server: Mosquitto, user: str = "faultline-collector") -> Access:
    """What a user needs to come in by the plaintext listener."""
    return Access(server.host, server.plain_port, user, server.password(user))


async def test_a_host_that_cannot_be_one_is_a_sentence() -> None:
    """A label has 63 characters at most (RFC 1035)."""
    with pytest.raises(BrokerError, match="not the name of a host") as raised:
        await Connection(Access(f"{'a' * 64}.example", 1883, "agent"), 10).open()
    assert raised.value.permanent


@pytest.fixture
async def connection(broker: Mosquitto) -> AsyncIterator[Connection]:
    """The collector's, at a broker that may be killed."""
    async with connected(access_of(broker), 10) as one:
        yield one


async def test_an_address_of_ipv6_is_named_in_brackets() -> None:
    """As in a URL."""
    port = free_port()
    with pytest.raises(BrokerError, match=rf"broker \[::1\]:{port}: .*refused"):
        await Connection(Access("::1", port, "agent"), 10).open()


async def test_an_attempt_that_is_cancelled_leaves_no_connection_open() -> None:
    """Whoever listens there and says nothing sees it end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        opening = asyncio.create_task(Connection(Access("127.0.0.1", port, "agent"), 10).open())
        there, _ = await asyncio.to_thread(silent.accept)
        with there:
            assert await asyncio.to_thread(there.recv, 1)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            there.settimeout(5)
            while await asyncio.to_thread(there.recv, 1_000):
                pass


async def test_calls_that_wait_end_when_the_broker_dies(broker: Mosquitto, connection: Connection) -> None:
    """At once, not when their time is over, and so does every call that comes after."""
    broker.freeze()
    calls = [connection.publish(DOWN, b"x"), connection.publish(DOWN, b"x")]
    waiting: list[asyncio.Future[object]] = [asyncio.ensure_future(call) for call in calls]
    waiting += [asyncio.ensure_future(connection.next()), asyncio.ensure_future(connection.subscribe(DOWN))]
    await asyncio.sleep(0)
    broker.kill()
    ends = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
    for after in (connection.publish(DOWN, b"x"), connection.subscribe(DOWN), connection.next()):
        with pytest.raises(BrokerError) as raised:
            await after
        ends.append(raised.value)
    assert {str(end) for end in ends} == {f"{connection.access.where}: connection lost"}


async def test_a_subscription_that_is_not_answered_is_given_up(
    broker: Mosquitto, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker hangs."""
    monkeypatch.setattr(connection._client, "timeout", 0.2)  # the reason for patching: a constant of time
    broker.freeze()
    with pytest.raises(BrokerError, match="no answer within"):
        await connection.subscribe(DOWN)
    broker.thaw()


async def test_an_answer_that_comes_too_late_is_passed_over(
    broker: Mosquitto, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it any more."""
    broker.freeze()
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)  # the reason for patching: a constant of time
    with pytest.raises(BrokerError, match=r"no answer within 0\.1 s"):
        await connection.publish(DOWN, b"late")
    monkeypatch.setattr(module, "TIMEOUT_S", 30.0)
    broker.thaw()
    assert not await connection.publish(DOWN, b"x")


async def test_a_topic_that_may_not_be_read_is_named(deaf_agent: tuple[int, str]) -> None:
    """The broker refuses the subscription: with an access list it would take it, and send nothing."""
    port, password = deaf_agent
    async with connected(Access("127.0.0.1", port, "agent", password), 10) as connection:
        with pytest.raises(NotAllowed, match=f"refuses user 'agent' to read {DOWN}: not authorized"):
            await connection.subscribe(DOWN)


async def test_a_key_with_a_passphrase_is_refused(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Nobody is there to type it."""
    key = tmp_path / "key.pem"
    locked = BestAvailableEncryption(b"secret")
    key.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)
    )
    certificate, _ = mosquitto.certificate("agent")
    access = replace(access_of(mosquitto, "agent"), tls=True, certificate=certificate, key=key)
    with pytest.raises(BrokerError, match="cannot be used: the key must not need a passphrase") as raised:
        await Connection(access, 10).open()
    assert raised.value.permanent


def test_a_broker_that_says_who_has_come_is_believed() -> None:
    """Mosquitto does since 2.0.15: the session has been taken over."""
    code = ReasonCode(PacketTypes.DISCONNECT, "Session taken over")
    error = broker_error(Access("h", 1883, "west-1"), aiomqtt.MqttCodeError(code))
    assert isinstance(error, TakenOver)
    assert str(error) == "broker h:1883: somebody else has come as user 'west-1', whom one alone may be"


def test_a_broker_that_says_why_it_ends_the_connection_is_quoted() -> None:
    """It is shutting down, or has had enough."""
    code = ReasonCode(PacketTypes.DISCONNECT, "Quota exceeded")
    error = broker_error(Access("h", 1883, "west-1"), aiomqtt.MqttCodeError(code))
    assert str(error) == "broker h:1883: connection lost: quota exceeded"
