"""A collector at work: what it takes up at the start, what runs side by side, and how it ends."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from faultline_collector.api.board import Board
from faultline_collector.api.health import Health
from faultline_collector.attendance import Attendance
from faultline_collector.config import TlsSettings
from faultline_collector.correlate.engine import Correlator
from faultline_collector.ingest.intake import Intake
from faultline_collector.ingest.server import Server, TlsFiles
from faultline_collector.ingest.writer import Writer
from faultline_collector.inquiry.errands import Errands
from faultline_collector.judge import Judge, every_second
from faultline_collector.listening import WebServer
from faultline_collector.mqtt.brokered import Brokered
from faultline_collector.notify.courier import Courier
from faultline_collector.rebuild import WINDOW_US, rebuild
from faultline_collector.registry.registry import Registry
from faultline_collector.retention import Kept, keep_up
from faultline_collector.roster import Roster
from faultline_collector.store_watch import StoreWatch
from faultline_collector.stores.store import Store

_GRACE_S = 1.0
_MOST_OUTAGES = 10_000
_COME_BACK_US = 45 * 1_000_000
_DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Program:
    """The parts that have to be started, watched and ended."""

    store: Store
    registry: Registry
    health: Health
    board: Board
    correlator: Correlator
    judge: Judge
    errands: Errands
    writer: Writer
    intake: Intake
    roster: Roster
    attendance: Attendance
    server: Server
    web: WebServer
    brokered: Brokered
    courier: Courier
    store_watch: StoreWatch

    async def run(self, stop: asyncio.Event, again: asyncio.Event, announce: Callable[[str], None]) -> None:
        """Takes up what was known, serves until `stop`, reads its configuration on `again`, ends in order."""
        await self._take_up()
        address = await self._listen()
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self.writer.run())
            tasks.create_task(self.web.run_until_stopped())
            endless = [
                tasks.create_task(every_second(self._tick, now_us, time.monotonic)),
                tasks.create_task(self.errands.run()),
                tasks.create_task(self.courier.run()),
                tasks.create_task(self.brokered.run()),
                tasks.create_task(self.roster.keep()),
                tasks.create_task(self.attendance.keep()),
                tasks.create_task(self.roster.reload_on(again)),
                tasks.create_task(keep_up(self.store, self._kept, now_us)),
            ]
            announce(f"ready agents={address} web={self.web.url}")
            try:
                await stop.wait()
            finally:
                await self._end(writing)
                for task in endless:
                    task.cancel()

    async def _take_up(self) -> None:
        self.attendance.restore()
        known = self.registry.outages(since_us=now_us() - WINDOW_US, limit=_MOST_OUTAGES)
        found = await asyncio.to_thread(rebuild, self.correlator, self.store, known, now_us())
        await self.judge.save(found.outages)
        self.judge.wait_for(found.agent_ids, now_us() + _COME_BACK_US)
        self.board.seed(self.registry.outages(since_us=now_us() - _DAY_US, limit=_MOST_OUTAGES))

    async def _listen(self) -> str:
        self.web.listen()
        listen = self.roster.config.listen
        return await self.server.start(
            listen.agents, _tls_files(listen.tls), plaintext_beyond_loopback=listen.plaintext_beyond_loopback
        )

    async def _tick(self, at_us: int) -> None:
        await self.judge.tick(at_us)
        self.health.ticked_us = self.judge.ticked_us
        self.health.store_problem = self.writer.problem
        self.health.broker_problem = self.brokered.problem
        self.store_watch.look()

    def _kept(self) -> Kept:
        retention = self.roster.config.retention
        return Kept(retention.raw, retention.rollups)

    async def _end(self, writing: asyncio.Task[None]) -> None:
        """Takes no more, stores what has come, and leaves the rest to be sent again."""
        self.board.close()
        self.web.stop()
        self.intake.drain()
        await asyncio.gather(self.server.stop(_GRACE_S), self.brokered.stop(_GRACE_S))
        self.writer.close()
        await asyncio.wait([writing], timeout=_GRACE_S)
        writing.cancel()
        await self.attendance.save()


def _tls_files(tls: TlsSettings | None) -> TlsFiles | None:
    return None if tls is None else TlsFiles(tls.certificate, tls.key, tls.client_authorities)


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000
