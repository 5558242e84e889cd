"""Agents' halves of the wire, from the spool on, that measure all the time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from faultline.ranges import Ranges
from faultline_agent.outbox import Outbox
from faultline_agent.uplinks.pump import Pump
from faultline_agent.uplinks.uplink import Assignment, Evidence, Explain, Heartbeat, Hello, ProbeNow, Uplink
from faultline_agent.uplinks.wire import encode_batch
from tests.agent.stage import KeptLog, open_spool, result
from tests.collector.ingest.worlds import NOW_US

QUICK_S = 0.05
"""Longest that heart and back-off rest here."""

MOST_UNSENT = 5_000
"""Most results that wait: what is measured while a broker is away must be sent before the test is over."""


class RunningClocks:
    """Clocks that go on by themselves from the moment where the collector's stands."""

    def axis_s(self) -> float:
        """Seconds."""
        return time.monotonic()

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return NOW_US


async def nap(delay_s: float) -> None:
    """Rests, but not for long."""
    await asyncio.sleep(min(delay_s, QUICK_S))


class Sender:
    """A spool that fills, and the pump that empties it."""

    def __init__(self, agent_id: str, uplink: Uplink, folder: Path) -> None:
        folder.mkdir()
        clocks = RunningClocks()
        self.agent_id = agent_id
        self.uplink = uplink
        self.log = KeptLog()
        self.outbox = Outbox(open_spool(folder), encode_batch, clocks)
        self.pump = Pump(uplink, self.outbox, self, self.log, clocks, Random(3), sleep=nap)
        self.recorded = 0
        self._measures = True

    def hello(self, unacknowledged: Ranges) -> Hello:
        """Introduces the agent."""
        spool_id = self.outbox.spool_id
        return Hello(self.agent_id, "boot", spool_id, "0", "", NOW_US, unacknowledged, ())

    def heartbeat(self, round_trip_us: int) -> Heartbeat:
        """A sign of life."""
        return Heartbeat(NOW_US, 0, 0, 0, 0, 0, True, "", self.outbox.dropped, 0, "", round_trip_us)

    async def assign(self, assignment: Assignment) -> None:
        """Measures what it measures anyway."""

    def hasten(self, order: ProbeNow) -> None:
        """Measures no faster."""

    async def explain(self, order: Explain) -> tuple[Evidence, ...]:
        """Knows nothing."""
        return ()

    async def measure(self) -> None:
        """Records batches until it is told to stop."""
        while self._measures:
            if self.outbox.state.results < MOST_UNSENT:
                await self.outbox.append([result()] * 5)
                self.recorded += 5
            await asyncio.sleep(0.002)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Sender"]:
        """Measures and sends."""
        measuring = asyncio.create_task(self.measure())
        sending = asyncio.create_task(self.pump.run())
        try:
            yield self
            self._measures = False
            await measuring
            async with asyncio.timeout(60):
                await self.pump.drained()
        finally:
            for task in (measuring, sending):
                task.cancel()
            await asyncio.gather(measuring, sending, return_exceptions=True)
            await self.uplink.close()
            await self.outbox.close()
