"""kill -9 of the collector's process and of influxd under load, and a server that does not answer."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from faultline.ranges import Ranges
from faultline_collector.results import Source, concatenate
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.rollups import HOUR_US
from faultline_collector.stores.store import ReceivedRange, StoreError
from faultline_collector.stores.summary import SummaryQuery
from tests.collector.stores.influxdb.buckets import new_store_url, options
from tests.collector.stores.influxdb.conftest import drained, until
from tests.collector.stores.rows import ALL, DAY_US, FLEET, NOON_US, Row, found, kept_up, many, put
from tests.servers.influxdb import Influxd, Organisation

WEST = Source("in-west-1", "s1")
KILLS = 5


@contextmanager
def appending(url: str, folder: Path, first: int, seed: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that appends until the end of the block, where it is killed."""
    program = [sys.executable, "-m", "tests.collector.stores.influxdb.appender"]
    command = [*program, url, str(folder), str(first), seed]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def counted(store: InfluxdbStore) -> int:
    """All results by the roll-ups."""
    groups = {f"t{i}": "all" for i in range(50)}
    summary = store.summary(SummaryQuery(NOON_US - 2 * DAY_US, NOON_US + 100 * HOUR_US, 0, groups))
    return int(summary.outcomes.sum())


def sequences_in(store: InfluxdbStore) -> list[int]:
    """Every sequence, in order, as often as it is there."""
    return sorted(concatenate(list(store.results(ALL))).sequence.tolist())


@pytest.mark.timeout(240)
def test_a_killed_collector_loses_and_doubles_nothing(influxdb: Organisation, tmp_path: Path) -> None:
    """What was durable is there once, in results, in roll-ups and in ranges, wherever it was when it died."""
    url, told = new_store_url(influxdb), options(influxdb, tmp_path)
    random, first = Random("kills"), 1
    for kill in range(KILLS):
        with appending(url, tmp_path, first, f"kill {kill}") as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(random.randint(2, 20))]
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().splitlines(keepends=True)
        acknowledged = max(int(line) for line in lines[1:] if line.endswith("\n"))
        with closing(open_store(url, told)) as store:
            assert isinstance(store, InfluxdbStore)
            last = store.received()[WEST].highest
            assert store.received() == {WEST: Ranges([(1, last)])}
            assert last >= acknowledged
        first = last + 1
    with closing(open_store(url, told)) as store:
        assert isinstance(store, InfluxdbStore)
        for _ in ("while some waits", "when all has arrived"):
            assert sequences_in(store) == list(range(1, first))
            assert counted(store) == first - 1
            until(lambda: drained(store))
            kept_up(store)


@pytest.mark.timeout(240)
def test_a_killed_influxd_loses_nothing(influxd: Influxd, tmp_path: Path) -> None:
    """Appends go on while it is away; when it is back, it gets everything, once."""
    random, first = Random("influxd"), 1
    url = new_store_url(influxd.organisation)
    with closing(open_store(url, options(influxd.organisation, tmp_path))) as store:
        assert isinstance(store, InfluxdbStore)
        for _ in range(KILLS):
            for _ in range(random.randint(3, 30)):
                number = random.choice((1, 50, 500))
                row = Row(first, at_us=first * 1000, target=f"t{random.randrange(50)}")
                ranges = [ReceivedRange(WEST, first, first + number - 1)]
                store.append(many(first, number, row), ranges, FLEET)
                first += number
            influxd.kill()
            put(store, [Row(first, at_us=first * 1000, target="t1")])
            first += 1
            until(lambda: store.standing().problem != "")
            influxd.start()
        until(lambda: drained(store))
        kept_up(store)
        assert sequences_in(store) == list(range(1, first))
        assert counted(store) == first - 1


def test_a_store_that_is_away_says_so_and_gives_what_waits(influxd: Influxd, tmp_path: Path) -> None:
    """History says since when; what waits in the outbox is read all the same, also after a restart."""
    url, told = new_store_url(influxd.organisation), options(influxd.organisation, tmp_path)
    with closing(open_store(url, told)) as store:
        assert isinstance(store, InfluxdbStore)
        put(store, [Row(1)])
        until(lambda: drained(store))
    influxd.kill()
    with closing(open_store(url, told)) as store:
        assert isinstance(store, InfluxdbStore)
        put(store, [Row(2), Row(3)])
        pages = store.results(ALL)
        assert next(pages).sequence.tolist() == [2, 3]
        with pytest.raises(StoreError, match=r"InfluxDB at .* does not take connections"):
            next(pages)
        with pytest.raises(StoreError, match="does not take connections"):
            store.summary(SummaryQuery(NOON_US, NOON_US + DAY_US, 0, {"twitter-web": "twitter"}))
        assert store.received() == {WEST: Ranges([(1, 3)])}
        influxd.start()
        until(lambda: drained(store))
        assert [row.sequence for row in found(store)] == [1, 2, 3]


def test_a_backlog_does_not_hold_up_what_is_new(influxd: Influxd, tmp_path: Path) -> None:
    """Of the two that send, one begins with the newest: it is there before the oldest half of the backlog."""
    url = new_store_url(influxd.organisation)
    with closing(open_store(url, options(influxd.organisation, tmp_path))) as store:
        assert isinstance(store, InfluxdbStore)
        influxd.kill()
        for first in range(1, 80_001, 4_000):
            row = Row(first, at_us=first * 1000)
            store.append(many(first, 4_000, row), [ReceivedRange(WEST, first, first + 3_999)], FLEET)
        put(store, [Row(500_000, target="bank")])
        influxd.start()
        until(lambda: 21 not in {item.number for item in store._outbox.unsent()})
        assert store.standing().waiting_results > 0
