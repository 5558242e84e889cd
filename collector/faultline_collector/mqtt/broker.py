"""The collector's connection to a broker, which it makes again after each break."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, NoReturn

import aiomqtt
import structlog
from paho.mqtt.properties import Properties

from faultline.backoff import Backoff
from faultline.mqtt import Access, BrokerError, Connection, NotAllowed, TakenOver
from faultline_collector.metrics import Metrics
from faultline_collector.mqtt.claim import Claim

_log = structlog.get_logger("mqtt")

MOST_WAITING = 10_000
"""Most messages between the socket and whoever hears them; they do not wait there long."""


TAKEN_OVER_S = 60.0
"""How long one stays away when another has come as the same user: two would push each other out for ever."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What somebody wants to hear: topics to subscribe to, what they begin with, and whom to tell.

    `take` must not wait; `again` is called after each new connection, once all is subscribed.
    """

    topics: tuple[str, ...]
    prefix: str | tuple[str, ...]
    take: Callable[[aiomqtt.Message], None]
    again: Callable[[], None] = lambda: None


@dataclass(eq=False, slots=True)
class _Line:
    connection: Connection
    broken: asyncio.Future[BrokerError] = field(default_factory=asyncio.Future)

    def give_up(self, error: BrokerError) -> None:
        """Notes why it is of no use any more; the first reason counts."""
        with suppress(asyncio.InvalidStateError):
            self.broken.set_result(error)


class Broker:
    """Connects, subscribes and hands out what comes; `problem` says why it does not, in one sentence."""

    def __init__(
        self,
        access: Access,
        metrics: Metrics,
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.access = access
        self.problem = f"{access.where}: not connected yet"
        self.hearings: list[Hearing] = []
        self._metrics = metrics
        self._backoff = backoff or Backoff(first_s=0.2, most_s=10)
        self._random = Random()
        self._sleep = sleep
        self._line: _Line | None = None
        self._claim = Claim(access.user)
        self._begun = asyncio.Event()
        self._failures = 0

    async def run(self) -> NoReturn:
        """Stays connected as well as it can."""
        while True:
            try:
                await self._stay()
            except BrokerError as error:
                self._note(error)
                least_s = TAKEN_OVER_S if isinstance(error, TakenOver) else 0.0
            await self._sleep(least_s + self._backoff.delay_s(self._failures, self._random))

    async def publish(
        self, topic: str, payload: bytes, properties: Properties | None = None, *, retain: bool = False
    ) -> None:
        """Publishes, over as many connections as it takes; raises NotAllowed where the broker refuses."""
        while True:
            line = await self._whole()
            try:
                await line.connection.publish(topic, payload, properties, retain=retain)
            except NotAllowed:
                raise
            except BrokerError as error:
                line.give_up(error)
            else:
                return

    async def _whole(self) -> _Line:
        """A connection that is not known to be broken."""
        while self._line is None or self._line.broken.done():
            self._begun.clear()
            await self._begun.wait()
        return self._line

    async def _stay(self) -> NoReturn:
        connection = Connection(self.access, MOST_WAITING)
        await connection.open()
        try:
            await self._listen(connection)
        finally:
            await connection.close()
            # The broker has been told that what waits has come, and does not send it again.
            while (message := connection.waiting()) is not None:
                self._hand_out(message)

    async def _listen(self, connection: Connection) -> NoReturn:
        await self._claim.make(connection, self._hand_out)
        for hearing in self.hearings:
            await connection.subscribe(*hearing.topics)
        line = _Line(connection)
        self._begin(line)
        reading = asyncio.create_task(self._read(line))
        ends: set[asyncio.Future[Any]] = {reading, line.broken}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
        raise line.broken.result()

    def _begin(self, line: _Line) -> None:
        self._line = line
        self._failures = 0
        self._begun.set()
        self.problem = ""
        self._metrics.broker_connected.set(1)
        _log.info("broker connected", broker=self.access.where)
        for hearing in self.hearings:
            hearing.again()

    async def _read(self, line: _Line) -> None:
        """Hands out what comes until the connection breaks."""
        discarded, dropped = 0, self._metrics.mqtt_dropped.labels("inbox")
        try:
            while True:
                self._hand_out(await line.connection.next())
                dropped.inc(line.connection.discarded - discarded)
                discarded = line.connection.discarded
        except BrokerError as error:
            line.give_up(error)

    def _hand_out(self, message: aiomqtt.Message) -> None:
        topic = str(message.topic)
        for hearing in self.hearings:
            if topic.startswith(hearing.prefix):
                hearing.take(message)

    def _note(self, error: BrokerError) -> None:
        self._failures += 1
        self._metrics.broker_connected.set(0)
        self._metrics.broker_breaks.inc()
        if str(error) != self.problem:
            _log.error("broker away, agents over gRPC go on", problem=str(error))
        self.problem = str(error)
