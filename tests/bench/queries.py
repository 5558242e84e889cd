"""What every question about 30 days costs at one and at ten million results, in DuckDB and in InfluxDB.

Single results are kept for the last 7 days, as by default; of the days before there are roll-ups. Results
have one timing. In InfluxDB those roll-ups are written as the collector would write them, but at once, for
to fold ten million results takes it an hour. `python -m tests.bench.queries RESULTS` measures another size.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from itertools import pairwise
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from faultline_collector.fleet import Agent, Fleet
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.answers import Kind
from faultline_collector.stores.influxdb.delivery import MOST_LINES
from faultline_collector.stores.influxdb.roles import Roles
from faultline_collector.stores.influxdb.rollup_points import Mark, cell_lines, with_roles
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.places import placed, places_of
from faultline_collector.stores.rollups import WIDTHS_US, fold
from faultline_collector.stores.store import ReceivedRange, ResultQuery, Store
from faultline_collector.stores.summary import SummaryQuery
from tests.bench.influx import await_sent, running
from tests.bench.rows import Row
from tests.collector.stores.influxdb.buckets import address_of, new_store_url, options
from tests.servers.influxdb import influxd_program

SIZES = {"1m": 1_000_000, "10m": 10_000_000}
TIMES = (5, 21)
"""So often every question is asked, at least and at most."""

MOST_MS = 5_000.0
RAW_DAYS = 7
AGENTS, REGIONS, TARGETS = 36, 12, 10
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
GROUP = 50_000

END_US = time.time_ns() // 1000 // DAY_US * DAY_US
BEGIN_US = END_US - 30 * DAY_US
"""A store may keep time by the clock, so the days are the last ones."""

RAW_FROM_US = END_US - RAW_DAYS * DAY_US

FLEET = Fleet(
    agents=tuple(Agent(f"agent-{i}", f"region-{i % REGIONS}", "IN", 1 + i // 4) for i in range(AGENTS))
)
ALL = dict.fromkeys((f"target-{i}" for i in range(TARGETS)), "all")
SERVICES = {f"target-{i}": f"service-{i // 2}" for i in range(TARGETS)}

SUMMARIES = {
    "availability by region, 5m of 30d": SummaryQuery(BEGIN_US, END_US, HOUR_US // 12, ALL, by_region=True),
    "availability by service, 1h of 30d": SummaryQuery(BEGIN_US, END_US, HOUR_US, SERVICES),
    "availability by service and region, 30d": SummaryQuery(BEGIN_US, END_US, 0, SERVICES, by_region=True),
    "availability by network, 1d of 30d": SummaryQuery(BEGIN_US, END_US, DAY_US, ALL, by_network=True),
    "availability by region, 1m of 1h": SummaryQuery(
        END_US - HOUR_US, END_US, 60 * SECOND_US, ALL, by_region=True
    ),
    "latency by region, 1h of 7d": SummaryQuery(
        END_US - 7 * DAY_US, END_US, HOUR_US, ALL, by_region=True, timing="total"
    ),
    "latency by service and region, 30d": SummaryQuery(
        BEGIN_US, END_US, 0, SERVICES, by_region=True, timing="total"
    ),
}
RESULTS = {
    "results, the last 1000": ResultQuery(BEGIN_US, END_US, newest_first=True, limit=1000),
    "results of one target, 1h": ResultQuery(END_US - HOUR_US, END_US, target_ids=frozenset({"target-3"})),
    "latest of each pair, 1h": ResultQuery(END_US - HOUR_US, END_US, latest=True),
}


def batch(first: int, size: int, of: int) -> tuple[ResultBatch, list[ReceivedRange]]:
    """Results first, first + 1, ... of `of` in 30 days: every agent probes every target in turn."""
    random = np.random.default_rng(first)
    number = np.arange(first, first + size)
    started = BEGIN_US + number * (30 * DAY_US // of)
    failed = random.random(size) < 0.01
    sources = tuple(Source(agent.id, "spool") for agent in FLEET.agents)
    sequence = number // AGENTS + 1
    results = ResultBatch(
        sources=sources,
        source=(number % AGENTS).astype(np.int32),
        target_ids=tuple(ALL),
        target=(number // AGENTS % TARGETS).astype(np.int32),
        sequence=sequence.astype(np.uint64),
        started_us=started,
        offset_us=np.zeros(size, np.int64),
        received_us=started + 2 * SECOND_US,
        attempt=np.zeros(size, np.uint8),
        outcome=np.where(failed, 3, 1).astype(np.uint8),
        status=np.where(failed, 0, 200).astype(np.uint16),
        family=np.full(size, 4, np.uint8),
        flags=np.zeros(size, np.uint8),
        timings_us={"total": random.lognormal(11.7, 0.4, size).astype(np.int32)},
    )
    ranges = [
        ReceivedRange(source, int(own[0]), int(own[-1]))
        for i, source in enumerate(sources)
        if len(own := sequence[number % AGENTS == i])
    ]
    return results, ranges


def fill(store: Store, number: int, first: int = 0) -> None:
    """Appends and folds all from `first` on; forgets results that are older than `RAW_FROM_US`."""
    for at in range(first, number, GROUP):
        store.append(*batch(at, min(GROUP, number - at), number), FLEET)
        store.upkeep(0, 0)
    while store.upkeep(RAW_FROM_US, 0).more:
        pass


def write_cells(server: Server, number: int) -> int:
    """Writes the cells of the days before `RAW_FROM_US`; gives how many results they count."""
    apart_us, roles = 30 * DAY_US // number, Roles().of(FLEET, tuple(ALL))
    begins = [-(-day * DAY_US // apart_us) for day in range(30 - RAW_DAYS + 1)]
    for at, until in pairwise(begins):
        results, _ = batch(at, until - at, number)
        own = with_roles(placed(results, places_of(FLEET)), roles)
        for width_us in WIDTHS_US:
            lines = cell_lines(fold(own, width_us), Mark("bench", 0)).splitlines(keepends=True)
            for first in range(0, len(lines), MOST_LINES):
                answer = server.write(server.address.rollups, [b"".join(lines[first : first + MOST_LINES])])
                assert answer.kind is Kind.TAKEN, answer
    return begins[-1]


def measured(store: Store, name: str) -> Iterator[Row]:
    """p50 and p95 of every question, in milliseconds."""
    asks: dict[str, Callable[[], object]] = {}
    for what, query in SUMMARIES.items():
        asks[what] = partial(store.summary, query)
    for what, selected in RESULTS.items():
        asks[what] = partial(_read_all, store, selected)
    for what, ask in asks.items():
        taken = _taken_ms(ask)
        yield Row(name=f"{name}.{what}.p50", value=round(taken[len(taken) // 2], 1), unit="ms")
        yield Row(name=f"{name}.{what}.p95", value=round(taken[ceil(0.95 * len(taken)) - 1], 1), unit="ms")


def _taken_ms(ask: Callable[[], object]) -> list[float]:
    """How long it took each time, in order: as often as fits into some seconds."""
    taken: list[float] = []
    while len(taken) < TIMES[0] or (len(taken) < TIMES[1] and sum(taken) < MOST_MS):
        begin = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begin) * 1000)
    return sorted(taken)


def _read_all(store: Store, query: ResultQuery) -> int:
    return sum(map(len, store.results(query)))


def _complete(store: Store, number: int) -> None:
    """A figure of a store that has not all of it is none."""
    found = store.summary(SUMMARIES["availability by service and region, 30d"])
    counted = found.outcomes.sum()
    assert counted == number, f"{counted} of {number} results"


@contextmanager
def _duckdb(number: int) -> Iterator[Store]:
    with TemporaryDirectory(dir="build" if Path("build").is_dir() else None) as folder:
        with closing(open_store(f"duckdb://{folder}/results.duckdb")) as store:
            fill(store, number)
            yield store


@contextmanager
def _influxdb(number: int) -> Iterator[Store]:
    with TemporaryDirectory(prefix="faultline-bench-") as folder:
        with running(influxd_program(), Path(folder) / "influxd") as influxd:
            url = new_store_url(influxd.organisation)
            with closing(Server(address_of(url), lambda: influxd.token)) as server:
                first = write_cells(server, number)
            with closing(open_store(url, options(influxd.organisation, Path(folder)))) as store:
                fill(store, number, first)
                await_sent(store)
                yield store


STORES = {"duckdb": _duckdb, "influxdb": _influxdb}


def run(sizes: Mapping[str, int] = SIZES) -> list[Row]:
    """Both stores at every size; ten minutes."""
    found: list[Row] = []
    for size, number in sizes.items():
        for name, filled in STORES.items():
            begin = time.perf_counter()
            with filled(number) as store:
                _complete(store, number)
                taken_s = time.perf_counter() - begin
                found.append(Row(name=f"{name}.{size}.filled", value=round(taken_s), unit="s"))
                found += measured(store, f"{name}.{size}")
    return found


if __name__ == "__main__":
    for row in run({argument: int(argument) for argument in sys.argv[1:]} or SIZES):
        print(json.dumps(row))
