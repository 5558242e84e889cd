"""Results on disk until the collector has them."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.ranges import Ranges
from faultline_agent.spool import Parcel, Spool, SpoolError
from faultline_agent.uplinks.uplink import DroppedRange
from tests.agent.stage import NOW_US, open_spool, plain_encode, result

NONE: frozenset[int] = frozenset()


def filled(spool: Spool, *counts: int) -> list[Parcel]:
    """Appends batches of so many results, a microsecond apart."""
    return [spool.append([result()] * n, plain_encode, NOW_US + at) for at, n in enumerate(counts)]


def test_sequences_follow_each_other_from_one(tmp_path: Path) -> None:
    """The encoding is told the first of them."""
    parcels = filled(open_spool(tmp_path), 3, 1, 2)
    assert [(p.first, p.last) for p in parcels] == [(1, 3), (4, 4), (5, 6)]
    assert parcels[2].encoded == b"5:web,web"


def test_batches_come_newest_first_or_oldest_first_and_skip_what_is_on_its_way(tmp_path: Path) -> None:
    """The two lanes read the spool from its two ends."""
    spool = open_spool(tmp_path)
    first, second, third = filled(spool, 1, 1, 1)
    assert spool.newest(NOW_US, NONE) == third
    assert spool.newest(NOW_US, frozenset({third.first})) == second
    assert spool.newest(NOW_US + 2, frozenset({third.first})) is None
    assert spool.oldest(NOW_US + 9, NONE) == first
    assert spool.oldest(NOW_US + 9, frozenset({first.first})) == second
    assert spool.oldest(NOW_US, NONE) is None


def test_forgetting_takes_whole_batches_only(tmp_path: Path) -> None:
    """A batch of which a part is durable stays, and its resend is recognised by the collector."""
    spool = open_spool(tmp_path)
    filled(spool, 10, 10, 10)
    spool.forget(Ranges([(1, 10), (15, 25)]))
    assert spool.unacknowledged() == Ranges([(11, 30)])
    assert spool.state().results == 20
    spool.forget(Ranges([(11, 30)]))
    state = spool.state()
    assert (state.results, state.bytes, state.oldest_us, state.next_sequence) == (0, 0, 0, 31)


def test_restart_finds_everything_as_it_was(tmp_path: Path) -> None:
    """Batches, counts, drops, facts, id and the next sequence."""
    spool = open_spool(tmp_path)
    filled(spool, 3, 4)
    spool.append([result()], plain_encode, NOW_US + 5, lost=2)
    spool.remember("assignment", "kept")
    spool.remember("assignment", "kept too")
    before = (spool.spool_id, spool.state(), spool.dropped(), spool.unacknowledged())
    spool.close()
    spool.close()
    again = open_spool(tmp_path)
    assert (again.spool_id, again.state(), again.dropped(), again.unacknowledged()) == before
    assert again.recall("assignment") == "kept too"
    assert again.recall("other") is None
    assert filled(again, 1)[0].first == 11


def test_sequences_go_on_after_everything_was_forgotten(tmp_path: Path) -> None:
    """An empty spool still knows what it has given out."""
    spool = open_spool(tmp_path)
    filled(spool, 5)
    spool.forget(Ranges([(1, 5)]))
    spool.close()
    assert filled(open_spool(tmp_path), 1)[0].first == 6


def test_spool_goes_on_above_what_the_collector_has_seen(tmp_path: Path) -> None:
    """A file restored from an old copy must not give out numbers again."""
    spool = open_spool(tmp_path)
    filled(spool, 5)
    spool.continue_above(3)
    assert spool.state().next_sequence == 6
    spool.continue_above(100)
    spool.close()
    assert filled(open_spool(tmp_path), 1)[0].first == 101


def test_the_oldest_are_dropped_beyond_the_bytes_and_reported_as_ranges(tmp_path: Path) -> None:
    """What is dropped together is one range; it stays until the collector has noted it."""
    spool = open_spool(tmp_path, max_bytes=1_000)
    for _ in range(20):
        filled(spool, 2)
        assert spool.state().bytes <= 1_000
    (run,) = spool.dropped()
    assert (run.first, run.reason) == (1, "bytes")
    assert run.last + 1 == next(iter(spool.unacknowledged()))[0]
    last = run.last
    spool.forget(Ranges([(1, last - 1)]))
    assert spool.dropped() != ()
    spool.forget(Ranges([(1, last)]))
    assert spool.dropped() == ()


def test_what_is_too_old_is_dropped(tmp_path: Path) -> None:
    """Its reason is age."""
    spool = open_spool(tmp_path, max_age_us=1_000)
    filled(spool, 4, 4)
    spool.append([result()], plain_encode, NOW_US + 1_000)
    assert spool.dropped() == ()
    spool.append([result()], plain_encode, NOW_US + 1_001)
    assert spool.dropped() == (DroppedRange(1, 4, "age"),)
    assert spool.unacknowledged() == Ranges([(5, 10)])


def test_full_disk_that_lets_nothing_be_dropped_stores_nothing(tmp_path: Path) -> None:
    """Or what was stored would be taken for lost, and stored again under other sequences."""
    spool = open_spool(tmp_path, max_bytes=100)
    filled(spool, 2)
    before = spool.state()
    spool._db.execute("CREATE TRIGGER full BEFORE DELETE ON batches BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(sqlite3.Error, match="full"):
        filled(spool, 2)
    assert spool.state() == before
    spool._db.execute("DROP TRIGGER full")
    assert filled(spool, 2)[0].first == 3
    assert spool.dropped() == (DroppedRange(1, 2, "bytes"),)


def test_results_that_never_reached_the_disk_are_reported(tmp_path: Path) -> None:
    """They get sequences, so that the collector sees the gap and its reason."""
    spool = open_spool(tmp_path)
    filled(spool, 2)
    parcel = spool.append([result()], plain_encode, NOW_US, lost=3)
    assert parcel.first == 6
    assert spool.dropped() == (DroppedRange(3, 5, "bytes"),)


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 9), st.integers(0, 3)),
            st.tuples(st.just("forget"), st.integers(1, 120), st.integers(0, 40)),
            st.tuples(st.just("wait"), st.integers(0, 60), st.just(0)),
            st.tuples(st.just("reopen"), st.just(0), st.just(0)),
            st.tuples(st.just("above"), st.integers(1, 60), st.just(0)),
        ),
        max_size=40,
    )
)
def test_every_sequence_is_held_dropped_or_durable(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    """Whatever happens in whatever order, no number is given out twice and none gets lost."""
    folder = tmp_path_factory.mktemp("spool")
    spool = open_spool(folder, max_bytes=900, max_age_us=50)
    given_out, durable, clock = Ranges(), Ranges(), NOW_US
    for step, one, two in steps:
        clock += 1
        match step:
            case "append":
                parcel = spool.append([result()] * one, plain_encode, clock, lost=two)
                assert not given_out.within(parcel.first - two, parcel.last)
                given_out.add(parcel.first - two, parcel.last)
            case "forget":
                noted = given_out.within(one, one + two)
                spool.forget(noted)
                durable.update(noted)
            case "wait":
                clock += one
            case "reopen":
                spool.close()
                spool = open_spool(folder, max_bytes=900, max_age_us=50)
            case "above":
                spool.continue_above(one)
                elsewhere = given_out.missing(1, one)
                given_out.update(elsewhere)
                durable.update(elsewhere)
    known = durable.copy()
    known.update(spool.unacknowledged())
    known.update(Ranges((run.first, run.last) for run in spool.dropped()))
    state = spool.state()
    assert not given_out or known.covers(*next(iter(given_out)))
    assert all(known.covers(first, last) for first, last in given_out)
    assert state.results == spool.unacknowledged().count()
    spool.close()
    again = open_spool(folder)
    assert again.state().results == state.results
    assert again.state().bytes == state.bytes
    again.close()


def test_changed_batch_is_dropped_as_damaged(tmp_path: Path) -> None:
    """What cannot be trusted is not sent, and is reported."""
    spool = open_spool(tmp_path)
    filled(spool, 3, 4)
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.execute("UPDATE batches SET encoded = x'00' WHERE first = 1")
    db.close()
    spool = open_spool(tmp_path)
    parcel = spool.oldest(NOW_US + 9, NONE)
    assert parcel is not None
    assert parcel.first == 4
    assert spool.dropped() == (DroppedRange(1, 3, "damaged"),)
    assert spool.state().results == 4


@pytest.mark.parametrize("damage", [b"this is not a database at all, it is a text", b"\0" * 5_000])
def test_damaged_file_is_moved_aside_and_a_new_spool_begins(tmp_path: Path, damage: bytes) -> None:
    """With a new id, so that its numbers are not taken for a resend of the old ones."""
    spool = open_spool(tmp_path)
    filled(spool, 3)
    old_id = spool.spool_id
    spool.close()
    path = tmp_path / "spool.db"
    path.write_bytes(damage + path.read_bytes()[len(damage) :])
    again = open_spool(tmp_path)
    assert again.spool_id != old_id
    assert "was damaged" in again.replaced
    assert (tmp_path / "spool.db.damaged").read_bytes().startswith(damage)
    assert filled(again, 1)[0].first == 1


def test_good_file_is_not_called_replaced(tmp_path: Path) -> None:
    """Neither new nor old."""
    assert open_spool(tmp_path / "new").replaced == ""


def test_nobody_else_reads_the_spool(tmp_path: Path) -> None:
    """The assignment that it keeps may hold passwords of targets."""
    spool = open_spool(tmp_path)
    filled(spool, 1)
    files = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert files == {"spool.db": 0o600, "spool.db-wal": 0o600, "spool.db.mark": 0o600}


def test_two_agents_do_not_share_a_spool(tmp_path: Path) -> None:
    """The second one is told why."""
    spool = open_spool(tmp_path)
    with pytest.raises(SpoolError, match="another process uses it"):
        open_spool(tmp_path)
    spool.close()
    open_spool(tmp_path).close()


def test_folder_that_cannot_be_made_gets_a_sentence(tmp_path: Path) -> None:
    """With the path in it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"spool .*file/spool.db cannot be opened"):
        open_spool(tmp_path / "file")


def test_full_disk_is_not_for_ever(small_disk: Path) -> None:
    """Whoever starts the agent may try again, unlike with a path that cannot be."""
    (small_disk / "logs").write_bytes(bytes(1_040_000))
    with pytest.raises(SpoolError, match="cannot be opened: database or disk is full") as full:
        open_spool(small_disk)
    assert not full.value.permanent
    with pytest.raises(SpoolError, match="cannot be opened: File exists") as wrong:
        open_spool(small_disk / "logs")
    assert wrong.value.permanent
    (small_disk / "logs").unlink()
    open_spool(small_disk).close()


@pytest.mark.parametrize("content", [b"root:x:0:0:root:/root:/bin/bash\n" * 40, b"\0" * 5_000])
def test_file_that_never_was_a_spool_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A wrong path moves nobody's file aside."""
    (tmp_path / "spool.db").write_bytes(content)
    with pytest.raises(SpoolError, match="cannot be opened: file is not a database") as wrong:
        open_spool(tmp_path)
    assert wrong.value.permanent
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("spool.db", content)]


def test_failed_write_leaves_the_spool_as_it_was(tmp_path: Path) -> None:
    """An encoding that fails, or a full disk, costs no sequence."""
    spool = open_spool(tmp_path)
    filled(spool, 2)
    before = spool.state()
    with pytest.raises(TypeError):
        spool.append([result()], lambda results, first: b"" + "no bytes", NOW_US)  # type: ignore[operator]
    with pytest.raises(OverflowError):
        spool.append([result()], plain_encode, 2**70, lost=1)
    assert spool.state() == before
    assert spool.dropped() == ()
    assert filled(spool, 1)[0].first == 3


@pytest.mark.parametrize("seed", range(10))
def test_kill_at_any_moment_loses_nothing_and_reuses_no_sequence(tmp_path: Path, seed: int) -> None:
    """What was on disk before the kill is held, forgotten or dropped with its range after it."""
    random = Random(seed)
    written, forgotten, ids, last = Ranges(), Ranges(), set(), 0
    for _ in range(2):
        lines = run_until_killed(tmp_path, random.randint(3, 120))
        ids.add(lines[0])
        for line in lines[1:]:
            first, _, end = line[1:].partition(" ")
            if line.startswith("+"):
                assert int(first) > last, "a sequence was given out twice"
                last = int(end)
            (written if line.startswith("+") else forgotten).add(int(first), int(end))
    spool = open_spool(tmp_path)
    known = forgotten.copy()
    known.update(spool.unacknowledged())
    known.update(Ranges((run.first, run.last) for run in spool.dropped()))
    assert all(known.covers(first, end) for first, end in written)
    assert spool.state().next_sequence > last
    assert ids == {f"spool {spool.spool_id}"}


def run_until_killed(folder: Path, lines: int) -> list[str]:
    """Lets a writer print so many whole lines, kills it, and gives every whole line that it printed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.agent.spool_writer", str(folder)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        read = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        read += writer.stdout.readlines()
    return [line.strip() for line in read if line.endswith("\n")]
