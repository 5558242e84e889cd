"""The DuckDB store: results a second by size of transaction, and what questions cost at a million results."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from faultline_collector.fleet import Agent, Fleet
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores.duckdb import DuckdbStore
from faultline_collector.stores.store import ReceivedRange, ResultQuery
from faultline_collector.stores.summary import SummaryQuery
from tests.bench.rows import Row

AGENTS, TARGETS = 36, 100
SECOND_US = 1_000_000
BEGIN_US = 1_795_305_600_000_000  # a midnight, UTC
APART_US = 500
GROUPS = {1_000: 20, 10_000: 13, 50_000: 17}
"""Transactions by their size: a million results in all."""

EVER = ResultQuery(0, 2**61)
FLEET = Fleet(agents=tuple(Agent(f"agent-{i}", f"region-{i // 3}", "IN", 55836) for i in range(AGENTS)))
FIVE_MINUTES = SummaryQuery(
    BEGIN_US,
    BEGIN_US + 86_400 * SECOND_US,
    300 * SECOND_US,
    {f"target-{i}": f"service-{i // 10}" for i in range(TARGETS)},
    by_region=True,
)


def batch(first: int, size: int) -> tuple[ResultBatch, list[ReceivedRange]]:
    """Results first, first + 1, ... of the whole fleet, dealt out to the agents in turn."""
    random = np.random.default_rng(first)
    number = np.arange(first, first + size)
    started = BEGIN_US + number * APART_US
    failed = random.random(size) < 0.03
    sources = tuple(Source(f"agent-{i}", f"spool-{i}") for i in range(AGENTS))
    sequence = number // AGENTS + 1
    results = ResultBatch(
        sources=sources,
        source=(number % AGENTS).astype(np.int32),
        target_ids=tuple(f"target-{i}" for i in range(TARGETS)),
        target=random.integers(0, TARGETS, size).astype(np.int32),
        sequence=sequence.astype(np.uint64),
        started_us=started,
        offset_us=np.zeros(size, np.int64),
        received_us=started // SECOND_US * SECOND_US + 2 * SECOND_US,
        attempt=np.zeros(size, np.uint8),
        outcome=np.where(failed, 3, 1).astype(np.uint8),
        status=np.where(failed, 0, 200).astype(np.uint16),
        family=np.full(size, 4, np.uint8),
        flags=np.zeros(size, np.uint8),
        timings_us={
            name: random.integers(0, 200_000, size).astype(np.int32)
            for name in ("dns", "connect", "tls", "first_byte", "total")
        },
        details=("connection refused",),
        detail=np.where(failed, 0, -1).astype(np.int32),
    )
    ranges = [
        ReceivedRange(source, int(own[0]), int(own[-1]))
        for i, source in enumerate(sources)
        if len(own := sequence[number % AGENTS == i])
    ]
    return results, ranges


def run() -> list[Row]:
    """All figures; about half a minute."""
    with TemporaryDirectory(dir="build" if Path("build").is_dir() else None) as folder:
        path = Path(folder) / "results.duckdb"
        with closing(DuckdbStore(path)) as store:
            return [*_appends(store), *_questions(store), *_file(store, path)]


def _appends(store: DuckdbStore) -> Iterator[Row]:
    first = 0
    for size, times in GROUPS.items():
        batches = [batch(first + i * size, size) for i in range(times)]
        first += size * times
        begin = time.perf_counter()
        for results, ranges in batches:
            store.append(results, ranges, FLEET)
        taken = time.perf_counter() - begin
        yield Row(name=f"append.{size}", value=round(size * times / taken), unit="results/s")


def _questions(store: DuckdbStore) -> Iterator[Row]:
    total = sum(size * times for size, times in GROUPS.items())
    yield Row(name="results", value=total, unit="results")
    yield _timed("availability", lambda: store.summary(FIVE_MINUTES))
    yield _timed("latest", lambda: list(store.results(ResultQuery(0, 2**61, latest=True))))
    yield _timed(
        "last_1000", lambda: list(store.results(ResultQuery(0, 2**61, newest_first=True, limit=1000)))
    )
    begin = time.perf_counter()
    streamed = sum(len(page) for page in store.results(EVER))
    rate = streamed / (time.perf_counter() - begin)
    yield Row(name="stream", value=round(rate), unit="results/s")


def _timed(name: str, ask: Callable[[], object]) -> Row:
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        ask()
        best = min(best, time.perf_counter() - begin)
    return Row(name=f"{name}", value=round(best * 1000, 1), unit="ms, best of 3")


def _file(store: DuckdbStore, path: Path) -> Iterator[Row]:
    number = sum(held.count() for held in store.received().values())
    store.close()
    yield Row(name="size", value=round(path.stat().st_size / number, 1), unit="bytes/result")
    begin = time.perf_counter()
    DuckdbStore(path).close()
    yield Row(name="open", value=round((time.perf_counter() - begin) * 1000, 1), unit="ms")
