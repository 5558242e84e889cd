"""Results from the wire into DuckDB and into InfluxDB: CPU a result, of ours and of influxd; sizes, memory.

Batches are decoded, admitted and appended as the collector does it, in one process without the network; its
CPU counts all threads, for InfluxDB everything until influxd has answered. Roll-ups are folded apart.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.store import ReceivedRange, Store
from tests.bench.ingest import IDS, encoded, measured, stamped
from tests.bench.rows import Row
from tests.collector.stores.influxdb.buckets import new_store_url
from tests.servers.influxdb import Influxd, influxd_program

AGENTS, SIZE, GROUPS = 20, 1_000, 15
NUMBER = AGENTS * SIZE * GROUPS
_DEADLINE_S = 300
FLEET = Fleet(
    agents=tuple(Agent(f"agent-{i}", f"region-{i // 3}", "IN", 64_500 + i % 4) for i in range(AGENTS)),
    targets=tuple(Target(name, name[:10], "web", "cdn", "http", 1.0) for name in IDS),
)


def run() -> list[Row]:
    """Both in one run; a minute or two."""
    program = influxd_program()
    with TemporaryDirectory(prefix="faultline-bench-") as folder:
        place = Path(folder)
        groups = _groups()
        duckdb_us, duckdb_fold_us, _ = _filled(open_store(f"duckdb://{place}/results.duckdb"), groups)
        with _running(program, place / "influxd") as influxd:
            process = psutil.Process(influxd.pid)
            rest_mb = process.memory_info().rss / 1e6
            store = _opened(influxd, place)
            used = sum(process.cpu_times()[:2])
            ours_us, fold_us, took_s = _filled(store, groups)
            theirs_us = (sum(process.cpu_times()[:2]) - used) / NUMBER * 1e6
            grown_mb = process.memory_info().rss / 1e6 - rest_mb
            disk = sum(file.stat().st_size for file in (place / "influxd").rglob("*") if file.is_file())
    return [
        _beside("cpu", duckdb_us, "us/result, duckdb"),
        _beside("cpu", ours_us, "us/result, influxdb", "influxd", theirs_us),
        _beside("per_core", 1e6 / duckdb_us, "results/CPU-s, duckdb"),
        _beside("per_core", 1e6 / ours_us, "results/CPU-s, influxdb", "influxd", 1e6 / theirs_us),
        _beside("drained", NUMBER / took_s, "results/s, influxdb"),
        _beside("fold", duckdb_fold_us, "us/result, duckdb"),
        _beside("fold", fold_us, "us/result, influxdb"),
        _beside("disk", disk / NUMBER, "bytes/result, influxdb with roll-ups and write-ahead log"),
        _beside("memory", rest_mb, "MB of influxd at rest"),
        _beside("memory", grown_mb * 1e3 / (AGENTS * len(IDS)), "kB of influxd a series, caches included"),
    ]


def _beside(name: str, value: float, unit: str, peer: str = "", peer_value: float = 0.0) -> Row:
    row = Row(name=f"{name} {unit.rpartition(', ')[2]}", value=round(value, 2), unit=unit.partition(", ")[0])
    if peer:
        row |= {"peer": peer, "peer_value": round(peer_value, 2), "ratio": round(value / peer_value, 2)}
    return row


def _groups() -> list[list[bytes]]:
    """For each append, a message of every agent."""
    random = Random("influx")
    timings = [measured(SIZE, random) for _ in range(5)]
    return [
        [encoded(group * SIZE + 1, SIZE, random.choice(timings), random) for _ in range(AGENTS)]
        for group in range(GROUPS)
    ]


def _filled(store: Store, groups: list[list[bytes]]) -> tuple[float, float, float]:
    """Appends all, waits for InfluxDB; microseconds of CPU a result, of roll-ups too, and seconds."""
    targets = frozenset(IDS)
    used, began = time.process_time(), time.perf_counter()
    for group in groups:
        claims = [_claim(f"agent-{i}", message, targets) for i, message in enumerate(group)]
        ranges = [ReceivedRange(c.arrival.source, *run) for c in claims for run in c.missing]
        store.append(read(claims).results, ranges, FLEET)
    _await_sent(store)
    taken, appended = time.perf_counter() - began, time.process_time()
    while store.upkeep(0, 0).more:
        pass
    folded = time.process_time()
    store.close()
    return (appended - used) / NUMBER * 1e6, (folded - appended) / NUMBER * 1e6, taken


def _claim(agent: str, message: bytes, targets: frozenset[str]) -> Claim:
    batch = session_pb2.AgentMessage.FromString(stamped(message)).batch
    arrival = Arrival(batch, Source(agent, "spool"), 0, time.time_ns() // 1000)
    missing = Ranges([(batch.first_sequence, batch.first_sequence + batch.count - 1)])
    return Claim(arrival, missing, targets)


def _await_sent(store: Store) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while isinstance(store, InfluxdbStore) and store.standing().waiting_results:
        assert time.monotonic() < deadline, store.standing().problem
        time.sleep(0.05)


@contextmanager
def _running(program: Path, folder: Path) -> Iterator[Influxd]:
    influxd = Influxd(program, folder)
    with ExitStack() as stack:
        stack.callback(influxd.kill)
        influxd.set_up()
        yield influxd


def _opened(influxd: Influxd, place: Path) -> Store:
    token = place / "token"
    token.write_text(influxd.token)
    return open_store(new_store_url(influxd.organisation), StoreOptions(token, place / "outbox"))
