"""What the pump's tests stand on: an agent's half of the wire, and a collector in memory."""

import asyncio
from random import Random

from faultline.ranges import Ranges
from faultline_agent.outbox import Outbox
from faultline_agent.spool import Spool
from faultline_agent.uplinks.memory import MemoryCollector, MemoryUplink
from faultline_agent.uplinks.pump import Pump
from faultline_agent.uplinks.uplink import (
    Assignment,
    Evidence,
    Explain,
    Heartbeat,
    Hello,
    ProbeNow,
)
from faultline_agent.uplinks.wire import encode_batch
from tests.agent.stage import (
    KeptLog,
    SetClocks,
    eventually,
    result,
)

BEAT_S = 5.0


class Post:
    """A station that keeps what it is told."""

    def __init__(self, outbox: Outbox, clocks: SetClocks) -> None:
        self.outbox = outbox
        self.clocks = clocks
        self.assignment = Assignment("", ())
        self.hastened: list[ProbeNow] = []
        self.asked: list[Explain] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.round_trips: list[int] = []

    def hello(self, unacknowledged: Ranges) -> Hello:
        """Introduces the agent."""
        version = self.assignment.version
        spool_id, now_us = self.outbox.spool_id, self.clocks.wall_us()
        return Hello("agent", "boot", spool_id, "0", version, now_us, unacknowledged, ())

    def heartbeat(self, round_trip_us: int) -> Heartbeat:
        """A sign of life with the drops."""
        self.round_trips.append(round_trip_us)
        now_us = self.clocks.wall_us()
        dropped, lost = self.outbox.dropped, self.outbox.lost
        return Heartbeat(now_us, 0, 0, 0, 0, 0, True, "", dropped, 0, "", round_trip_us, lost)

    async def assign(self, assignment: Assignment) -> None:
        """Keeps it."""
        self.assignment = assignment

    def hasten(self, order: ProbeNow) -> None:
        """Keeps it."""
        self.hastened.append(order)

    async def explain(self, order: Explain) -> tuple[Evidence, ...]:
        """Knows about the web only."""
        await self.may_answer.wait()
        self.asked.append(order)
        known = order.target_id == "web"
        return (Evidence(order.request_id, order.target_id, "story", 1, "{}"),) if known else ()


class Stage:
    """An agent's half of the wire, and a collector in memory."""

    def __init__(self, spool: Spool) -> None:
        self.clocks = SetClocks()
        self.spool = spool
        self.outbox = Outbox(spool, encode_batch, self.clocks)
        self.collector = MemoryCollector(heartbeat_s=BEAT_S)
        self.post = Post(self.outbox, self.clocks)
        self.log = KeptLog()
        self.beat = asyncio.Event()
        self.away: list[float] = []
        self.pump = Pump(
            MemoryUplink(self.collector),
            self.outbox,
            self.post,
            self.log,
            self.clocks,
            Random(3),
            sleep=self.sleep,
        )
        self.running: asyncio.Task[None] | None = None

    async def sleep(self, delay_s: float) -> None:
        """A heartbeat waits until the test lets the heart beat; back-off takes no time."""
        if delay_s == BEAT_S:
            await self.beat.wait()
            self.beat.clear()
        else:
            self.away.append(delay_s)
            await asyncio.sleep(0.001)

    def start(self) -> None:
        """Starts the pump."""
        self.running = asyncio.create_task(self.pump.run())

    async def record(self, count: int, batches: int = 1) -> None:
        """Appends batches of so many results."""
        for _ in range(batches):
            await self.outbox.append([result()] * count)

    async def emptied(self) -> None:
        """Waits until the collector has everything."""
        await eventually(lambda: not self.outbox.state.results)

    @property
    def sent(self) -> list[tuple[int, bool]]:
        """First sequence and lane of each batch that arrived."""
        return [(batch.first, batch.live) for batch in self.collector.batches]

    async def close(self) -> None:
        """Ends everything."""
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        await self.outbox.close()
