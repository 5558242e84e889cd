"""Carries the spool to the collector over any uplink: lanes, windows, acknowledgements, retries."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import NoReturn, Protocol

from faultline.backoff import Backoff
from faultline.ranges import Ranges
from faultline_agent.lanes import Lanes
from faultline_agent.log import Log
from faultline_agent.outbox import Outbox
from faultline_agent.spool import Parcel
from faultline_agent.uplinks.uplink import (
    Ack,
    Assignment,
    Drain,
    Evidence,
    Explain,
    Heartbeat,
    Hello,
    Order,
    ProbeNow,
    Session,
    Uplink,
    UplinkError,
)

BACKOFF = Backoff(first_s=0.5, most_s=15.0)

SILENT_HEARTBEATS = 4
"""A session in which the collector says nothing for so many heartbeats is given up."""

LEAST_HEARTBEAT_S, MOST_HEARTBEAT_S = 0.5, 60.0

MOST_AWAY_S = 3600.0
"""Longest that a collector can send an agent away."""

MOST_QUESTIONS = 8
"""Most requests for proof that wait for their answer; more are left out, and counted."""


class Station(Protocol):
    """The agent behind the pump: what it says of itself, and who takes its orders."""

    def hello(self, unacknowledged: Ranges) -> Hello:
        """Introduces the agent."""

    def heartbeat(self, round_trip_us: int) -> Heartbeat:
        """The agent's state now."""

    async def assign(self, assignment: Assignment) -> None:
        """Takes over an assignment."""

    def hasten(self, order: ProbeNow) -> None:
        """Plans extra probes."""

    async def explain(self, order: Explain) -> Evidence | None:
        """Gathers proof; None when it cannot."""


@dataclass(slots=True)
class Link:
    """How the way to the collector is; times in microseconds since 1970, 0 for never."""

    connected: bool = False
    since_us: int = 0
    last_ack_us: int = 0
    problem: str = ""
    collector_version: str = ""
    sessions: int = 0
    unanswered: int = 0
    round_trip_us: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


class _Drained(UplinkError):
    """Raised when the collector sends the agent away for a while."""

    def __init__(self, order: Drain) -> None:
        super().__init__(f"the collector asks to come back in {order.after_s:g} s: {order.reason}")
        self.after_s = min(order.after_s, MOST_AWAY_S)


class Pump:
    """Keeps a session open and everything moving; ends only when cancelled or refused for good."""

    def __init__(
        self,
        uplink: Uplink,
        outbox: Outbox,
        station: Station,
        log: Log,
        *,
        clock_us: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Random,
    ) -> None:
        self._uplink = uplink
        self._outbox = outbox
        self._station = station
        self._log = log
        self._clock_us = clock_us
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = random
        self._failures = 0
        self.link = Link(since_us=clock_us())

    async def run(self) -> NoReturn:
        """Converses, and converses again after each break; raises UplinkError when that is of no use."""
        while True:
            try:
                await self._converse()
            except _Drained as drained:
                self._note_broken(drained)
                await self._sleep(max(drained.after_s, BACKOFF.first_s))
            except UplinkError as error:
                self._note_broken(error)
                if error.permanent:
                    raise
                self._failures += 1
                await self._sleep(BACKOFF.delay_s(self._failures, self._random))

    async def drained(self) -> None:
        """Returns once the collector has everything."""
        if self._outbox.state.results:
            await self._outbox.empty.wait()

    async def _converse(self) -> NoReturn:
        hello = self._station.hello(await self._outbox.unacknowledged())
        session = await self._uplink.connect(hello)
        try:
            await self._outbox.continue_above(session.welcome.highest_sequence)
            if session.welcome.held:
                await self._outbox.forget(session.welcome.held)
            self._note_connected(session)
            await _Conversation(self, session, Lanes(self._clock_us())).run()
        finally:
            await session.close()

    def _note_connected(self, session: Session) -> None:
        self.link.connected = True
        self.link.since_us = self._clock_us()
        self.link.problem = ""
        self.link.collector_version = session.welcome.version
        self.link.sessions += 1
        self._log.info("connected", collector_version=session.welcome.version)

    def _note_broken(self, error: UplinkError) -> None:
        if self.link.connected:
            self.link.connected = False
            self.link.since_us = self._clock_us()
        if str(error) != self.link.problem:
            self._log.warning("not connected", problem=str(error))
        self.link.problem = str(error)

    def _note_ack(self, ack: Ack) -> None:
        self._failures = 0
        self.link.last_ack_us = self._clock_us()
        for reason, count in ack.rejected.items():
            if reason not in self.link.rejected:
                self._log.warning("results rejected", reason=reason, count=count)
            self.link.rejected[reason] = self.link.rejected.get(reason, 0) + count


class _Conversation:
    """One session: a feeder, a heart, a listener, and one who answers questions."""

    def __init__(self, pump: Pump, session: Session, lanes: Lanes) -> None:
        self._pump = pump
        self._session = session
        self._lanes = lanes
        self._beats: deque[tuple[int, float]] = deque(maxlen=16)
        self._questions: asyncio.Queue[Explain] = asyncio.Queue(MOST_QUESTIONS)
        heartbeat_s = session.welcome.heartbeat_s or 5.0
        self._heartbeat_s = min(max(heartbeat_s, LEAST_HEARTBEAT_S), MOST_HEARTBEAT_S)

    async def run(self) -> NoReturn:
        """Goes on until the session breaks; raises UplinkError."""
        broken: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self._feed, self._beat, self._listen, self._answer):
                    group.create_task(part())
        except* UplinkError as errors:
            broken = next((e for e in errors.exceptions if isinstance(e, _Drained)), errors.exceptions[0])
        raise broken or UplinkError("the session ended")

    async def _feed(self) -> None:
        changed = self._pump._outbox.changed
        while True:
            changed.clear()
            parcel, live = await self._next()
            if parcel is None:
                await changed.wait()
                continue
            self._lanes.send(parcel, self._pump._monotonic(), live=live)
            await self._session.send_batch(parcel.encoded, live=live)

    async def _next(self) -> tuple[Parcel | None, bool]:
        """Live goes first; the backlog moves whenever nothing live waits."""
        outbox, since_us = self._pump._outbox, self._lanes.live_since_us(self._pump._clock_us())
        skip = self._lanes.in_flight
        if self._lanes.has_room(live=True):
            parcel = await outbox.newest(since_us, skip)
            if parcel is not None:
                return parcel, True
        if self._lanes.has_room(live=False):
            return await outbox.oldest(since_us, skip), False
        return None, False

    async def _beat(self) -> None:
        """Heartbeats; also finds out when acknowledgements do not come."""
        while True:
            heartbeat = self._pump._station.heartbeat(self._pump.link.round_trip_us)
            self._beats.append((heartbeat.clock_us, self._pump._monotonic()))
            await self._session.send_heartbeat(heartbeat)
            await self._pump._sleep(self._heartbeat_s)
            if self._lanes.is_stuck(self._pump._monotonic()):
                raise UplinkError("the collector does not acknowledge")

    async def _listen(self) -> NoReturn:
        orders = self._session.orders()
        while True:
            try:
                async with asyncio.timeout(SILENT_HEARTBEATS * self._heartbeat_s):
                    order = await anext(orders)
            except TimeoutError:
                raise UplinkError("the collector says nothing") from None
            except StopAsyncIteration:
                raise UplinkError("the collector ended the session") from None
            await self._take(order)

    async def _take(self, order: Order) -> None:
        match order:
            case Ack():
                await self._acknowledge(order)
            case Assignment():
                await self._pump._station.assign(order)
            case ProbeNow():
                self._pump._station.hasten(order)
            case Explain():
                self._ask(order)
            case Drain():
                raise _Drained(order)

    async def _acknowledge(self, ack: Ack) -> None:
        self._pump._note_ack(ack)
        for clock_us, at in self._beats:
            if clock_us == ack.heartbeat_clock_us:
                self._pump.link.round_trip_us = round((self._pump._monotonic() - at) * 1e6)
        if ack.durable:
            await self._pump._outbox.forget(self._lanes.acknowledge(ack.durable))

    def _ask(self, order: Explain) -> None:
        try:
            self._questions.put_nowait(order)
        except asyncio.QueueFull:
            self._pump.link.unanswered += 1

    async def _answer(self) -> None:
        while True:
            evidence = await self._pump._station.explain(await self._questions.get())
            if evidence is None:
                self._pump.link.unanswered += 1
            else:
                await self._session.send_evidence(evidence)
