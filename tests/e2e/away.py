"""InfluxDB away while a fleet's results come in, and what happens when it is back."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import numpy as np

from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.store import ReceivedRange, Store
from tests.e2e.accounts import Account, Held, account, in_influxdb
from tests.servers.influxdb import Influxd

AGENTS, TARGETS = 100, 10
RATE = AGENTS * TARGETS
"""Results of the whole fleet in a second: each agent probes each target."""

SECOND_US = 1_000_000
_TIMINGS = ("dns", "connect", "tls", "first_byte", "total")
_BACK_S = 1200.0
_POLL_S = 0.2

SOURCES = tuple(Source(f"agent-{i:03}", f"spool-{i:03}") for i in range(AGENTS))
FLEET = Fleet(
    agents=tuple(
        Agent(source.agent_id, f"region-{i // 10}", "IN", 55836 + i % 3) for i, source in enumerate(SOURCES)
    ),
    targets=tuple(Target(f"target-{i}", f"service-{i}", "web", "cdn", "http", 1.0) for i in range(TARGETS)),
)


class LiveLoad:
    """Appends the fleet's results of each second, once a second, in a thread of its own."""

    def __init__(self, store: Store, first: int, began_us: int) -> None:
        self.seconds = 0
        self._store = store
        self._first = first
        self._began_us = began_us
        self._ended = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "LiveLoad":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(max(0.0, began + self.seconds - time.monotonic())):
            self._store.append(*second(self._first + self.seconds, self._began_us), FLEET)
            self.seconds += 1


@dataclass(slots=True)
class Seen:
    """What was seen: results while away, seconds it took to catch up, and the account of all."""

    away_results: int
    drained_s: float = 0.0
    problem: str = ""
    total: Account = field(default_factory=Account)

    @property
    def drain_rate(self) -> float:
        """Results a second that went to InfluxDB beside the live ones."""
        return self.away_results / self.drained_s


def second(number: int, began_us: int) -> tuple[ResultBatch, list[ReceivedRange]]:
    """All results of one second of the fleet, the first is number 0."""
    source = np.repeat(np.arange(AGENTS, dtype=np.int32), TARGETS)
    target = np.tile(np.arange(TARGETS, dtype=np.int32), AGENTS)
    first = number * TARGETS + 1
    started = began_us + number * SECOND_US + np.arange(RATE) * (SECOND_US // RATE)
    failed = (np.arange(RATE) * 7919 + number) % 100 < 3
    results = ResultBatch(
        sources=SOURCES,
        source=source,
        target_ids=tuple(target.id for target in FLEET.targets),
        target=target,
        sequence=(first + target).astype(np.uint64),
        started_us=started,
        offset_us=np.zeros(RATE, np.int64),
        received_us=started + SECOND_US,
        attempt=np.zeros(RATE, np.uint8),
        outcome=np.where(failed, 3, 1).astype(np.uint8),
        status=np.where(failed, 0, 200).astype(np.uint16),
        family=np.full(RATE, 4, np.uint8),
        flags=np.zeros(RATE, np.uint8),
        timings_us={name: ((started + i) % 200_000).astype(np.int32) for i, name in enumerate(_TIMINGS)},
        details=("connection refused",),
        detail=np.where(failed, 0, -1).astype(np.int32),
    )
    return results, [ReceivedRange(each, first, first + TARGETS - 1) for each in SOURCES]


def run_away(server: Influxd, folder: Path, seconds: int, progress: Callable[[str], None]) -> Seen:
    """influxd is killed; so many seconds of load come in no time; it is back, and live load goes on."""
    began_us = (time.time_ns() // 1000 // SECOND_US - seconds) * SECOND_US
    seen = Seen(away_results=seconds * RATE)
    with closing(_opened(server, folder)) as store:
        server.kill()
        for number in range(seconds):
            store.append(*second(number, began_us), FLEET)
            if number % 600 == 599:
                progress(f"{number + 1} of {seconds} s of load while InfluxDB is away")
        seen.problem = await_problem(store)
        server.start()
        with LiveLoad(store, seconds, began_us) as live:
            seen.drained_s = await_sent(store, 2 * RATE)
        await_sent(store, 0)
        progress(f"{seen.away_results} results, {seen.drain_rate:.0f} a second beside {RATE} live ones")
        rows = in_influxdb(server.url, server.org, server.bucket, server.token)
        last = (seconds + live.seconds) * TARGETS
        seen.total = account(rows, store.ledger(), [Held(source, last) for source in SOURCES])
    return seen


def _opened(server: Influxd, folder: Path) -> InfluxdbStore:
    place = f"influxdb://{server.url.removeprefix('http://')}/{server.org}/{server.bucket}"
    store = open_store(place, StoreOptions(token_file=server.token_file, outbox=folder / "outbox"))
    assert isinstance(store, InfluxdbStore)
    return store


def await_problem(store: InfluxdbStore) -> str:
    """Waits until the store says what is wrong; gives its sentence."""
    began = time.monotonic()
    while not (problem := store.standing().problem):
        assert time.monotonic() - began < _BACK_S, "the store says nothing"
        time.sleep(_POLL_S)
    return problem


def await_sent(store: InfluxdbStore, most: int) -> float:
    """Waits until no more than so many results wait for InfluxDB; gives the seconds it took."""
    began = time.monotonic()
    while (waiting := store.standing().waiting_results) > most:
        assert time.monotonic() - began < _BACK_S, f"{waiting} results still wait: {store.standing().problem}"
        time.sleep(_POLL_S)
    return time.monotonic() - began
