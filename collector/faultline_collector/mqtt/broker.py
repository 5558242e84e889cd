"""The collector's connection to a broker, which it makes again after each break."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import NoReturn

import aiomqtt
import structlog
from paho.mqtt.properties import Properties

from faultline.backoff import Backoff
from faultline.mqtt import Access, BrokerError, Connection, NotAllowed, connected
from faultline_collector.metrics import Metrics

_log = structlog.get_logger("mqtt")

MOST_WAITING = 10_000
"""Most messages between the socket and whoever hears them; they do not wait there long."""


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
        self._connected = asyncio.Event()

    async def run(self) -> NoReturn:
        """Stays connected as well as it can."""
        failures = 0
        while True:
            try:
                await self._stay()
            except BrokerError as error:
                failures = 1 if self._line is not None else failures + 1
                self._note(error)
            finally:
                self._line = None
                self._connected.clear()
                self._metrics.broker_connected.set(0)
            await self._sleep(self._backoff.delay_s(failures, self._random))

    async def publish(
        self, topic: str, payload: bytes, properties: Properties | None = None, *, retain: bool = False
    ) -> None:
        """Publishes, over as many connections as it takes; raises NotAllowed where the broker refuses."""
        while True:
            await self._connected.wait()
            line = self._line
            if line is None:
                continue
            try:
                await line.connection.publish(topic, payload, properties, retain=retain)
            except NotAllowed:
                raise
            except BrokerError as error:
                if not line.broken.done():
                    line.broken.set_result(error)
                if line is self._line:
                    self._connected.clear()
            else:
                return

    async def _stay(self) -> NoReturn:
        connection: Connection | None = None
        try:
            async with connected(self.access, MOST_WAITING) as connection:
                await self._listen(connection)
        finally:
            # The broker has been told that what waits has come, and does not send it again.
            while connection is not None and (message := connection.waiting()) is not None:
                self._hand_out(message)

    async def _listen(self, connection: Connection) -> NoReturn:
        for hearing in self.hearings:
            await connection.subscribe(*hearing.topics)
        line = _Line(connection)
        self._begin(line)
        reading = asyncio.create_task(self._read(line))
        try:
            await asyncio.wait({reading, line.broken}, return_when=asyncio.FIRST_COMPLETED)
            raise line.broken.result() if line.broken.done() else await reading
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    def _begin(self, line: _Line) -> None:
        self._line = line
        self.problem = ""
        self._connected.set()
        self._metrics.broker_connected.set(1)
        _log.info("broker connected", broker=self.access.where)
        for hearing in self.hearings:
            hearing.again()

    async def _read(self, line: _Line) -> BrokerError:
        """Hands out what comes until the connection breaks; gives why."""
        discarded = 0
        try:
            while True:
                self._hand_out(await line.connection.next())
                if line.connection.discarded != discarded:
                    self._metrics.mqtt_dropped.labels("inbox").inc(line.connection.discarded - discarded)
                    discarded = line.connection.discarded
        except BrokerError as error:
            return error

    def _hand_out(self, message: aiomqtt.Message) -> None:
        topic = str(message.topic)
        for hearing in self.hearings:
            if topic.startswith(hearing.prefix):
                hearing.take(message)

    def _note(self, error: BrokerError) -> None:
        self._metrics.broker_breaks.inc()
        if str(error) != self.problem:
            _log.error("broker away, agents over gRPC go on", problem=str(error))
        self.problem = str(error)
