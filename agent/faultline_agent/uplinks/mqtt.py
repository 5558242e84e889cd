"""The uplink over MQTT 5: the same messages as over gRPC, by way of a broker.

Each session has an id of its own, which every message of it carries: what is left of an older session, or
meant for another, is passed over. aiomqtt does not reconnect: each session has a connection of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from secrets import token_bytes

import aiomqtt
from google.protobuf.message import DecodeError

from faultline import topics
from faultline.mqtt import Access, BrokerError, Connection, answer_of, publication, session_of
from faultline.v1 import session_pb2
from faultline_agent.uplinks import wire
from faultline_agent.uplinks.uplink import Evidence, Heartbeat, Hello, Order, Session, UplinkError, Welcome
from faultline_agent.way import Way

WELCOME_S = 10.0
"""Most time for a collector to answer Hello."""

MOST_WAITING = 1_000
"""Most messages of the collector that wait to be read."""


class MqttUplink:
    """Opens sessions, each over a connection of its own."""

    def __init__(self, way: Way) -> None:
        self._agent_id = way.agent_id
        self._access = Access(
            way.address.host,
            way.address.port,
            way.agent_id,
            way.token,
            way.address.scheme == "mqtts",
            way.tls.authorities,
            way.tls.certificate,
            way.tls.key,
        )
        self._line: Line | None = None

    @classmethod
    def open(cls, way: Way) -> "MqttUplink":
        """An uplink that has not connected yet."""
        return cls(way)

    async def connect(self, hello: Hello) -> Session:
        """Connects to the broker, says Hello and waits for the Welcome; raises UplinkError."""
        await self.close()
        line = Line(self._access, self._agent_id)
        with _as_uplink():
            await line.open()
        self._line = line
        try:
            return await self._greet(line, hello)
        except BaseException:
            await self.close()
            raise

    async def _greet(self, line: "Line", hello: Hello) -> Session:
        where = topics.up(self._agent_id)
        await line.say(where, wire.hello_message(hello), of_use_s=topics.HELLO_S)
        try:
            async with asyncio.timeout(WELCOME_S):
                answer_at, first = await line.hear()
        except TimeoutError:
            sentence = f"{self._access.where}: no collector answers on {where} within {WELCOME_S:g} s"
            raise UplinkError(sentence) from None
        if first.WhichOneof("body") == "end":
            raise UplinkError(first.end.reason, permanent=first.end.permanent)
        return MqttSession(line, wire.read_welcome(first), answer_at)

    async def close(self) -> None:
        """Closes the connection; safe twice."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()


class Line:
    """One connection to the broker, for one session."""

    def __init__(self, access: Access, agent_id: str) -> None:
        self._agent_id = agent_id
        self._session_id = token_bytes(16)
        self._connection = Connection(access, MOST_WAITING)
        self._properties = {
            of_use_s: publication(self._session_id, of_use_s=of_use_s)
            for of_use_s in (topics.HELLO_S, topics.MESSAGE_S)
        }

    async def open(self) -> None:
        """Connects and subscribes; raises BrokerError."""
        leave = wire.leave_message().SerializeToString()
        properties = self._properties[topics.MESSAGE_S]
        await self._connection.open(
            aiomqtt.Will(topics.last(self._agent_id), leave, topics.QOS, False, properties)
        )
        try:
            await self._connection.subscribe(topics.down(self._agent_id))
        except BaseException:
            await self._connection.close()
            raise

    async def close(self) -> None:
        """Disconnects; safe twice."""
        await self._connection.close()

    async def say(
        self, topic: str, message: session_pb2.AgentMessage, *, of_use_s: int = topics.MESSAGE_S
    ) -> None:
        """Publishes a message and waits until the broker has it; raises UplinkError."""
        with _as_uplink():
            heard = await self._connection.publish(
                topic, message.SerializeToString(), self._properties[of_use_s]
            )
        if not heard:
            raise UplinkError(f"{self._connection.access.where}: no collector has subscribed to {topic}")

    async def hear(self) -> tuple[str, session_pb2.CollectorMessage]:
        """The next message of this session, and where its answer goes; raises UplinkError."""
        where = self._connection.access.where
        with _as_uplink():
            message = await self._connection.next()
            while session_of(message) != self._session_id:
                message = await self._connection.next()
        if self._connection.discarded:
            raise UplinkError(f"{where}: orders come faster than they are taken")
        return answer_of(message), _read(message.payload, where)


@contextmanager
def _as_uplink() -> Iterator[None]:
    """What went wrong with the broker, as the seam has it."""
    try:
        yield
    except BrokerError as error:
        raise UplinkError(str(error), permanent=error.permanent) from error


def _read(payload: bytes, where: str) -> session_pb2.CollectorMessage:
    try:
        return session_pb2.CollectorMessage.FromString(payload)
    except DecodeError as error:
        raise UplinkError(f"{where}: a collector says what cannot be read") from error


class MqttSession:
    """One session with the collector that answered Hello."""

    def __init__(self, line: Line, welcome: Welcome, topic: str) -> None:
        self.welcome = welcome
        self._line = line
        self._topic = topic
        self._ended: UplinkError | None = None

    async def send_batch(self, encoded: bytes, *, live: bool) -> None:
        """Sends one encoded batch; raises UplinkError."""
        await self._send(wire.batch_message(encoded, live=live))

    async def send_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Sends a sign of life; raises UplinkError."""
        await self._send(wire.heartbeat_message(heartbeat), of_use_s=topics.HELLO_S)

    async def send_evidence(self, evidence: Evidence) -> None:
        """Sends proof; raises UplinkError."""
        await self._send(wire.evidence_message(evidence))

    async def orders(self) -> AsyncIterator[Order]:
        """What the collector says; ends when it ends the session, raises UplinkError when it breaks."""
        while self._ended is None:
            _, message = await self._line.hear()
            if message.WhichOneof("body") == "end":
                end = message.end
                self._ended = UplinkError(end.reason or "the session has ended", permanent=end.permanent)
                if end.reason:
                    raise self._ended
            elif (order := wire.read_order(message)) is not None:
                yield order

    async def close(self) -> None:
        """Says that no more comes, and disconnects; safe twice."""
        if self._ended is None:
            self._ended = UplinkError("the session has ended")
            with suppress(UplinkError, TimeoutError):
                async with asyncio.timeout(0.2):
                    await self._line.say(self._topic, wire.leave_message())
        await self._line.close()

    async def _send(self, message: session_pb2.AgentMessage, *, of_use_s: int = topics.MESSAGE_S) -> None:
        if self._ended is not None:
            raise self._ended
        await self._line.say(self._topic, message, of_use_s=of_use_s)
