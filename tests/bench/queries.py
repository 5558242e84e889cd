"""What every question about 30 days costs at one and at ten million results: p50 and p95 of repeated asking.

`python -m tests.bench.queries URL [RESULTS]` measures any store that is empty, by its URL.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from faultline_collector.fleet import Agent, Fleet
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores import open_store
from faultline_collector.stores.store import ReceivedRange, ResultQuery, Store
from faultline_collector.stores.summary import SummaryQuery
from tests.bench.rows import Row

SIZES = {"1m": 1_000_000, "10m": 10_000_000}
TIMES = 9
AGENTS, REGIONS, TARGETS = 36, 12, 10
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
GROUP = 50_000

END_US = time.time_ns() // 1000 // DAY_US * DAY_US
BEGIN_US = END_US - 30 * DAY_US
"""A store may keep time by the clock, so the days are the last ones."""

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
        timings_us={
            name: random.lognormal(10 + i / 3, 0.4, size).astype(np.int32)
            for i, name in enumerate(("dns", "connect", "tls", "first_byte", "total"))
        },
    )
    ranges = [
        ReceivedRange(source, int(own[0]), int(own[-1]))
        for i, source in enumerate(sources)
        if len(own := sequence[number % AGENTS == i])
    ]
    return results, ranges


def fill(store: Store, number: int) -> None:
    """Appends and folds all."""
    for first in range(0, number, GROUP):
        store.append(*batch(first, min(GROUP, number - first), number), FLEET)
        store.upkeep(0, 0)
    while store.upkeep(0, 0).more:
        pass


def measured(store: Store, name: str) -> Iterator[Row]:
    """p50 and p95 of every question, in milliseconds."""
    asks: dict[str, Callable[[], object]] = {}
    for what, query in SUMMARIES.items():
        asks[what] = partial(store.summary, query)
    for what, selected in RESULTS.items():
        asks[what] = partial(_read_all, store, selected)
    for what, ask in asks.items():
        taken = sorted(_timed_ms(ask) for _ in range(TIMES))
        yield Row(name=f"{name}.{what}.p50", value=round(taken[TIMES // 2], 1), unit="ms")
        yield Row(name=f"{name}.{what}.p95", value=round(taken[-1], 1), unit="ms")


def _read_all(store: Store, query: ResultQuery) -> int:
    return sum(map(len, store.results(query)))


def _timed_ms(ask: Callable[[], object]) -> float:
    begin = time.perf_counter()
    ask()
    return (time.perf_counter() - begin) * 1000


def run() -> list[Row]:
    """DuckDB at every size; some minutes."""
    found: list[Row] = []
    for size, number in SIZES.items():
        with TemporaryDirectory(dir="build" if Path("build").is_dir() else None) as folder:
            path = Path(folder) / "results.duckdb"
            with closing(open_store(f"duckdb://{path}")) as store:
                begin = time.perf_counter()
                fill(store, number)
                rate = number / (time.perf_counter() - begin)
                found.append(Row(name=f"duckdb.{size}.append and fold", value=round(rate), unit="results/s"))
                found += measured(store, f"duckdb.{size}")
            bytes_each = path.stat().st_size / number
            found.append(Row(name=f"duckdb.{size}.file", value=round(bytes_each, 1), unit="bytes/result"))
    return found


if __name__ == "__main__":
    with closing(open_store(sys.argv[1])) as opened:
        fill(opened, int(sys.argv[2]) if len(sys.argv) > 2 else SIZES["1m"])
        for row in measured(opened, sys.argv[1].partition("://")[0]):
            print(json.dumps(row))
