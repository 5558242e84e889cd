"""Results from the wire into DuckDB and into InfluxDB: CPU a result, of ours and of influxd; sizes, memory.

Batches are decoded, admitted and appended as the collector does it, in one process without the network; its
CPU counts all threads, for InfluxDB everything until influxd has answered. Roll-ups are folded apart.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psutil

from faultline.ranges import Ranges
from faultline.v1 import session_pb2
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.ingest.decode import Arrival
from faultline_collector.ingest.reading import Claim, read
from faultline_collector.results import Source
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.outbox import Outbox
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.rollups import HOUR_US
from faultline_collector.stores.store import ReceivedRange, Store
from tests.bench.ingest import IDS, encoded, measured, stamped
from tests.bench.rows import Row
from tests.collector.stores.influxdb.buckets import address_of, new_store_url
from tests.servers.influxdb import Influxd, influxd_program

AGENTS, SIZE, GROUPS = 20, 1_000, 15
NUMBER = AGENTS * SIZE * GROUPS
_DEADLINE_S = 300
FLEET = Fleet(
    agents=tuple(Agent(f"agent-{i}", f"region-{i // 3}", "IN", 64_500 + i % 4) for i in range(AGENTS)),
    targets=tuple(Target(name, name[:10], "web", "cdn", "http", 1.0) for name in IDS),
)


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU a result in microseconds: ours and influxd's, until stored and for roll-ups; results a second."""

    ours_us: float
    theirs_us: float
    fold_us: float
    theirs_fold_us: float
    rate: float


def run() -> list[Row]:
    """Both in one run; a minute or two."""
    program = influxd_program()
    with TemporaryDirectory(prefix="faultline-bench-") as folder:
        place = Path(folder)
        groups = _groups()
        duckdb = _filled(open_store(f"duckdb://{place}/results.duckdb"), groups, lambda: 0.0)
        with running(program, place / "influxd") as influxd:
            process = psutil.Process(influxd.pid)
            rest_mb = process.memory_info().rss / 1e6
            influx = _filled(_opened(influxd, place), groups, lambda: sum(process.cpu_times()[:2]))
            grown_mb = process.memory_info().rss / 1e6 - rest_mb
            disk = sum(file.stat().st_size for file in (place / "influxd").rglob("*") if file.is_file())
    return [
        _row("duckdb.cpu", duckdb.ours_us, "us/result"),
        _row("influxdb.cpu", influx.ours_us, "us/result", influx.theirs_us),
        _row("duckdb.per_core", 1e6 / duckdb.ours_us, "results/CPU-s"),
        _row("influxdb.per_core", 1e6 / influx.ours_us, "results/CPU-s", 1e6 / influx.theirs_us),
        _row("influxdb.rate", influx.rate, "results/s"),
        _row("duckdb.fold", duckdb.fold_us, "us/result"),
        _row("influxdb.fold", influx.fold_us, "us/result", influx.theirs_fold_us),
        _row("influxdb.disk", disk / NUMBER, "bytes/result, with roll-ups and write-ahead log"),
        _row("influxdb.rest", rest_mb, "MB of influxd at rest"),
        _row("influxdb.series", grown_mb * 1e3 / (AGENTS * len(IDS)), "kB of influxd a pair, with roll-ups"),
    ]


def _row(name: str, value: float, unit: str, influxd: float | None = None) -> Row:
    row = Row(name=name, value=round(value, 2), unit=unit)
    if influxd:
        row |= {"peer": "influxd", "peer_value": round(influxd, 2), "ratio": round(value / influxd, 2)}
    return row


def _groups() -> list[list[bytes]]:
    """For each append, a message of every agent."""
    random = Random("influx")
    timings = [measured(SIZE, random) for _ in range(5)]
    return [
        [encoded(group * SIZE + 1, SIZE, random.choice(timings), random) for _ in range(AGENTS)]
        for group in range(GROUPS)
    ]


def _filled(store: Store, groups: list[list[bytes]], theirs: Callable[[], float]) -> Costs:
    """Appends all and waits for InfluxDB; the first group, which makes the series, is not counted."""
    _append(store, groups[:1])
    _fold(store)
    number = (len(groups) - 1) * AGENTS * SIZE
    marks = [(time.process_time(), theirs(), time.perf_counter())]
    _append(store, groups[1:])
    marks.append((time.process_time(), theirs(), time.perf_counter()))
    _fold(store)
    marks.append((time.process_time(), theirs(), time.perf_counter()))
    store.close()
    (ours, theirs_cpu, began), (ours_1, theirs_1, ended), (ours_2, theirs_2, _) = marks
    each = 1e6 / number
    return Costs(
        (ours_1 - ours) * each,
        (theirs_1 - theirs_cpu) * each,
        (ours_2 - ours_1) * each,
        (theirs_2 - theirs_1) * each,
        number / (ended - began),
    )


def _append(store: Store, groups: list[list[bytes]]) -> None:
    targets = frozenset(IDS)
    for group in groups:
        claims = [_claim(f"agent-{i}", message, targets) for i, message in enumerate(group)]
        ranges = [ReceivedRange(c.arrival.source, *run) for c in claims for run in c.missing]
        store.append(read(claims).results, ranges, FLEET)
    await_sent(store)


def _fold(store: Store) -> None:
    while store.upkeep(0, 0).more:
        pass


def _claim(agent: str, message: bytes, targets: frozenset[str]) -> Claim:
    batch = session_pb2.AgentMessage.FromString(stamped(message)).batch
    arrival = Arrival(batch, Source(agent, "spool"), 0, time.time_ns() // 1000)
    missing = Ranges([(batch.first_sequence, batch.first_sequence + batch.count - 1)])
    return Claim(arrival, missing, targets)


def await_sent(store: Store) -> None:
    """Waits until InfluxDB has everything; any other store has."""
    deadline = time.monotonic() + _DEADLINE_S
    while isinstance(store, InfluxdbStore) and store.standing().waiting_results:
        assert time.monotonic() < deadline, store.standing().problem
        time.sleep(0.05)


@contextmanager
def running(program: Path, folder: Path) -> Iterator[Influxd]:
    """A fresh influxd with its data in a folder, killed at the end."""
    influxd = Influxd(program, folder)
    with ExitStack() as stack:
        stack.callback(influxd.kill)
        influxd.set_up()
        yield influxd


def _opened(influxd: Influxd, place: Path) -> Store:
    """A store by whose clock all that is measured has ended, so that upkeep writes its roll-ups."""
    outbox = place / "outbox"
    server = Server(address_of(new_store_url(influxd.organisation)), lambda: influxd.token)
    letters = DeadLetters(outbox / "refused.jsonl")
    return InfluxdbStore(server, Outbox(outbox), letters, lambda: time.time_ns() // 1000 + HOUR_US)
