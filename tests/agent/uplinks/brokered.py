"""The wire's collector behind a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiomqtt

from faultline import topics
from faultline.mqtt import Access, BrokerError, Connection, connected, publication, session_of
from faultline.ranges import Ranges
from faultline.v1 import session_pb2
from faultline_agent.uplinks.mqtt import MqttUplink
from faultline_agent.uplinks.uplink import Uplink
from faultline_agent.way import Way, parse_url
from tests.agent.uplinks.collectors import Says, WireEnd
from tests.servers.mosquitto import COLLECTOR, Mosquitto


@dataclass
class Talk:
    """One session: what it holds, and what it is to be told."""

    session_id: bytes
    held: Ranges = field(default_factory=Ranges)
    says: Says = field(default_factory=asyncio.Queue)


class MqttEnd(WireEnd):
    """Answers agents over one connection to the broker."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__()
        self.broker = broker
        self.connection: Connection
        self._talks: dict[bytes, Talk] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def uplink(self) -> Uplink:
        """The agent's way there."""
        return uplink_to(self.broker)

    async def serve(self, connection: Connection) -> None:
        """Answers until cancelled."""
        self.connection = connection
        try:
            while True:
                self._sort(connection, await connection.next())
        finally:
            for task in self._tasks:
                task.cancel()

    def _sort(self, connection: Connection, message: aiomqtt.Message) -> None:
        read = session_pb2.AgentMessage.FromString(message.payload)
        session_id, is_hello = session_of(message), read.WhichOneof("body") == "hello"
        if is_hello:
            talk = self._talks[session_id] = Talk(session_id)
            task = asyncio.create_task(self._tell(connection, topics.speaker(str(message.topic)), talk))
            self._tasks.add(task)
        if is_hello and self.refusal is not None:
            end = session_pb2.End(reason=str(self.refusal), permanent=self.refusal.permanent)
            talk.says.put_nowait(session_pb2.CollectorMessage(end=end))
        elif session_id in self._talks:
            talk = self._talks[session_id]
            talk.held = self._hear(read, talk.held, talk.says)

    async def _tell(self, connection: Connection, agent_id: str, talk: Talk) -> None:
        self._says.append(talk.says)
        said: object = session_pb2.CollectorMessage()
        while isinstance(said, session_pb2.CollectorMessage):
            said = await talk.says.get()
            told = said
            if not isinstance(told, session_pb2.CollectorMessage):
                end = session_pb2.End(reason="" if said is None else "cut off")
                told = session_pb2.CollectorMessage(end=end)
            properties = publication(talk.session_id, answer_at=topics.up_at(agent_id, COLLECTOR))
            payload = told.SerializeToString()
            await connection.publish(topics.down(agent_id), payload, properties)
        self._says.remove(talk.says)
        del self._talks[talk.session_id]


def uplink_to(broker: Mosquitto, agent_id: str = "agent") -> MqttUplink:
    """The way of an agent to a broker, with its password."""
    url = f"mqtt://{broker.host}:{broker.plain_port}"
    return MqttUplink.open(Way(parse_url(url), agent_id, broker.password(agent_id)))


@asynccontextmanager
async def mqtt_end(broker: Mosquitto) -> AsyncIterator[MqttEnd]:
    """A collector that has subscribed at the broker."""
    access = Access(broker.host, broker.plain_port, COLLECTOR, broker.password(COLLECTOR))
    end = MqttEnd(broker)
    async with connected(access, 1_000) as connection:
        await connection.subscribe(*topics.heard_by(COLLECTOR))
        serving = asyncio.create_task(end.serve(connection))
        try:
            yield end
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError, BrokerError):  # a test may have killed its broker
                await serving
