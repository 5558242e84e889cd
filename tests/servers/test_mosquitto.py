"""The deployed broker configuration: who may come in, and who may say and hear what."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from queue import SimpleQueue

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from faultline_collector.lab.mosquitto import ACL
from tests.servers.mosquitto import COLLECTOR, DEPLOYED, READER, Mosquitto

_TIMEOUT_S = 10.0
_UP, _DOWN = "faultline/v1/agents/{}/up", "faultline/v1/agents/{}/down"
NOT_AUTHORIZED = 135


@asynccontextmanager
async def as_certificate(server: Mosquitto, name: str, client_id: str = "") -> AsyncIterator[aiomqtt.Client]:
    """A connected client that shows a certificate of this name."""
    context = ssl.create_default_context(cafile=server.authorities)
    context.load_cert_chain(*server.certificate(name))
    async with _client(server, server.certificates_port, client_id, tls_context=context) as client:
        yield client


@asynccontextmanager
async def as_user(server: Mosquitto, name: str, password: str) -> AsyncIterator[aiomqtt.Client]:
    """A connected client with user and password, over TLS."""
    context = ssl.create_default_context(cafile=server.authorities)
    words = {"username": name, "password": password}
    async with _client(server, server.passwords_port, "", tls_context=context, **words) as client:
        yield client


def _client(server: Mosquitto, port: int, client_id: str, **more: object) -> aiomqtt.Client:
    settings = {"protocol": aiomqtt.ProtocolVersion.V5, "timeout": _TIMEOUT_S, **more}
    return aiomqtt.Client(server.host, port, identifier=client_id or None, **settings)  # type: ignore[arg-type]


async def heard(client: aiomqtt.Client, payload: bytes) -> list[str]:
    """Topics of what a client hears, until this payload."""
    topics = []
    async with asyncio.timeout(_TIMEOUT_S):
        async for message in client.messages:
            topics.append(str(message.topic))
            if message.payload == payload:
                break
    return topics


async def test_agent_reaches_the_collector_and_hears_it(mosquitto: Mosquitto) -> None:
    """Up by a shared subscription, down to the agent alone."""
    async with as_certificate(mosquitto, COLLECTOR) as collector, as_certificate(mosquitto, "a") as agent:
        await collector.subscribe(f"$share/collectors/{_UP.format('+')}", qos=1)
        await agent.subscribe(_DOWN.format("a"), qos=1)
        await agent.publish(_UP.format("a"), b"hello", qos=1)
        assert await heard(collector, b"hello") == [_UP.format("a")]
        await collector.subscribe(_UP.format("+") + f"/at/{COLLECTOR}", qos=1)
        await agent.publish(_UP.format("a") + f"/at/{COLLECTOR}", b"batch", qos=1)
        assert await heard(collector, b"batch") == [_UP.format("a") + f"/at/{COLLECTOR}"]
        await collector.publish(_DOWN.format("a"), b"welcome", qos=1)
        assert await heard(agent, b"welcome") == [_DOWN.format("a")]


@pytest.mark.parametrize(
    "topic",
    [
        _UP.format("b"),
        _UP.format("b") + "/last",
        _DOWN.format("a"),
        _DOWN.format("b"),
        "faultline/v1/outages/1",
        f"faultline/v1/collectors/{COLLECTOR}",
        "elsewhere",
    ],
    ids=["up-of-another", "will-of-another", "own-down", "down-of-another", "events", "claim", "elsewhere"],
)
def test_agent_may_publish_nowhere_else(mosquitto: Mosquitto, topic: str) -> None:
    """The broker answers that it is not authorised; only its own topic is taken."""
    assert answer(mosquitto, "a", topic) == NOT_AUTHORIZED
    assert answer(mosquitto, "a", _UP.format("a")) != NOT_AUTHORIZED


def answer(server: Mosquitto, name: str, topic: str) -> int:
    """The broker's reason code for a publish with QoS 1; aiomqtt keeps it to itself."""
    answers: SimpleQueue[int] = SimpleQueue()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_publish = lambda _client, _data, _number, reason, _properties: answers.put(reason.value)
    client.username_pw_set(name, server.password(name))
    client.connect(server.host, server.plain_port)
    client.loop_start()
    try:
        client.publish(topic, b"x", qos=1)
        return answers.get(timeout=_TIMEOUT_S)
    finally:
        client.disconnect()
        client.loop_stop()


async def test_agent_hears_nothing_of_another(mosquitto: Mosquitto) -> None:
    """It may ask for everything; of that it hears its own topic alone."""
    async with as_certificate(mosquitto, COLLECTOR) as collector, as_certificate(mosquitto, "a") as agent:
        await agent.subscribe("faultline/#", qos=1)
        await agent.publish(_UP.format("a"), b"own", qos=1)
        for topic in (_DOWN.format("b"), "faultline/v1/outages/1", _DOWN.format("a")):
            await collector.publish(topic, topic.encode(), qos=1)
        assert await heard(agent, _DOWN.format("a").encode()) == [_DOWN.format("a")]


async def test_reader_hears_events_and_no_agent(mosquitto: Mosquitto) -> None:
    """Outages as events are for who shows them; results are not."""
    async with as_certificate(mosquitto, COLLECTOR) as collector, as_certificate(mosquitto, READER) as reader:
        await reader.subscribe("faultline/#", qos=1)
        await collector.publish(_DOWN.format("a"), b"order", qos=1)
        await collector.publish("faultline/v1/services/x", b"service", qos=1)
        assert await heard(reader, b"service") == ["faultline/v1/services/x"]


async def test_nobody_takes_the_session_of_another(mosquitto: Mosquitto) -> None:
    """Two users who name the same client id both stay."""
    async with (
        as_certificate(mosquitto, "a", "same") as first,
        as_certificate(mosquitto, "b", "same") as second,
    ):
        await second.publish(_UP.format("b"), b"x", qos=1)
        await first.publish(_UP.format("a"), b"x", qos=1)


async def test_password_listener_lets_only_right_passwords_in(mosquitto: Mosquitto) -> None:
    """User and password over TLS, a wrong password and no password are refused."""
    password = mosquitto.password("p")
    async with as_user(mosquitto, "p", password) as agent:
        await agent.publish(_UP.format("p"), b"x", qos=1)
    for wrong in ("wrong", ""):
        with pytest.raises(aiomqtt.MqttError):
            async with as_user(mosquitto, "p", wrong):
                pass


async def test_certificate_listener_refuses_who_shows_none(mosquitto: Mosquitto) -> None:
    """Without a certificate nobody is let in; with TLS 1.3 a client learns it by silence."""
    context = ssl.create_default_context(cafile=mosquitto.authorities)
    with pytest.raises((aiomqtt.MqttError, ssl.SSLError)):
        async with _client(mosquitto, mosquitto.certificates_port, "", tls_context=context, timeout=1.0):
            pass


async def test_killed_broker_comes_back(broker: Mosquitto) -> None:
    """On the same ports, with the same users; frozen, it answers nobody."""
    password = broker.password("p")
    broker.kill()
    with pytest.raises(aiomqtt.MqttError):
        async with as_user(broker, "p", password):
            pass
    broker.start()
    async with as_user(broker, "p", password) as agent:
        await agent.publish(_UP.format("p"), b"x", qos=1)
        broker.freeze()
        with pytest.raises(aiomqtt.MqttError):
            await agent.publish(_UP.format("p"), b"x", qos=1, timeout=0.3)
        broker.thaw()


def test_lab_has_the_deployed_rules() -> None:
    """The lab's broker keeps agents apart by the same lines."""
    deployed = (DEPLOYED / "acl").read_text().splitlines()
    assert [line for line in deployed if line and not line.startswith("#")] == ACL.splitlines()
