"""An uplink within one process, and the small collector at its other end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from faultline.ranges import Ranges
from faultline_agent.uplinks.uplink import (
    Ack,
    Assignment,
    DroppedRange,
    Evidence,
    Heartbeat,
    Hello,
    LostRange,
    Order,
    Session,
    UplinkError,
    Welcome,
)
from faultline_agent.uplinks.wire import batch_bounds
from faultline_agent.way import Way

KEPT_MESSAGES = 10_000
"""Batches, heartbeats and proofs that are kept for a look, the newest."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch as it arrived."""

    encoded: bytes
    first: int
    last: int
    live: bool


@dataclass(slots=True)
class MemoryCollector:
    """Keeps ranges and acknowledges them; can be told to refuse, to cut, and to hold acknowledgements."""

    assignment: Assignment | None = None
    refusal: UplinkError | None = None
    holds_acks: bool = False
    heartbeat_s: float = 5.0
    clock_us: int = 0
    held: dict[str, Ranges] = field(default_factory=dict)
    dropped: dict[str, list[DroppedRange]] = field(default_factory=dict)
    batches: deque[Sent] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    heartbeats: deque[Heartbeat] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    evidence: deque[Evidence] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    hellos: deque[Hello] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    sessions: "list[MemorySession]" = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def greet(self, hello: Hello) -> "MemorySession":
        """Opens a session or refuses it."""
        if self.refusal is not None:
            raise self.refusal
        held = self.held.setdefault(hello.spool_id, Ranges())
        known = Ranges()
        for first, last in hello.unacknowledged:
            known.update(held.within(first, last))
        welcome = Welcome(known, held.highest, self.clock_us, "memory", self.heartbeat_s)
        session = MemorySession(self, hello, welcome)
        self.sessions.append(session)
        self.hellos.append(hello)
        if self.assignment is not None and self.assignment.version != hello.assignment_version:
            session.order(self.assignment)
        await self._tell()
        return session

    async def assign(self, assignment: Assignment) -> None:
        """Gives every agent, now and later, this to probe."""
        self.assignment = assignment
        await self.order(assignment)

    async def order(self, order: Order) -> None:
        """Says something in every open session."""
        for session in self.sessions:
            session.order(order)

    async def cut(self) -> None:
        """Breaks every open session, with no word about what was not acknowledged."""
        for session in self.sessions:
            session.cut()
        self.sessions.clear()
        await self._tell()

    async def release(self) -> None:
        """Gives out the acknowledgements that were held, and holds no more."""
        self.holds_acks = False
        for session in self.sessions:
            session.acknowledge()

    async def take(self, session: "MemorySession", sent: Sent) -> None:
        """Keeps a batch; what is held already is not counted twice."""
        self.held[session.hello.spool_id].add(sent.first, sent.last)
        self.batches.append(sent)
        await self._tell()

    async def note(self, session: "MemorySession", heartbeat: Heartbeat) -> None:
        """Keeps a heartbeat and the drops that it reports."""
        self.heartbeats.append(heartbeat)
        ranges = self.held[session.hello.spool_id]
        for run in heartbeat.dropped:
            if ranges.missing(run.first, run.last):
                self.dropped.setdefault(session.hello.spool_id, []).append(run)
            ranges.add(run.first, run.last)
        for lost in heartbeat.lost:
            self.held.setdefault(lost.spool_id, Ranges()).add(lost.first, lost.last)
        await self._tell()

    async def keep(self, evidence: Evidence) -> None:
        """Keeps a proof."""
        self.evidence.append(evidence)
        await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class MemorySession:
    """One open conversation with a MemoryCollector."""

    def __init__(self, collector: MemoryCollector, hello: Hello, welcome: Welcome) -> None:
        self.welcome = welcome
        self.hello = hello
        self._collector = collector
        self._owed = Ranges()
        self._lost: tuple[LostRange, ...] = ()
        self._heartbeat_us = 0
        self._orders: asyncio.Queue[Order | UplinkError | None] = asyncio.Queue(KEPT_MESSAGES)
        self._open = True

    async def send_batch(self, encoded: bytes, *, live: bool) -> None:
        """Hands over one encoded batch; raises UplinkError once the session has ended."""
        self._check()
        first, last = batch_bounds(encoded)
        await self._collector.take(self, Sent(encoded, first, last, live))
        self._owed.add(first, last)
        if not self._collector.holds_acks:
            self.acknowledge()

    async def send_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Hands over a sign of life; raises UplinkError once the session has ended."""
        self._check()
        await self._collector.note(self, heartbeat)
        self._heartbeat_us = heartbeat.clock_us
        self._owe(heartbeat.dropped)
        self._lost = tuple(heartbeat.lost)
        if not self._collector.holds_acks:
            self.acknowledge()

    async def send_evidence(self, evidence: Evidence) -> None:
        """Hands over a proof; raises UplinkError once the session has ended."""
        self._check()
        await self._collector.keep(evidence)

    async def orders(self) -> AsyncIterator[Order]:
        """What the collector says, until the session ends; raises UplinkError when it breaks."""
        while (said := await self._orders.get()) is not None:
            if isinstance(said, UplinkError):
                raise said
            yield said

    async def close(self) -> None:
        """Ends the session; safe twice."""
        if self._open:
            self._open = False
            self._orders.put_nowait(None)
            if self in self._collector.sessions:
                self._collector.sessions.remove(self)

    def order(self, order: Order) -> None:
        """Queues what the collector says."""
        self._orders.put_nowait(order)

    def acknowledge(self) -> None:
        """Acknowledges all that is owed."""
        owed, self._owed = self._owed, Ranges()
        lost, self._lost = self._lost, ()
        self.order(Ack(owed, {}, self._heartbeat_us, lost))

    def cut(self) -> None:
        """Breaks the session."""
        self._open = False
        self._orders.put_nowait(UplinkError("the collector was cut off"))

    def _owe(self, dropped: Sequence[DroppedRange]) -> None:
        for run in dropped:
            self._owed.add(run.first, run.last)

    def _check(self) -> None:
        if not self._open:
            raise UplinkError("the session has ended")


class MemoryUplink:
    """Opens sessions with one MemoryCollector."""

    def __init__(self, collector: MemoryCollector) -> None:
        self._collector = collector

    @classmethod
    def open(cls, way: Way) -> "MemoryUplink":
        """An uplink with a collector of its own, which keeps what it gets and asks for nothing."""
        return cls(MemoryCollector())

    async def connect(self, hello: Hello) -> Session:
        """Opens a session; raises UplinkError when the collector refuses."""
        return await self._collector.greet(hello)

    async def close(self) -> None:
        """Has nothing to release."""
