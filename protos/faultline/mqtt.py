"""A connection to an MQTT 5 broker, as both sides make it."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from cryptography import x509
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from faultline.tls import client_context
from faultline.topics import KEEPALIVE_S, MESSAGE_S, QOS, SESSION_S

TIMEOUT_S = 5.0
"""Most time for the broker to answer anything."""

MOST_CALLS = 64
"""Most publications that wait for the broker's answer at a time."""

_NOBODY, _REFUSAL, _UNSPECIFIED, _TAKEN_OVER = 0x10, 0x80, 0x80, 0x8E
"""Reason codes (MQTT 5, 2.4): nobody has subscribed; from here on, refusals; no reason; another came."""

_silent = logging.getLogger("faultline.mqtt")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class BrokerError(Exception):
    """Raised when the broker cannot be reached or refuses; `permanent`: trying again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class NotAllowed(BrokerError):
    """Raised when the broker does not let this user read or publish."""


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


class TakenOver(BrokerError):
    """Raised when somebody else has come as the same user, whom the broker takes for the same client."""

    def __init__(self, access: Access) -> None:
        super().__init__(
            f"{access.where}: somebody else has come as user {access.user!r}, whom one alone may be"
        )


class Connection:
    """A client that has connected.

    It listens to what aiomqtt passes over: the broker's answer to a publication, which may be a refusal, and
    what is discarded because too much waits.
    """

    def __init__(self, access: Access, most_waiting: int) -> None:
        self.access = access
        self._inbox = _Inbox(most_waiting)
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}
        self._calls = asyncio.Semaphore(MOST_CALLS)
        self._client: aiomqtt.Client

    @property
    def discarded(self) -> int:
        """Messages that came and found no room."""
        return self._inbox.discarded

    async def open(self, will: aiomqtt.Will | None = None) -> None:
        """Connects; raises BrokerError. The broker keeps the client's session while it is away."""
        access = self.access
        context = await asyncio.to_thread(_tls_context, access) if access.tls else None
        self._client = client = _client(access, self._inbox, will, context)
        client._client.on_publish = self._note
        try:
            await client.__aenter__()
        except BaseException as error:
            # aiomqtt leaves the socket of an attempt that failed open, and its reader in the loop; it cannot
            # bear to hear the end of one that was cancelled.
            client._client.on_disconnect = None
            client._client.disconnect()
            if isinstance(error, aiomqtt.MqttError):
                raise broker_error(access, error) from error
            if isinstance(error, UnicodeError):  # of the codec that host names go through
                raise BrokerError(f"{access.where}: not the name of a host", permanent=True) from error
            raise
        client._disconnected.add_done_callback(lambda _: self._fail(self._broken()))

    async def close(self) -> None:
        """Disconnects, so that the last will is forgotten."""
        self._fail(BrokerError(f"{self.access.where}: disconnected"))
        with suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)

    async def subscribe(self, *topics: str) -> None:
        """Subscribes to topics; raises BrokerError, NotAllowed where the broker refuses one."""
        asking = asyncio.ensure_future(self._client.subscribe([(topic, QOS) for topic in topics]))
        try:
            await asyncio.wait((asking, self._client._disconnected), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise self._broken()
            codes = asking.result()
        except aiomqtt.MqttError as error:
            raise self._broken(error) from error
        finally:
            asking.cancel()
        for topic, code in zip(topics, codes, strict=True):
            if isinstance(code, ReasonCode) and code.value >= _REFUSAL:
                raise self._refused("read", topic, code)

    async def publish(
        self, topic: str, payload: bytes, properties: Properties | None = None, *, retain: bool = False
    ) -> bool:
        """Publishes and waits for the broker's answer: whether anybody has subscribed.

        Raises BrokerError, NotAllowed where the broker refuses.
        """
        async with self._calls:
            sent = self._client._client.publish(topic, payload, QOS, retain, properties)
            if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise self._broken()
            code = await self._answer(sent.mid)
        if code.value >= _REFUSAL:
            raise self._refused("publish on", topic, code)
        return code.value != _NOBODY

    async def next(self) -> aiomqtt.Message:
        """The next message; raises BrokerError when the connection is broken and nothing waits any more.

        Not aiomqtt's own iterator: that forgets what waits when the connection breaks or the reader is
        cancelled, although the broker has been told that it came.
        """
        lost = self._client._disconnected
        while (message := self.waiting()) is None:
            if lost.done():
                raise self._broken()
            self._inbox.some.clear()
            coming = asyncio.ensure_future(self._inbox.some.wait())
            try:
                await asyncio.wait((coming, lost), return_when=asyncio.FIRST_COMPLETED)
            finally:
                coming.cancel()
        return message

    def waiting(self) -> aiomqtt.Message | None:
        """A message that has come and waits, also after the connection has ended; None for none."""
        return None if self._inbox.empty() else self._inbox.get_nowait()

    def _broken(self, error: BaseException | None = None) -> BrokerError:
        """Why the connection is of no use: what ended it, or else this error of a call."""
        lost = self._client._disconnected
        return broker_error(self.access, lost.exception() if lost.done() else error)

    async def _answer(self, number: int) -> ReasonCode:
        answer: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise silent(self.access) from None
        finally:
            del self._answers[number]

    def _note(self, client: object, data: object, number: int, code: ReasonCode, properties: object) -> None:
        with suppress(KeyError, asyncio.InvalidStateError):
            self._answers[number].set_result(code)

    def _fail(self, error: BrokerError) -> None:
        for answer in self._answers.values():
            with suppress(asyncio.InvalidStateError):
                answer.set_exception(error)

    def _refused(self, what: str, topic: str, code: ReasonCode) -> NotAllowed:
        who = f"{self.access.where}: refuses user {self.access.user!r}"
        return NotAllowed(f"{who} to {what} {topic}: {str(code).lower()}")


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """What has come and waits; what finds no room is counted."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.discarded = 0
        self.some = asyncio.Event()

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Takes a message, or counts it as discarded."""
        if self.full():
            self.discarded += 1
        else:
            super().put_nowait(item)
            self.some.set()


@asynccontextmanager
async def connected(
    access: Access, most_waiting: int, will: aiomqtt.Will | None = None
) -> AsyncIterator[Connection]:
    """A connection that is closed at the end; raises BrokerError."""
    connection = Connection(access, most_waiting)
    await connection.open(will)
    try:
        yield connection
    finally:
        await connection.close()


def _client(
    access: Access, inbox: _Inbox, will: aiomqtt.Will | None, context: ssl.SSLContext | None
) -> aiomqtt.Client:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    making: Any = lambda maxsize: inbox  # noqa: E731 - aiomqtt takes a class and calls it once
    return aiomqtt.Client(
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
        max_inflight_messages=MOST_CALLS,
        tls_context=context,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        will=will,
        logger=_silent,
    )


def broker_error(access: Access, error: BaseException | None) -> BrokerError:
    """What went wrong, as one sentence; what is no error of aiomqtt's is a connection that broke."""
    if isinstance(error, MqttConnectError):
        return BrokerError(f"{access.where}: refuses user {access.user!r}: {str(error.rc).lower()}")
    if isinstance(error, aiomqtt.MqttCodeError) and isinstance(error.rc, ReasonCode):
        return _disconnected(access, error.rc)
    if str(error) == "Operation timed out":
        return silent(access)
    said = str(error) if isinstance(error, aiomqtt.MqttError) else "connection lost"
    return BrokerError(f"{access.where}: {said}")


def silent(access: Access) -> BrokerError:
    """The broker does not answer."""
    return BrokerError(f"{access.where}: no answer within {TIMEOUT_S:g} s")


def _disconnected(access: Access, code: ReasonCode) -> BrokerError:
    if code.value == _TAKEN_OVER:
        return TakenOver(access)
    why = "" if code.value == _UNSPECIFIED else f": {code}".lower()
    return BrokerError(f"{access.where}: connection lost{why}")


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
    try:
        context = client_context(access.authorities, access.certificate, access.key)
        if access.certificate is not None:
            _check_name(access.certificate, access.user)
    except ValueError as error:
        raise BrokerError(str(error), permanent=True) from error
    return context


def _check_name(path: Path, user: str) -> None:
    """The broker takes the common name for the user."""
    subject = x509.load_pem_x509_certificate(path.read_bytes()).subject
    names = [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [user]:
        raise BrokerError(f"{path} is the certificate of {names}, not of {user!r}", permanent=True)
