"""Agents' sessions over MQTT.

Every message of a session carries the session's id, which the agent made for its Hello. One collector of the
shared group hears that Hello and names, in its Welcome, the topic that only it has subscribed to; so all that
follows comes to the collector that holds the session, however many there are. Whatever belongs to no session
here is answered with End, and the agent begins anew with what it has not seen acknowledged.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NoReturn

import aiomqtt
import structlog
from google.protobuf.message import DecodeError

from faultline import topics
from faultline.mqtt import NotAllowed, publication, session_of
from faultline.v1 import session_pb2
from faultline_collector.ingest.reception import Reception, Refused
from faultline_collector.ingest.session import AgentSession, Ending, Misspoken, drain
from faultline_collector.metrics import Metrics
from faultline_collector.mqtt.broker import Broker, Hearing

_log = structlog.get_logger("mqtt")

SILENT_S = 20.0
"""A session of which nothing was heard for so long is over."""

MOST_WAITING = 256
"""Most messages of one session that wait while the store is behind: an agent's windows, and heartbeats."""

MOST_WAITING_BYTES = 256 * 1024 * 1024
"""Most bytes of all sessions that wait."""

MOST_ERRANDS = 20_000
"""Most sessions, and answers to strangers, at a time."""

_LOOK_S = 1.0


@dataclass(eq=False, slots=True)
class _Line:
    """One session, and what of it waits to be heard."""

    agent_id: str
    session_id: bytes
    heard_s: float
    task: asyncio.Task[None] | None = None
    waiting: deque[bytes] = field(default_factory=deque)
    some: asyncio.Event = field(default_factory=asyncio.Event)


class Carrier:
    """Carries the sessions of all agents that come by the broker."""

    def __init__(
        self, reception: Reception, broker: Broker, metrics: Metrics, monotonic: Callable[[], float]
    ) -> None:
        self._reception = reception
        self._broker = broker
        self._metrics = metrics
        self._monotonic = monotonic
        self._name = broker.access.user
        self._lines: dict[bytes, _Line] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._strangers: OrderedDict[bytes, None] = OrderedDict()
        self._waiting_bytes = 0
        broker.hearings.append(Hearing(topics.heard_by(self._name), f"{topics.ROOT}/agents/", self.take))

    async def run(self) -> NoReturn:
        """Ends sessions of which nothing is heard any more."""
        while True:
            await asyncio.sleep(_LOOK_S)
            oldest = self._monotonic() - SILENT_S
            for line in [line for line in self._lines.values() if line.heard_s < oldest]:
                self._drop_line(line)

    async def stop(self, grace_s: float) -> None:
        """Lets sessions that have ended say so, then cancels what still runs; safe twice."""
        if self._errands:
            await asyncio.wait(self._errands, timeout=grace_s)
        for task in self._errands:
            task.cancel()

    def take(self, message: aiomqtt.Message) -> None:
        """Takes one message of the broker; never waits."""
        topic, session_id = str(message.topic), session_of(message)
        agent_id = topics.speaker(topic)
        line = self._lines.get(session_id)
        if not session_id:
            self._drop("no_session_id")
        elif topic == topics.up(agent_id):
            if line is None:
                self._begin(agent_id, session_id, message.payload)
        elif line is None:
            if topic != topics.last(agent_id):
                self._turn_away(agent_id, session_id)
        elif line.agent_id != agent_id:
            self._drop("disagrees")
        else:
            self._keep(line, message.payload)

    def _keep(self, line: _Line, payload: bytes) -> None:
        line.heard_s = self._monotonic()
        if len(line.waiting) >= MOST_WAITING or self._waiting_bytes + len(payload) > MOST_WAITING_BYTES:
            self._drop("full")
            return
        self._waiting_bytes += len(payload)
        line.waiting.append(payload)
        line.some.set()

    def _drop(self, reason: str) -> None:
        self._metrics.mqtt_dropped.labels(reason).inc()

    def _turn_away(self, agent_id: str, session_id: bytes) -> None:
        """Tells an agent once that its session is not here, so that it begins anew at once."""
        self._drop("no_session")
        if session_id in self._strangers:
            return
        self._strangers[session_id] = None
        if len(self._strangers) > MOST_ERRANDS:
            self._strangers.popitem(last=False)
        self._run(self._end(agent_id, session_id, "the collector does not know this session, begin anew"))

    def _begin(self, agent_id: str, session_id: bytes, payload: bytes) -> None:
        line = _Line(agent_id, session_id, self._monotonic())
        line.task = self._run(self._serve(line, payload))
        if line.task is not None:
            self._lines[session_id] = line

    def _run(self, errand: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if len(self._errands) >= MOST_ERRANDS:
            errand.close()
            self._drop("errands")
            return None
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("session failed", exc_info=error)

    def _drop_line(self, line: _Line) -> None:
        """Ends a silent session, also when what it was to be told does not get through."""
        _log.info("agent silent", agent=line.agent_id, ending=Ending.SILENT.value)
        if line.task is not None:
            line.task.cancel()

    async def _serve(self, line: _Line, payload: bytes) -> None:
        """One agent's session, from hello to its end."""
        try:
            session = await self._receive(line.agent_id, payload)
            try:
                await self._carry(line, session)
            finally:
                self._reception.closed(session)
        except Refused as refused:
            self._reception.note(refused, f"mqtt:{line.agent_id}")
            await self._end(line.agent_id, line.session_id, str(refused), permanent=refused.permanent)
        except (Misspoken, DecodeError) as error:
            await self._end(line.agent_id, line.session_id, str(error))
        except NotAllowed as error:
            _log.error("broker refuses", problem=str(error))
        finally:
            self._waiting_bytes -= sum(map(len, line.waiting))
            line.waiting.clear()
            self._lines.pop(line.session_id, None)

    async def _receive(self, agent_id: str, payload: bytes) -> AgentSession:
        try:
            message = session_pb2.AgentMessage.FromString(payload)
        except DecodeError as error:
            raise Refused("bad_hello", "the hello cannot be read") from error
        if message.WhichOneof("body") != "hello":
            raise Refused("bad_hello", "the first message of a session must be a hello")
        await self._reception.recognise(agent_id)
        return self._reception.receive(agent_id, message.hello)

    async def _carry(self, line: _Line, session: AgentSession) -> None:
        listening = asyncio.create_task(self._listen(line, session))
        try:
            while (message := await session.next()) is not None:
                await self._tell(line.agent_id, line.session_id, message)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        if not listening.cancelled() and (error := listening.exception()) is not None:
            raise error
        if session.ending is Ending.DRAINED:
            await self._tell(line.agent_id, line.session_id, drain(session.ending.value))
        elif session.ending is not None and session.ending is not Ending.LEFT:
            removed = session.ending is Ending.REMOVED
            await self._end(line.agent_id, line.session_id, session.ending.value, permanent=removed)

    async def _listen(self, line: _Line, session: AgentSession) -> None:
        try:
            while True:
                await line.some.wait()
                line.some.clear()
                while line.waiting:
                    payload = line.waiting.popleft()
                    self._waiting_bytes -= len(payload)
                    await session.hear(session_pb2.AgentMessage.FromString(payload))
                    await asyncio.sleep(0)
        finally:
            session.leave()

    async def _end(self, agent_id: str, session_id: bytes, reason: str, *, permanent: bool = False) -> None:
        end = session_pb2.End(reason=reason, permanent=permanent)
        await self._tell(agent_id, session_id, session_pb2.CollectorMessage(end=end))

    async def _tell(self, agent_id: str, session_id: bytes, message: session_pb2.CollectorMessage) -> None:
        answer_at = topics.up_at(agent_id, self._name) if message.HasField("welcome") else ""
        properties = publication(session_id, answer_at=answer_at)
        await self._broker.publish(topics.down(agent_id), message.SerializeToString(), properties)
