"""A connection to an MQTT 5 broker, as both sides make it."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from faultline.topics import KEEPALIVE_S, MESSAGE_S, QOS, SESSION_S

TIMEOUT_S = 5.0
"""Most time for the broker to answer anything."""

MOST_CALLS = 64
"""Most publications that wait for the broker's answer at a time."""

_NOBODY, _REFUSAL = 0x10, 0x80
"""Reason codes (MQTT 5, 2.4): nobody has subscribed; from here on, refusals."""

_silent = logging.getLogger("faultline.mqtt")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class BrokerError(Exception):
    """Raised when the broker cannot be reached or refuses; `permanent`: trying again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Access:
    """Where the broker is, who one is there, and the files for TLS; an empty password: none."""

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    tls: bool = False
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def where(self) -> str:
        """As sentences name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"broker {host}:{self.port}"


class Inbox(asyncio.Queue[aiomqtt.Message]):
    """What has come and waits, and the broker's last answer to a publication.

    aiomqtt throws away what finds no room, and takes a refusal for success; here both are seen.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.discarded = 0
        self.answer: ReasonCode | None = None

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Takes a message, or counts it as discarded."""
        if self.full():
            self.discarded += 1
        else:
            super().put_nowait(item)


@asynccontextmanager
async def connected(
    access: Access, inbox: Inbox, will: aiomqtt.Will | None = None
) -> AsyncIterator[aiomqtt.Client]:
    """A client that has connected, and that disconnects at the end; raises BrokerError.

    The broker keeps its session while it is away.
    """
    context = await asyncio.to_thread(_tls_context, access) if access.tls else None
    client = _client(access, inbox, will, context)
    try:
        await client.__aenter__()
    except BaseException as error:
        # aiomqtt leaves the socket of an attempt that failed open, and its reader in the loop.
        client._client.disconnect()
        if isinstance(error, aiomqtt.MqttError):
            raise broker_error(access, error) from error
        raise
    try:
        yield client
    finally:
        with suppress(aiomqtt.MqttError):
            await client.__aexit__(None, None, None)


def _client(
    access: Access, inbox: Inbox, will: aiomqtt.Will | None, context: ssl.SSLContext | None
) -> aiomqtt.Client:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    making: Any = lambda maxsize: inbox  # noqa: E731 - aiomqtt takes a class and calls it once
    client = aiomqtt.Client(
        access.host,
        access.port,
        identifier=access.user,
        username=access.user,
        password=access.password or None,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=False,
        properties=properties,
        queue_type=making,
        timeout=TIMEOUT_S,
        keepalive=KEEPALIVE_S,
        max_concurrent_outgoing_calls=MOST_CALLS,
        max_inflight_messages=MOST_CALLS,
        tls_context=context,
        will=will,
        logger=_silent,
    )
    client.pending_calls_threshold = MOST_CALLS

    def note(*said: Any) -> None:
        inbox.answer = said[3]
        client._on_publish(*said)

    client._client.on_publish = note
    return client


def broker_error(access: Access, error: aiomqtt.MqttError) -> BrokerError:
    """What went wrong, as one sentence."""
    if isinstance(error, aiomqtt.MqttCodeError) and isinstance(error.rc, ReasonCode):
        if error.rc.value >= _REFUSAL:
            return BrokerError(f"{access.where}: refuses user {access.user!r}: {str(error.rc).lower()}")
        return BrokerError(f"{access.where}: {str(error.rc).lower()}")
    if str(error) == "Operation timed out":
        return BrokerError(f"{access.where}: no answer within {TIMEOUT_S:g} s")
    cause = error.__cause__
    if isinstance(cause, aiomqtt.MqttError):
        return broker_error(access, cause)
    return BrokerError(f"{access.where}: {error}")


async def subscribe(client: aiomqtt.Client, access: Access, *topics: str) -> None:
    """Subscribes to topics; raises BrokerError, also where the broker refuses one."""
    try:
        codes = await client.subscribe([(topic, QOS) for topic in topics])
    except aiomqtt.MqttError as error:
        raise broker_error(access, error) from error
    for topic, code in zip(topics, codes, strict=True):
        if isinstance(code, ReasonCode) and code.value >= _REFUSAL:
            raise BrokerError(
                f"{access.where}: refuses user {access.user!r} to read {topic}: {str(code).lower()}"
            )


async def publish(
    client: aiomqtt.Client,
    access: Access,
    inbox: Inbox,
    topic: str,
    payload: bytes,
    properties: Properties | None = None,
    *,
    retain: bool = False,
) -> bool:
    """Publishes and waits for the broker's answer: whether anybody has subscribed; raises BrokerError."""
    try:
        await client.publish(topic, payload, QOS, retain, properties)
    except aiomqtt.MqttError as error:
        raise broker_error(access, error) from error
    code = inbox.answer
    if code is not None and code.value >= _REFUSAL:
        raise BrokerError(
            f"{access.where}: refuses user {access.user!r} to publish on {topic}: {str(code).lower()}"
        )
    return code is None or code.value != _NOBODY


def publication(session_id: bytes = b"", *, of_use_s: int = MESSAGE_S, answer_at: str = "") -> Properties:
    """Properties of a message: whose session it is, how long it is of use, where the answer goes."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if session_id:
        properties.CorrelationData = session_id
    if of_use_s:
        properties.MessageExpiryInterval = of_use_s
    if answer_at:
        properties.ResponseTopic = answer_at
    return properties


def session_of(message: aiomqtt.Message) -> bytes:
    """The session that a message belongs to; empty for none."""
    return bytes(getattr(message.properties, "CorrelationData", b""))


def answer_of(message: aiomqtt.Message) -> str:
    """Where the answer to a message goes; empty for nowhere."""
    return str(getattr(message.properties, "ResponseTopic", ""))


def _tls_context(access: Access) -> ssl.SSLContext:
    for path in (access.authorities, access.certificate, access.key):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise BrokerError(f"reading {path}: {error.strerror}", permanent=True) from error
    try:
        context = ssl.create_default_context(cafile=access.authorities)
        if access.certificate is not None:
            context.load_cert_chain(access.certificate, access.key, _no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        files = " and ".join(str(p) for p in (access.authorities, access.certificate, access.key) if p)
        raise BrokerError(f"{files} cannot be used: {error}", permanent=True) from error
    return context


def _no_passphrase() -> str:
    raise ValueError("the key must not need a passphrase")
