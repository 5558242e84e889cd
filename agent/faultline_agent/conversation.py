"""One session with the collector: what goes up, what comes down, and how one finds out that it is broken."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

from faultline.ranges import Ranges
from faultline_agent.clocks import Clocks
from faultline_agent.lanes import Lanes
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
    UplinkError,
)

SILENT_HEARTBEATS = 4
"""A session in which the collector says nothing for so many heartbeats is given up."""

LEAST_HEARTBEAT_S, USUAL_HEARTBEAT_S, MOST_HEARTBEAT_S = 0.5, 5.0, 60.0

MOST_AWAY_S = 3600.0
"""Longest that a collector can send an agent away."""

MOST_QUESTIONS = 8
"""Most requests for proof that wait for their answer; more are left out, and counted."""


class Station(Protocol):
    """The agent behind the session: what it says of itself, and who takes its orders."""

    def hello(self, unacknowledged: Ranges) -> Hello:
        """Introduces the agent."""

    def heartbeat(self, round_trip_us: int) -> Heartbeat:
        """The agent's state now."""

    async def assign(self, assignment: Assignment) -> None:
        """Takes over an assignment."""

    def hasten(self, order: ProbeNow) -> None:
        """Plans extra probes."""

    async def explain(self, order: Explain) -> Sequence[Evidence]:
        """Gathers proof; none when it cannot."""


@dataclass(slots=True)
class Link:
    """How the way to the collector is; times in microseconds since 1970, 0 for never."""

    connected: bool = False
    since_us: int = 0
    last_ack_us: int = 0
    problem: str = ""
    collector_version: str = ""
    unanswered: int = 0
    round_trip_us: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    def note_ack(self, ack: Ack, now_us: int) -> None:
        """Counts what was rejected."""
        self.last_ack_us = now_us
        for reason, count in ack.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count


class Drained(UplinkError):
    """Raised when the collector sends the agent away for a while."""

    def __init__(self, order: Drain) -> None:
        super().__init__(f"the collector asks to come back in {order.after_s:g} s: {order.reason}")
        self.after_s = min(order.after_s, MOST_AWAY_S)


class Conversation:
    """A feeder, a heart, a listener, and one who answers questions, for as long as the session holds."""

    def __init__(
        self,
        session: Session,
        outbox: Outbox,
        station: Station,
        link: Link,
        clocks: Clocks,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._session = session
        self._outbox = outbox
        self._station = station
        self._link = link
        self._clocks = clocks
        self._sleep = sleep
        self._lanes = Lanes(clocks.wall_us())
        self._met_us, self._met_s = session.welcome.clock_us, clocks.axis_s()
        self._beats: deque[tuple[int, float]] = deque(maxlen=16)
        self._questions: asyncio.Queue[Explain] = asyncio.Queue(MOST_QUESTIONS)
        asked_s = session.welcome.heartbeat_s or USUAL_HEARTBEAT_S
        self._heartbeat_s = min(max(asked_s, LEAST_HEARTBEAT_S), MOST_HEARTBEAT_S)

    async def run(self) -> NoReturn:
        """Goes on until the session breaks; raises UplinkError.

        No TaskGroup: Python 3.11's forgets a cancellation that meets an error of a task.
        """
        parts = (self._feed(), self._beat(), self._listen(), self._answer())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [end for end in ends if isinstance(end, Exception)]
        drained = [error for error in errors if isinstance(error, Drained)]
        raise (drained or errors or [UplinkError("the session ended")])[0]

    async def _feed(self) -> NoReturn:
        while True:
            self._outbox.changed.clear()
            parcel, live = await self._next()
            if parcel is None:
                await self._outbox.changed.wait()
                continue
            self._lanes.send(parcel, self._clocks.axis_s(), live=live)
            await self._session.send_batch(parcel.encoded, live=live)

    async def _next(self) -> tuple[Parcel | None, bool]:
        """Live goes first; the backlog moves whenever nothing live waits."""
        since_us, skip = self._lanes.live_since_us(self._clocks.wall_us()), self._lanes.in_flight
        if self._lanes.has_room(live=True):
            parcel = await self._outbox.newest(since_us, skip)
            if parcel is not None:
                return parcel, True
        if self._lanes.has_room(live=False):
            return await self._outbox.oldest(since_us, skip), False
        return None, False

    async def _beat(self) -> NoReturn:
        """Heartbeats; also finds out when acknowledgements do not come."""
        while True:
            heartbeat = self._station.heartbeat(self._link.round_trip_us)
            self._beats.append((heartbeat.clock_us, self._clocks.axis_s()))
            await self._session.send_heartbeat(heartbeat)
            await self._sleep(self._heartbeat_s)
            if self._lanes.is_stuck(self._clocks.axis_s()):
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
                await self._station.assign(order)
            case ProbeNow():
                self._station.hasten(replace(order, until_us=self._own_us(order.until_us)))
            case Explain():
                self._ask(replace(order, until_us=self._own_us(order.until_us)))
            case Drain():
                raise Drained(order)

    def _own_us(self, until_us: int) -> int:
        """A time of the collector's clock by the agent's, whatever either is off by, or was set to since."""
        clocks = self._clocks
        theirs_us = self._met_us + round((clocks.axis_s() - self._met_s) * 1e6)
        return clocks.wall_us() + until_us - theirs_us

    async def _acknowledge(self, ack: Ack) -> None:
        self._link.note_ack(ack, self._clocks.wall_us())
        for clock_us, at in self._beats:
            if clock_us == ack.heartbeat_clock_us:
                self._link.round_trip_us = round((self._clocks.axis_s() - at) * 1e6)
                self._beats.remove((clock_us, at))
                break
        if ack.durable:
            await self._outbox.forget(self._lanes.acknowledge(ack.durable))
        if ack.lost:
            await self._outbox.settle_lost(ack.lost)

    def _ask(self, order: Explain) -> None:
        try:
            self._questions.put_nowait(order)
        except asyncio.QueueFull:
            self._link.unanswered += 1

    async def _answer(self) -> NoReturn:
        while True:
            proofs = await self._station.explain(await self._questions.get())
            self._link.unanswered += not proofs
            for evidence in proofs:
                await self._session.send_evidence(evidence)
