"""The collector's program: every part in the order of the data's way, one task group, one end."""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from faultline_collector.api.board import Board
from faultline_collector.api.health import Health
from faultline_collector.api.history import History
from faultline_collector.api.query import QueryServicer
from faultline_collector.api.web import web_app
from faultline_collector.attendance import Attendance
from faultline_collector.config import CollectorConfig
from faultline_collector.correlate.detector import Detector
from faultline_collector.ingest.desk import Desk
from faultline_collector.ingest.identity import Tokens
from faultline_collector.ingest.intake import Intake
from faultline_collector.ingest.ledger import Ledger
from faultline_collector.ingest.reception import Reception
from faultline_collector.ingest.server import AgentsServicer, Server
from faultline_collector.ingest.writer import Writer
from faultline_collector.inquiry.errands import Errands
from faultline_collector.judge import Judge
from faultline_collector.listening import WebServer
from faultline_collector.metrics import Metrics
from faultline_collector.mqtt.brokered import open_brokered
from faultline_collector.notify.office import open_courier
from faultline_collector.presence import Presences
from faultline_collector.program import Program, now_us
from faultline_collector.registry.registry import Registry
from faultline_collector.roster import Roster
from faultline_collector.store_watch import StoreWatch
from faultline_collector.stores import open_store
from faultline_collector.stores.remote import RemoteStore
from faultline_collector.stores.store import Store


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
        store = open_store(config.store, config.store_options())
        opened.callback(store.close)
        await build(config, path, store, registry).run(stop, again, announce)


def build(config: CollectorConfig, path: Path, store: Store, registry: Registry) -> Program:
    """Puts the parts together; nothing runs yet."""
    metrics, presences, health, fleet = Metrics(), Presences(), Health(), registry.fleet()
    board = Board(metrics)
    detector = Detector(fleet, config.correlation)
    judge = Judge(detector, fleet, registry, board, presences, metrics)
    if isinstance(store, RemoteStore):
        judge.kept.append(store.note_outages)
    errands = Errands(fleet, config.correlation.hold_s, registry, presences, metrics, now_us, board.renew)
    judge.taken.append(errands.take)
    writer = Writer(store, judge.take, metrics, fleet)
    ledger = Ledger(store.received())
    known = version("faultline-collector")
    desk = Desk(ledger, writer, judge, presences, metrics, now_us, known, evidence=errands.take_evidence)
    intake = Intake(desk, fleet)
    judge.judged.append(lambda outages, at_us: errands.look(outages, intake.order, at_us))
    tokens = Tokens(registry.authenticate, time.monotonic)
    roster = Roster(registry, config, path, fleet)
    roster.changed += [writer.refit, intake.refit, judge.refit, errands.refit, lambda _: tokens.forget()]
    courier = open_courier(registry, roster, metrics, now_us)
    history = History(board, store, registry, weights=lambda: roster.config.region_weights())
    reception = Reception(intake, metrics, roster.refresh)
    brokered = open_brokered(config.broker, reception, lambda: board.shown, metrics)
    agents = AgentsServicer(reception, tokens)
    server = Server(agents, [QueryServicer(board, history).register])
    web = WebServer(web_app(board, history, metrics, health), config.listen.web)
    return Program(
        store,
        registry,
        health,
        board,
        detector,
        judge,
        errands,
        writer,
        intake,
        roster,
        Attendance(registry, presences),
        server,
        web,
        brokered,
        courier,
        StoreWatch(store, health, metrics),
    )
