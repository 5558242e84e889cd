"""Roll-ups in a DuckDB file: steps, days that close, rebuilding, crashes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import duckdb
import numpy as np
import pytest

from faultline_collector.results import ResultBatch, Source, concatenate
from faultline_collector.stores.daily import packs
from faultline_collector.stores.daily.folding import STEP_RESULTS, Folded, State, read_state
from faultline_collector.stores.duckdb import DuckdbStore
from faultline_collector.stores.order import MINUTE_US
from faultline_collector.stores.rollups import HOUR_US
from faultline_collector.stores.store import ReceivedRange
from faultline_collector.stores.summary import SummaryQuery
from tests.collector.stores.conftest import AFTER_ALL_US
from tests.collector.stores.rows import (
    ALL,
    DAY_US,
    FLEET,
    NOON_US,
    Row,
    found,
    kept_up,
    many,
    put,
)

SOURCE = Source("in-west-1", "s1")
TODAY = NOON_US // DAY_US
EVERYTHING = SummaryQuery(
    NOON_US - 9 * DAY_US, NOON_US + 9 * DAY_US, HOUR_US,
    {"twitter-web": "twitter", "bank": "bank"} | {f"t{i}": "t" for i in range(50)},
    by_region=True, by_network=True, by_family=True, timing="total",
)  # fmt: skip


@contextmanager
def opened(path: Path, now_us: int = AFTER_ALL_US, step_results: int = STEP_RESULTS) -> Iterator[DuckdbStore]:
    """The store in a file at a time."""
    with closing(DuckdbStore(path, step_results=step_results, clock=lambda: now_us)) as store:
        yield store


def state(path: Path) -> State:
    """How far the roll-ups of a file are; nobody else uses it."""
    with duckdb.connect(path) as connection:
        return read_state(connection)


def spread(number: int) -> ResultBatch:
    """So many results over three days, of all outcomes, with timings."""
    random = np.random.default_rng(number)
    batch = many(1, number)
    return replace(
        batch,
        started_us=NOON_US + random.integers(-2 * DAY_US, DAY_US // 2, number),
        outcome=random.integers(1, 9, number).astype(np.uint8),
        flags=random.integers(0, 4, number).astype(np.uint8),
        timings_us={"total": random.integers(0, 10**7, number).astype(np.int32)},
    )


def fill(store: DuckdbStore, number: int) -> None:
    """Appends `spread`."""
    store.append(spread(number), [ReceivedRange(SOURCE, 1, number)], FLEET)


def test_a_step_is_bounded_and_the_next_goes_on(tmp_path: Path) -> None:
    """Whatever waits, no step folds more than its bound; in between, answers are the same."""
    path, steps = tmp_path / "results.duckdb", 0
    with opened(path, step_results=400) as store:
        fill(store, 1000)
        expected = list(store.summary(EVERYTHING).rows())
        while store.upkeep(0, 0).more:
            steps += 1
            assert list(store.summary(EVERYTHING).rows()) == expected
    assert steps >= 3
    assert state(path).unfolded == {}


def test_a_day_is_closed_two_hours_after_its_end(tmp_path: Path) -> None:
    """Then it has cells of an hour, and the planner may use them; the days after have none."""
    path, midnight_us = tmp_path / "results.duckdb", TODAY * DAY_US
    with opened(path, midnight_us + 2 * HOUR_US - 1) as store:
        fill(store, 1000)
        kept_up(store)
        before = list(store.summary(EVERYTHING).rows())
    assert state(path).hours_until_us == midnight_us - DAY_US
    with opened(path, midnight_us + 2 * HOUR_US) as store:
        kept_up(store)
        assert list(store.summary(EVERYTHING).rows()) == before
    assert state(path).hours_until_us == midnight_us
    assert state(path).days[TODAY - 1].closed


def test_late_results_of_a_closed_day_reach_its_hours(tmp_path: Path) -> None:
    """As one more part of the same cells, before and after they are folded."""
    with opened(tmp_path / "results.duckdb") as store:
        put(store, [Row(1, at_us=-DAY_US), Row(2, at_us=-DAY_US + MINUTE_US)])
        kept_up(store)
        put(store, [Row(3, at_us=-DAY_US + 2 * MINUTE_US, outcome=5)])
        late = list(store.summary(EVERYTHING).rows())
        assert [(sum(row.outcomes), row.known_us) for row in late] == [(3, 3 * MINUTE_US)]
        kept_up(store)
        assert list(store.summary(EVERYTHING).rows()) == late


def test_closed_days_are_answered_from_packs(tmp_path: Path) -> None:
    """Weeks of cells need not be read; a late result unpacks its day until upkeep has packed it again."""
    path = tmp_path / "results.duckdb"
    with opened(path) as store:
        fill(store, 1000)
        kept_up(store)
        expected = list(store.summary(EVERYTHING).rows())
    with duckdb.connect(path) as connection:
        for name in contents(path):
            connection.execute(f"UPDATE {name} SET start_us = 0")  # noqa: S608
    with opened(path) as store:
        assert list(store.summary(EVERYTHING).rows()) == expected
        put(store, [Row(9, "us-1", target="bank")])
        assert len(list(store.summary(EVERYTHING).rows())) < len(expected)


def test_packs_are_made_and_dropped_with_their_days(tmp_path: Path) -> None:
    """For every closed day one, until its roll-ups are forgotten."""
    path = tmp_path / "results.duckdb"
    with opened(path, TODAY * DAY_US + 2 * HOUR_US) as store:
        fill(store, 1000)
        kept_up(store)
    assert packed_days(path) == [TODAY - 2, TODAY - 1]
    with opened(path) as store:
        kept_up(store, NOON_US - DAY_US, NOON_US - DAY_US)
    assert packed_days(path) == [TODAY - 1, TODAY]


def packed_days(path: Path) -> list[int]:
    """The days that a file has packed."""
    with duckdb.connect(path) as connection:
        return packs.days(connection)


def test_results_are_forgotten_only_when_they_are_folded(tmp_path: Path) -> None:
    """So that history outlives them, whatever comes between."""
    with opened(tmp_path / "results.duckdb", step_results=100) as store:
        fill(store, 1000)
        expected = list(store.summary(EVERYTHING).rows())
        assert store.upkeep(NOON_US + 9 * DAY_US, 0).dropped == 0
        assert kept_up(store, NOON_US + 9 * DAY_US) == 3
        assert found(store) == []
        assert list(store.summary(EVERYTHING).rows()) == expected


def test_roll_ups_are_forgotten_by_whole_days_but_never_before_results(tmp_path: Path) -> None:
    """What is older than both is gone from answers and file; what is younger than either stays."""
    path = tmp_path / "results.duckdb"
    with opened(path) as store:
        put(store, [Row(1, at_us=-3 * DAY_US), Row(2, at_us=-2 * DAY_US), Row(3, at_us=-DAY_US)])
        kept_up(store, NOON_US - 2 * DAY_US, NOON_US)
        assert [row.start_us for row in store.summary(EVERYTHING).rows()] == [
            NOON_US - 2 * DAY_US,
            NOON_US - DAY_US,
        ]
    with duckdb.connect(path) as connection:
        names = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert "cells_300_20261119" not in names
    assert "cells_300_20261120" in names


def test_roll_ups_are_rebuilt_identically_from_results(tmp_path: Path) -> None:
    """Thrown away and folded again they are the same, to the last count."""
    path = tmp_path / "results.duckdb"
    with opened(path) as store:
        fill(store, 3000)
        kept_up(store)
    before = contents(path)
    assert {name.partition("_2")[0] for name in before} == {
        "cells_300",
        "bins_300",
        "cells_3600",
        "bins_3600",
    }
    with duckdb.connect(path) as connection:
        for name in before:
            connection.execute(f"DROP TABLE {name}")
        connection.execute("DELETE FROM folded")
    with opened(path) as store:
        kept_up(store)
    assert contents(path) == before


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table of roll-ups, in order."""
    with duckdb.connect(path) as connection:
        names = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE table_name SIMILAR TO '(cells|bins)_.*'"
        ).fetchall()
        return {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for (name,) in names}


def test_results_of_before_roll_ups_are_folded_too(tmp_path: Path) -> None:
    """A file of an older version has neither cursors nor marks."""
    path = tmp_path / "results.duckdb"
    with opened(path) as store:
        put(store, [Row(1), Row(2, target="bank")])
        expected = list(store.summary(EVERYTHING).rows())
    with duckdb.connect(path) as connection:
        connection.execute("DROP TABLE folded")
        connection.execute("DROP TABLE kept_from")
    with opened(path) as store:
        kept_up(store)
        assert list(store.summary(EVERYTHING).rows()) == expected
    assert state(path).days == {TODAY: Folded(2, closed=True)}


@pytest.mark.timeout(180)
def test_kill_between_steps_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """After kill -9 at any moment of appending and folding, roll-ups and results say the same."""
    path, random, first = tmp_path / "results.duckdb", Random("steps"), 1
    command = [sys.executable, "-m", "tests.collector.stores.appender", str(path)]
    for kill in range(4):
        with subprocess.Popen(
            [*command, str(first), f"step {kill}", "folding"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(random.randint(3, 25)):
                process.stdout.readline()
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        with opened(path, NOON_US) as store:
            stored = concatenate(list(store.results(ALL)))
            by_day = counts(stored)
            first = len(stored) + 1
            assert folded_and_new(store) == by_day
            kept_up(store)
            assert folded_and_new(store) == by_day
    with opened(path) as store:
        kept_up(store, NOON_US + 9 * DAY_US)
        assert folded_and_new(store) == by_day


def counts(stored: ResultBatch) -> dict[int, int]:
    """How many results each day has."""
    days, numbers = np.unique(stored.judged_us // DAY_US, return_counts=True)
    return dict(zip(days.tolist(), numbers.tolist(), strict=True))


def folded_and_new(store: DuckdbStore) -> dict[int, int]:
    """How many results each day has by its history."""
    since_us = (TODAY - 2) * DAY_US
    targets = {f"t{i}": "t" for i in range(50)}
    found = store.summary(SummaryQuery(since_us, since_us + 9 * DAY_US, DAY_US, targets))
    return {row.start_us // DAY_US: sum(row.outcomes) + row.saturated for row in found.rows()}
