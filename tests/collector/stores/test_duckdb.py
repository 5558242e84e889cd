"""What only the DuckDB store can show: files, their holders, crashes."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event, Thread

import duckdb
import numpy as np
import pytest

from faultline.ranges import Ranges
from faultline_collector.results import Source, concatenate
from faultline_collector.stores import open_store
from faultline_collector.stores.daily.file import DuckdbFile
from faultline_collector.stores.duckdb import DuckdbStore
from faultline_collector.stores.store import ReceivedRange, Store, StoreError
from faultline_collector.stores.summary import SummaryQuery
from tests.collector.stores.rows import (
    ALL,
    DAY_US,
    FLEET,
    NOON_US,
    Row,
    batch_of,
    found,
    kept_up,
    put,
    sequences,
)

WEST = Source("in-west-1", "s1")


def test_everything_lasts(lasting: Callable[[], Store]) -> None:
    """Results, dictionaries, timings and ranges are there after a restart, and appending goes on."""
    rows = [Row(1, detail="refused"), Row(2, at_us=DAY_US, timings_us={"total": 1, "tls": 2})]
    put(lasting(), rows)
    store = lasting()
    assert found(store) == rows
    assert store.received() == {WEST: Ranges([(1, 2)])}
    more = [Row(3, timings_us={"total": 4, "tls": 5}), Row(4, target="bank"), Row(1, agent="us-east-1")]
    put(store, more)
    put(store, rows)
    assert sorted(found(lasting()), key=repr) == sorted([*rows, *more], key=repr)


def test_failed_append_leaves_nothing(lasting: Callable[[], Store]) -> None:
    """Neither results nor ranges nor new sources remain, and the next append works."""
    store = lasting()
    put(store, [Row(1)])
    good = batch_of([Row(2), Row(1, agent="us-east-1", at_us=DAY_US, timings_us={"total": 1, "tls": 2})])
    bad = replace(good, status=np.array(["not", "numbers"], object))
    ranges = [ReceivedRange(WEST, 2, 2), ReceivedRange(Source("us-east-1", "s1"), 1, 1)]
    with pytest.raises(StoreError, match=r"writing to .*lasting\.duckdb: "):
        store.append(bad, ranges, FLEET)
    assert sequences(store) == [1]
    assert store.received() == {WEST: Ranges([(1, 1)])}
    store.append(good, ranges, FLEET)
    assert len(found(store)) == 3
    assert len(found(lasting())) == 3


def test_timing_names_cannot_leave_their_quotes(lasting: Callable[[], Store]) -> None:
    """Ingest lets no such name through; the store does not rely on it."""
    row = Row(1, timings_us={"total": 1, 'a" INTEGER; DROP TABLE sources; --': 2})
    put(lasting(), [row])
    assert found(lasting()) == [row]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE layout; DROP TABLE places", "has the layout of an older Faultline"),
        ("UPDATE layout SET number = 0", "has layout 0, of an older Faultline"),
        ("UPDATE layout SET number = 2", "has layout 2, of a newer Faultline"),
        ("DROP TABLE layout; DROP TABLE sources", "is not Faultline's"),
    ],
    ids=["no number", "older", "newer", "of somebody else"],
)
def test_a_file_of_another_layout_is_refused_with_a_sentence(tmp_path: Path, change: str, said: str) -> None:
    """And left as it is."""
    path = tmp_path / "results.duckdb"
    with closing(DuckdbStore(path)) as store:
        put(store, [Row(1)])
    with duckdb.connect(path) as connection:
        connection.execute(change)
    with pytest.raises(StoreError) as caught:
        DuckdbStore(path)
    assert str(caught.value) == (
        f"the file {path} {said}; this one reads layout 1: "
        "read it with the Faultline that wrote it, or move it away to begin anew"
    )
    assert caught.value.permanent
    with duckdb.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM ranges").fetchall() == [(1,)]


def test_the_first_layout_had_no_number(tmp_path: Path) -> None:
    """Such a file is read on, and gets its number."""
    path = tmp_path / "results.duckdb"
    with closing(DuckdbStore(path)) as store:
        put(store, [Row(1)])
    with duckdb.connect(path) as connection:
        connection.execute("DROP TABLE layout")
    with closing(DuckdbStore(path)) as store:
        assert found(store) == [Row(1)]
    with duckdb.connect(path) as connection:
        assert connection.execute("FROM layout").fetchall() == [(1,)]


def test_log_of_ranges_is_merged(tmp_path: Path) -> None:
    """However often one appends, the file holds few ranges, and none is lost."""
    path = tmp_path / "results.duckdb"
    with closing(DuckdbStore(path, max_logged_ranges=10)) as store:
        for sequence in range(1, 40):
            put(store, [Row(sequence)])
        store.append(batch_of([]), [ReceivedRange(WEST, 50, 60, "dropped", "age")], FLEET)
        assert store.ledger() == [
            ReceivedRange(WEST, 50, 60, "dropped", "age"),
            ReceivedRange(WEST, 1, 39),
        ]
    with closing(DuckdbStore(path)) as store:
        assert store.received() == {WEST: Ranges([(1, 39), (50, 60)])}
    with duckdb.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM ranges").fetchall() <= [(11,)]


def test_file_of_another_process_is_refused_with_its_pid(tmp_path: Path) -> None:
    """The sentence says who holds it and what to do."""
    with appending(tmp_path / "results.duckdb", first=1, seed="holder") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(StoreError) as caught:
            DuckdbStore(tmp_path / "results.duckdb")
    assert str(caught.value) == (
        f"the file {tmp_path}/results.duckdb is used by the running collector (pid {process.pid}); "
        "ask it over its API"
    )


def test_foreign_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """A file that is not a store is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database" * 1000)
    with pytest.raises(
        StoreError, match=r"^the file .*notes.txt cannot be used: .*not a valid DuckDB"
    ) as caught:
        open_store(f"duckdb://{path}")
    assert caught.value.permanent
    assert path.read_text().startswith("not a database")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "postgres://x",
            "'postgres://x' is not the URL of a store, which begins with "
            "duckdb:// or influxdb:// or influxdbs:// or memory://",
        ),
        (
            "results.duckdb",
            "'results.duckdb' is not the URL of a store, which begins with "
            "duckdb:// or influxdb:// or influxdbs:// or memory://",
        ),
        ("duckdb://", "duckdb:// names no file; duckdb:///var/lib/faultline/results.duckdb does"),
        ("memory://x", "memory:// takes nothing behind it, not 'x'"),
        ("duckdb:///nowhere/at/all.duckdb", "the folder /nowhere/at does not exist"),
    ],
    ids=["scheme", "path", "no file", "memory", "folder"],
)
def test_unusable_urls_get_a_sentence(url: str, sentence: str) -> None:
    """Each says what is wrong with it."""
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert (str(caught.value), caught.value.permanent) == (sentence, True)


def test_readers_and_expiry_disturb_no_writer(lasting: Callable[[], Store]) -> None:
    """Days come and go and tables get new columns while others read: nobody fails, nothing is lost."""
    store, ended = lasting(), Event()
    question = SummaryQuery(
        NOON_US - DAY_US, NOON_US + 9 * DAY_US, DAY_US, {"twitter-web": "twitter"}, timing="total"
    )

    def read() -> int:
        asked = 0
        while not ended.is_set():
            found(store)
            found(store, replace(ALL, latest=True))
            store.summary(question)
            asked += 1
        return asked

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for i in range(1, 31):
                put(
                    store,
                    [Row(i, at_us=(i // 10) * DAY_US, timings_us={"total": 1, f"t_{chr(97 + i % 20)}": i})],
                )
                if i % 10 == 0:
                    assert kept_up(store, NOON_US + (i // 10) * DAY_US) == 1
        finally:
            ended.set()
        assert all(reader.result() for reader in readers)
    assert sequences(store) == [30]
    assert store.received() == {WEST: Ranges([(1, 30)])}


@contextmanager
def appending(path: Path, *, first: int, seed: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that appends to the file until the end of the block, where it is killed."""
    command = [sys.executable, "-m", "tests.collector.stores.appender", str(path), str(first), seed]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.timeout(180)
def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After kill -9 at any moment all that was acknowledged is there once, and ranges match the data."""
    path, random, first = tmp_path / "results.duckdb", Random("kills"), 1
    for kill in range(5):
        with appending(path, first=first, seed=f"kill {kill}") as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(random.randint(2, 40))]
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().splitlines(keepends=True)
        acknowledged = max(int(line) for line in lines[1:] if line.endswith("\n"))
        with closing(DuckdbStore(path)) as store:
            stored = np.sort(concatenate(list(store.results(ALL))).sequence)
            held = store.received()[WEST]
        assert np.array_equal(stored, np.arange(1, len(stored) + 1))
        assert held == Ranges([(1, len(stored))])
        assert acknowledged <= len(stored)
        first = len(stored) + 1


def test_a_file_that_somebody_reads_is_closed_all_the_same(tmp_path: Path) -> None:
    """A question that nobody waits for any more is broken off; DuckDB would refuse to close the file."""
    file = DuckdbFile(tmp_path / "results.duckdb")
    asked, broken_off = Event(), Event()

    def ask() -> None:
        try:
            with file.reading() as connection:
                asked.set()
                connection.execute("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")
        except StoreError:
            broken_off.set()

    Thread(target=ask, daemon=True).start()
    assert asked.wait(10)
    file.close()
    assert broken_off.wait(10)
    file.close()
