"""The collector's program: every part in order, one task group, one end."""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from faultline_collector.api.board import Board
from faultline_collector.api.health import Health
from faultline_collector.api.history import History
from faultline_collector.api.query import QueryServicer
from faultline_collector.api.web import web_app
from faultline_collector.config import CollectorConfig, TlsSettings
from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.ingest.desk import Desk
from faultline_collector.ingest.identity import Tokens
from faultline_collector.ingest.intake import Intake
from faultline_collector.ingest.ledger import Ledger
from faultline_collector.ingest.server import AgentsServicer, Server, TlsFiles
from faultline_collector.ingest.writer import Writer
from faultline_collector.judge import Judge, every_second
from faultline_collector.listening import WebServer
from faultline_collector.metrics import Metrics
from faultline_collector.presence import Presences
from faultline_collector.rebuild import rebuild
from faultline_collector.registry.registry import Registry
from faultline_collector.retention import expire_hourly
from faultline_collector.roster import Roster
from faultline_collector.stores import open_store
from faultline_collector.stores.store import Store

_GRACE_S = 1.0
_MOST_OUTAGES = 10_000
_COME_BACK_US = 45 * 1_000_000
_DAY_US = 24 * 3600 * 1_000_000


class Collector:
    """All parts of one collector, built in the order of the data's way."""

    def __init__(self, config: CollectorConfig, path: Path, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        fleet = registry.fleet()
        metrics, presences = Metrics(), Presences()
        self._health = Health()
        self._board = Board(metrics)
        self._detector = Detector(fleet, EngineSettings.model_validate(config.correlation))
        self._judge = Judge(self._detector, fleet, registry, self._board, presences, metrics)
        self._writer = Writer(store, self._judge.take, metrics)
        ledger = Ledger(store.received())
        desk = Desk(
            ledger, self._writer, self._judge, presences, metrics, now_us, version("faultline-collector")
        )
        self._intake = Intake(desk, fleet)
        tokens = Tokens(registry.authenticate, time.monotonic)
        self._roster = Roster(registry, config, path, fleet)
        self._roster.changed += [self._intake.refit, self._judge.refit, lambda _: tokens.forget()]
        agents = AgentsServicer(self._intake, tokens, metrics, self._roster.refresh)
        history = History(self._board, store, registry)
        self._server = Server(agents, [QueryServicer(self._board, history).register])
        self._web = WebServer(web_app(self._board, history, metrics, self._health), config.listen.web)

    async def run(self, stop: asyncio.Event, again: asyncio.Event, announce: Callable[[str], None]) -> None:
        """Takes up what was known, serves until `stop`, reads its configuration on `again`, ends in order."""
        await self._take_up()
        address = await self._listen()
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._writer.run())
            tasks.create_task(self._web.run_until_stopped())
            endless = [
                tasks.create_task(every_second(self._tick, now_us, time.monotonic)),
                tasks.create_task(self._roster.keep()),
                tasks.create_task(self._roster.reload_on(again)),
                tasks.create_task(expire_hourly(self._store, self._kept, now_us)),
            ]
            announce(f"ready agents={address} web={self._web.url}")
            try:
                await stop.wait()
            finally:
                await self._end(writing)
                for task in endless:
                    task.cancel()

    async def _take_up(self) -> None:
        known = self._registry.outages(open_only=True, limit=_MOST_OUTAGES)
        found = await asyncio.to_thread(rebuild, self._detector, self._store, known, now_us())
        await self._judge.save(found.outages)
        self._judge.wait_for(found.agent_ids, now_us() + _COME_BACK_US)
        self._board.seed(self._registry.outages(since_us=now_us() - _DAY_US, limit=_MOST_OUTAGES))

    async def _listen(self) -> str:
        self._web.listen()
        listen = self._roster.config.listen
        return await self._server.start(
            listen.agents, _tls_files(listen.tls), plaintext_beyond_loopback=listen.plaintext_beyond_loopback
        )

    async def _tick(self, at_us: int) -> None:
        await self._judge.tick(at_us)
        self._health.ticked_us = self._judge.ticked_us
        self._health.store_problem = self._writer.problem

    def _kept(self) -> timedelta:
        return self._roster.config.retention.raw

    async def _end(self, writing: asyncio.Task[None]) -> None:
        """Takes no more, stores what has come, and leaves the rest to be sent again."""
        self._board.close()
        self._web.stop()
        self._intake.drain()
        await self._server.stop(_GRACE_S)
        self._writer.close()
        await asyncio.wait([writing], timeout=_GRACE_S)
        writing.cancel()


async def serve(config: CollectorConfig, path: Path, announce: Callable[[str], None]) -> None:
    """Runs a collector until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    stop, again = asyncio.Event(), asyncio.Event()
    # The loop outlives this call: its handlers must hold nothing that holds the store.
    for number, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, again)):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    with ExitStack() as opened:
        registry = Registry(config.registry)
        opened.callback(registry.close)
        registry.apply(config)
        store = open_store(config.store)
        opened.callback(store.close)
        await Collector(config, path, store, registry).run(stop, again, announce)


def _tls_files(tls: TlsSettings | None) -> TlsFiles | None:
    return None if tls is None else TlsFiles(tls.certificate, tls.key, tls.client_authorities)


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000
