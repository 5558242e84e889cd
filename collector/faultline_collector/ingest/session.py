"""What one agent says and is told, whatever carries it."""

import asyncio
from collections import deque
from enum import Enum
from functools import partial

from faultline.columns import MAX_ID_LENGTH
from faultline.ranges import Ranges
from faultline.v1 import results_pb2, session_pb2
from faultline_collector.fleet import Agent
from faultline_collector.ingest.admit import Refusal
from faultline_collector.ingest.assignments import Duty
from faultline_collector.ingest.clocks import ClockOffset
from faultline_collector.ingest.decode import MAX_SEQUENCE, Arrival, claimed
from faultline_collector.ingest.desk import DROP_REASONS, Desk
from faultline_collector.ingest.orders import evidence_of, order_message
from faultline_collector.ingest.reading import Claim
from faultline_collector.ingest.wire import BadBatch
from faultline_collector.ingest.writer import Parcel
from faultline_collector.inquiry.orders import Order
from faultline_collector.results import Source
from faultline_collector.stores.store import ReceivedRange

_SEEN_US = 250_000

MOST_ORDERS = 32
"""Most messages that wait for an agent that reads slowly; an order beyond it is not given."""

_MOST_DROPPED = 500
"""Most dropped ranges that one heartbeat can name; the next one brings the rest."""

_MOST_LOST = 16
"""Most lost spools that one heartbeat can name."""


class Ending(Enum):
    """Why the collector ends a session, as a sentence for the agent."""

    LEFT = "the agent has left"
    REPLACED = "a newer session of this agent has begun"
    REMOVED = "this agent is no longer in the registry"
    DRAINED = "the collector is stopping"
    SILENT = "nothing was heard of the agent for too long"


class Misspoken(Exception):
    """Raised when an agent says what does not belong there; the session cannot go on."""


class AgentSession:
    """One session: `hear` takes what the agent says, `next` gives what it is to be told.

    What is to be told is kept merged (one assignment, one acknowledgement), so a slow reader costs nothing.
    `hear` waits while the store is behind; whoever carries the session then stops reading.
    """

    def __init__(self, desk: Desk, agent: Agent, hello: session_pb2.Hello) -> None:
        check_hello(hello)
        self.agent = agent
        self.ending: Ending | None = None
        self._desk = desk
        self._source = Source(agent.id, hello.spool_id)
        self._clock = ClockOffset()
        self._duty: Duty | None = None
        self._duty_version = hello.assignment_version
        self._outbox: deque[session_pb2.CollectorMessage] = deque()
        self._ack = _Ack()
        self._lanes = (desk.lane(live=False), desk.lane(live=True))
        self._seen_us = 0
        self._unsettled = 0
        self._leaving = False
        self._news = asyncio.Event()
        self._greet(hello)

    def _greet(self, hello: session_pb2.Hello) -> None:
        now = self._desk.now_us()
        self._clock.note(hello.clock_us, now)
        self._desk.presences.note(
            self.agent.id,
            now,
            connected=True,
            version=hello.version,
            ca_bundle=hello.ca_bundle,
            assignment_version=hello.assignment_version,
            clock_offset_us=self._clock.offset_us,
        )
        wanted = Ranges((r.first, r.last) for r in hello.unacknowledged if 1 <= r.first <= r.last)
        welcome = session_pb2.Welcome(
            held=_wire(self._desk.ledger.held(self._source, wanted)),
            highest_sequence=self._desk.ledger.highest(self._source),
            clock_us=now,
            version=self._desk.version,
            heartbeat_s=self._desk.heartbeat_s,
        )
        self._tell(session_pb2.CollectorMessage(welcome=welcome))

    def assign(self, duty: Duty) -> None:
        """Makes this the agent's duty; it is told when its version differs from what the agent has."""
        self._duty = duty
        self._news.set()

    def order(self, order: Order) -> bool:
        """Tells the agent to do something once; says whether it will be told."""
        if self.ending is not None or len(self._outbox) >= MOST_ORDERS:
            return False
        self._tell(order_message(order))
        return True

    def end(self, ending: Ending) -> None:
        """Ends the session: `next` gives None from now on; safe twice."""
        if self.ending is None:
            self.ending = ending
            self._news.set()

    def leave(self) -> None:
        """The agent says no more: the session ends once all that it sent is acknowledged."""
        self._leaving = True
        self._news.set()

    async def hear(self, message: session_pb2.AgentMessage) -> None:
        """Takes one message; raises Misspoken. What is unknown to this version is passed over.

        It waits for room first and never after: a sequence that counts as taken must be in the queue, even
        if whoever carries the session gives up in between.
        """
        await self._desk.writer.room()
        match message.WhichOneof("body"):
            case "batch":
                self._hear_batch(message.batch)
            case "heartbeat":
                self._hear_heartbeat(message.heartbeat)
            case "evidence":
                self._desk.evidence(self.agent.id, evidence_of(message.evidence, self._clock.offset_us))
            case "leave":
                self.leave()
            case "hello":
                raise Misspoken("a second hello in one session")

    async def next(self) -> session_pb2.CollectorMessage | None:
        """The next message for the agent, or None when the session is over."""
        while True:
            if self.ending is not None:
                return None
            message = self._pending()
            if message is not None:
                return message
            if self._leaving and not self._unsettled:
                self.end(Ending.LEFT)
                return None
            self._news.clear()
            await self._news.wait()

    def _pending(self) -> session_pb2.CollectorMessage | None:
        if self._outbox:
            return self._outbox.popleft()
        if self._duty is not None and self._duty.version != self._duty_version:
            self._duty_version = self._duty.version
            return self._duty.message
        if self._ack:
            ack, self._ack = self._ack, _Ack()
            return session_pb2.CollectorMessage(ack=ack.wire())
        return None

    def _tell(self, message: session_pb2.CollectorMessage) -> None:
        self._outbox.append(message)
        self._news.set()

    def _hear_batch(self, batch: results_pb2.Batch) -> None:
        now = self._desk.now_us()
        self._note_seen(now)
        self._lanes[batch.lane == results_pb2.LANE_LIVE].inc()
        try:
            first, last = claimed(batch)
        except BadBatch as error:
            self._reject(error.reason, batch.count, str(error))
            return
        missing = self._desk.ledger.missing(self._source, first, last)
        claim = None
        if missing:
            arrival = Arrival(batch, self._source, self._clock.offset_us, now)
            targets = self._duty.known_targets if self._duty is not None else frozenset[str]()
            claim = Claim(arrival, missing, targets)
        self._submit(self._source, claim, (), first, last)
        self._desk.count_resent(last - first + 1 - missing.count())

    def _note_seen(self, now_us: int) -> None:
        """Notes a sign of life, not more often than anybody looks."""
        if not 0 <= now_us - self._seen_us < _SEEN_US:
            self._seen_us = now_us
            self._desk.presences.note(self.agent.id, now_us)

    def _hear_heartbeat(self, heartbeat: session_pb2.Heartbeat) -> None:
        now = self._desk.now_us()
        self._clock.note(heartbeat.clock_us, now)
        self._desk.note_heartbeat(self.agent.id, now, heartbeat, self._clock.offset_us)
        self._ack.heartbeat_clock_us = heartbeat.clock_us
        for dropped in heartbeat.dropped[:_MOST_DROPPED]:
            reason = dropped.reason if dropped.reason in DROP_REASONS else "other"
            self._hear_dropped(self._source, dropped.range, reason)
        for lost in heartbeat.lost[:_MOST_LOST]:
            source = Source(self.agent.id, lost.spool_id)
            if 1 <= len(lost.spool_id) <= MAX_ID_LENGTH and source != self._source:
                self._hear_dropped(source, lost.range, "damaged")
        self._news.set()

    def _hear_dropped(self, source: Source, run: results_pb2.Range, reason: str) -> None:
        if not 1 <= run.first <= run.last <= MAX_SEQUENCE:
            return
        missing = self._desk.ledger.missing(source, run.first, run.last)
        ranges = tuple(ReceivedRange(source, low, high, "dropped", reason) for low, high in missing)
        self._submit(source, None, ranges, run.first, run.last)

    def _submit(
        self, source: Source, claim: Claim | None, ranges: tuple[ReceivedRange, ...], first: int, last: int
    ) -> None:
        """Queues a parcel even for a resend: what it resends may still be on its way to the disk."""
        self._desk.ledger.take(source, first, last)
        self._unsettled += 1
        done = partial(self._settle, source, ranges, first, last)
        self._desk.writer.put(Parcel(source, claim, ranges, done))

    def _settle(
        self,
        source: Source,
        dropped: tuple[ReceivedRange, ...],
        first: int,
        last: int,
        refusals: tuple[Refusal, ...],
    ) -> None:
        self._unsettled -= 1
        self._desk.ledger.settle(source, first, last)
        if source == self._source:
            self._ack.durable.add(first, last)
        else:
            run = results_pb2.Range(first=first, last=last)
            self._ack.lost[source.spool_id] = results_pb2.LostRange(spool_id=source.spool_id, range=run)
        for received in dropped:
            self._desk.count_dropped(received)
        for refusal in refusals:
            self._reject(refusal.reason, refusal.last - refusal.first + 1, refusal.example)
        self._news.set()

    def _reject(self, reason: str, count: int, example: str) -> None:
        self._desk.count_rejected(reason, count)
        self._ack.reject(reason, count, example)
        self._news.set()


def drain(reason: str) -> session_pb2.CollectorMessage:
    """Asks an agent to come back in a second."""
    return session_pb2.CollectorMessage(drain=session_pb2.Drain(after_us=1_000_000, reason=reason))


def check_hello(hello: session_pb2.Hello) -> None:
    """Raises Misspoken where a hello cannot begin a session."""
    if not hello.spool_id:
        raise Misspoken("the hello names no spool_id")
    for name in ("boot_id", "spool_id", "version", "ca_bundle", "assignment_version"):
        length = len(getattr(hello, name))
        if length > MAX_ID_LENGTH:
            raise Misspoken(f"{name} has {length} characters, at most {MAX_ID_LENGTH} are allowed")


def _wire(these: Ranges) -> list[results_pb2.Range]:
    return [results_pb2.Range(first=first, last=last) for first, last in these]


class _Ack:
    """An acknowledgement that grows until it is sent."""

    __slots__ = ("durable", "heartbeat_clock_us", "lost", "rejections")

    def __init__(self) -> None:
        self.durable = Ranges()
        self.lost: dict[str, results_pb2.LostRange] = {}
        self.rejections: dict[str, session_pb2.Rejection] = {}
        self.heartbeat_clock_us = 0

    def __bool__(self) -> bool:
        return bool(self.durable or self.lost or self.rejections or self.heartbeat_clock_us)

    def reject(self, reason: str, count: int, example: str) -> None:
        """Counts rejected results; the first sentence of each reason is kept."""
        rejection = self.rejections.setdefault(reason, session_pb2.Rejection(reason=reason, example=example))
        rejection.count += count

    def wire(self) -> session_pb2.Ack:
        """The acknowledgement as a message."""
        return session_pb2.Ack(
            durable=_wire(self.durable),
            rejected=self.rejections.values(),
            heartbeat_clock_us=self.heartbeat_clock_us,
            lost=self.lost.values(),
        )
