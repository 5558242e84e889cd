"""Collectors at the other end of an uplink, one a kind of uplink, all told what to do in the same words."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeAlias

import grpc
from grpc import aio

from faultline.ranges import Ranges
from faultline.v1 import results_pb2, session_pb2, session_pb2_grpc
from faultline_agent.uplinks.grpc import GrpcUplink
from faultline_agent.uplinks.memory import MemoryCollector, MemoryUplink
from faultline_agent.uplinks.uplink import Ack as AckOrder
from faultline_agent.uplinks.uplink import (
    Assignment,
    Drain,
    Explain,
    Hello,
    Order,
    ProbeNow,
    Uplink,
    UplinkError,
)
from faultline_agent.way import Way, parse_url


class FarEnd(Protocol):
    """What a test asks of the collector at the other end."""

    refusal: UplinkError | None
    holds_acks: bool
    held: dict[str, Ranges]

    @property
    def uplink(self) -> Uplink:
        """The agent's way there."""

    @property
    def heard(self) -> list[str]:
        """What came, in order: `hello`, `live 1-3`, `backlog 4-4`, `heartbeat`, `evidence`."""

    async def order(self, order: Order) -> None:
        """Says something to every agent."""

    async def cut(self) -> None:
        """Breaks every session."""

    async def end(self) -> None:
        """Ends every session politely."""

    async def release(self) -> None:
        """Gives out the acknowledgements that were held."""


class MemoryEnd(MemoryCollector):
    """The memory uplink's own collector."""

    @property
    def uplink(self) -> Uplink:
        """The agent's way there."""
        return MemoryUplink(self)

    @property
    def heard(self) -> list[str]:
        """What came, kind by kind: it keeps no common order."""
        return [
            *("hello" for _ in self.hellos),
            *(f"{'live' if sent.live else 'backlog'} {sent.first}-{sent.last}" for sent in self.batches),
            *("heartbeat" for _ in self.heartbeats),
            *("evidence" for _ in self.evidence),
        ]

    async def end(self) -> None:
        """Ends every session politely."""
        for session in list(self.sessions):
            await session.close()


def memory_end() -> MemoryEnd:
    """A collector within the process."""
    return MemoryEnd()


CUT = grpc.StatusCode.UNAVAILABLE
"""How a stream ends that is cut off."""

Says: TypeAlias = asyncio.Queue[session_pb2.CollectorMessage | grpc.StatusCode | None]
"""What a session is to be told; None ends it, a code breaks it."""


class WireEnd:
    """A small collector that speaks the wire's messages, whatever carries them."""

    def __init__(self) -> None:
        self.refusal: UplinkError | None = None
        self.holds_acks = False
        self.held: dict[str, Ranges] = {}
        self.heard: list[str] = []
        self.first: session_pb2.CollectorMessage | None = None
        self._owed: list[session_pb2.CollectorMessage] = []
        self._says: list[Says] = []

    async def order(self, order: Order) -> None:
        """Says something to every agent."""
        for says in self._says:
            says.put_nowait(order_message(order))

    async def cut(self) -> None:
        """Breaks every session."""
        for says in self._says:
            says.put_nowait(CUT)

    async def end(self) -> None:
        """Ends every session politely."""
        for says in self._says:
            says.put_nowait(None)

    async def release(self) -> None:
        """Gives out the acknowledgements that were held."""
        self.holds_acks = False
        for message in self._owed:
            for says in self._says:
                says.put_nowait(message)
        self._owed.clear()

    def _hear(self, message: session_pb2.AgentMessage, held: Ranges, says: Says) -> Ranges:
        """Answers one message of a session that goes on above what is held; gives what is held then."""
        match message.WhichOneof("body"):
            case "hello":
                return self._greet(message.hello, says)
            case "batch":
                self._take(message.batch, held, says)
            case "heartbeat":
                self._note(message.heartbeat, held, says)
            case "evidence" | "leave" as other:
                self.heard.append(other)
        return held

    def _greet(self, hello: session_pb2.Hello, says: Says) -> Ranges:
        self.heard.append("hello")
        held = self.held.setdefault(hello.spool_id, Ranges())
        known = [pair for run in hello.unacknowledged for pair in held.within(run.first, run.last)]
        welcome = session_pb2.Welcome(
            held=[results_pb2.Range(first=first, last=last) for first, last in known],
            highest_sequence=held.highest,
            clock_us=5,
            version="grpc",
            heartbeat_s=1,
        )
        says.put_nowait(self.first or session_pb2.CollectorMessage(welcome=welcome))
        return held

    def _take(
        self,
        batch: results_pb2.Batch,
        held: Ranges,
        says: Says,
    ) -> None:
        first, last = batch.first_sequence, batch.first_sequence + batch.count - 1
        lane = "live" if batch.lane == results_pb2.LANE_LIVE else "backlog"
        self.heard.append(f"{lane} {first}-{last}")
        held.add(first, last)
        self._acknowledge(session_pb2.Ack(durable=[results_pb2.Range(first=first, last=last)]), says)

    def _note(
        self,
        heartbeat: session_pb2.Heartbeat,
        held: Ranges,
        says: Says,
    ) -> None:
        self.heard.append("heartbeat")
        ranges = [run.range for run in heartbeat.dropped]
        for run in ranges:
            held.add(run.first, run.last)
        ack = session_pb2.Ack(durable=ranges, heartbeat_clock_us=heartbeat.clock_us, lost=heartbeat.lost)
        self._acknowledge(ack, says)

    def _acknowledge(self, ack: session_pb2.Ack, says: Says) -> None:
        message = session_pb2.CollectorMessage(ack=ack)
        if self.holds_acks:
            self._owed.append(message)
        else:
            says.put_nowait(message)


class GrpcEnd(WireEnd, session_pb2_grpc.AgentsServicer):
    """The wire's collector behind a real server."""

    def __init__(self) -> None:
        super().__init__()
        self.metadata: dict[str, str] = {}
        self.port = 0

    @property
    def uplink(self) -> Uplink:
        """The agent's way there."""
        return GrpcUplink.open(Way(parse_url(f"grpc://127.0.0.1:{self.port}"), "agent", "secret"))

    async def Session(
        self,
        request_iterator: AsyncIterator[session_pb2.AgentMessage],
        context: "aio.ServicerContext[session_pb2.AgentMessage, session_pb2.CollectorMessage]",
    ) -> AsyncIterator[session_pb2.CollectorMessage]:
        """Answers one agent."""
        self.metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        if self.refusal is not None:
            code = (
                grpc.StatusCode.PERMISSION_DENIED if self.refusal.permanent else grpc.StatusCode.UNAVAILABLE
            )
            await context.abort(code, str(self.refusal))
        says: Says = asyncio.Queue()
        self._says.append(says)
        listening = asyncio.create_task(self._listen(request_iterator, says))
        try:
            while isinstance(said := await says.get(), session_pb2.CollectorMessage):
                yield said
            if said is not None:
                await context.abort(said, "cut off")
        finally:
            listening.cancel()
            self._says.remove(says)

    async def _listen(self, messages: AsyncIterator[session_pb2.AgentMessage], says: Says) -> None:
        held = Ranges()
        async for message in messages:
            held = self._hear(message, held, says)


@asynccontextmanager
async def grpc_end() -> AsyncIterator[GrpcEnd]:
    """A collector on a real socket."""
    end, server = GrpcEnd(), aio.server()
    session_pb2_grpc.add_AgentsServicer_to_server(end, server)
    end.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield end
    finally:
        await server.stop(None)


def order_message(order: Order) -> session_pb2.CollectorMessage:
    """An order as the wire wants it."""
    match order:
        case Assignment():
            targets = [
                session_pb2.Target(
                    target_id=target.target_id,
                    kind=target.kind,
                    settings_json=json.dumps(dict(target.settings)),
                    interval_us=round(target.interval_s * 1e6),
                    timeout_us=round(target.timeout_s * 1e6),
                )
                for target in order.targets
            ]
            return session_pb2.CollectorMessage(
                assignment=session_pb2.Assignment(version=order.version, targets=targets)
            )
        case AckOrder():
            ranges = [results_pb2.Range(first=first, last=last) for first, last in order.durable]
            rejected = [session_pb2.Rejection(reason=r, count=n) for r, n in order.rejected.items()]
            return session_pb2.CollectorMessage(ack=session_pb2.Ack(durable=ranges, rejected=rejected))
        case ProbeNow():
            return session_pb2.CollectorMessage(
                probe_now=session_pb2.ProbeNow(
                    target_ids=order.target_ids,
                    cadence_us=round(order.cadence_s * 1e6),
                    until_us=order.until_us,
                )
            )
        case Explain():
            return session_pb2.CollectorMessage(
                explain=session_pb2.Explain(
                    request_id=order.request_id,
                    target_id=order.target_id,
                    kinds=order.kinds,
                    until_us=order.until_us,
                )
            )
        case Drain():
            return session_pb2.CollectorMessage(
                drain=session_pb2.Drain(
                    after_us=round(order.after_s * 1e6), address=order.address, reason=order.reason
                )
            )


def hello(spool_id: str = "spool", unacknowledged: Ranges | None = None) -> Hello:
    """An agent's introduction."""
    return Hello("agent", "boot", spool_id, "0.1.0", "", 1, unacknowledged or Ranges(), ("tcp",))
