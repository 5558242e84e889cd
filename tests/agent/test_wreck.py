"""Spools whose files are damaged for real: what they gave out is owned up to, and never given out again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from faultline_agent.outbox import Outbox
from faultline_agent.spool import Spool, SpoolDamaged
from faultline_agent.uplinks.uplink import DroppedRange, LostRange
from faultline_agent.wreck import last_words
from tests.agent.stage import NOW_US, SetClocks, open_spool, plain_encode, result

PAGE = 4_096
EMPTY_LEAF = b"\x0d\0\0\0\0\x10\0\0"
"""The head of a page of SQLite's that is a leaf of a table and holds no rows."""


def fill(spool: Spool, batches: int, size: int = 50) -> None:
    """Appends so many batches."""
    for at in range(batches):
        spool.append([result("w" * 40)] * size, plain_encode, NOW_US + at)


def wreck(folder: Path, harm: Callable[[bytes], bytes]) -> str:
    """Leaves a spool that gave out 1..4000, harmed; gives its id."""
    spool = open_spool(folder)
    fill(spool, 80)
    spool.close()
    path = folder / "spool.db"
    path.write_bytes(harm(path.read_bytes()))
    return spool.spool_id


def overwrite(first_page: int) -> Callable[[bytes], bytes]:
    """Overwrites all pages from one on."""
    return lambda whole: whole[: first_page * PAGE] + b"\xa5" * (len(whole) - first_page * PAGE)


HARMS = [
    pytest.param(lambda whole: whole[: len(whole) // 2], id="truncated"),
    pytest.param(lambda whole: whole[:100], id="cut-within-its-head"),
    pytest.param(overwrite(0), id="overwritten"),
    pytest.param(overwrite(2), id="overwritten-but-for-its-head"),
    pytest.param(overwrite(9), id="overwritten-in-the-middle"),
]


@pytest.mark.parametrize("harm", HARMS)
def test_what_a_damaged_spool_gave_out_is_reported_as_lost(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    """Until the collector has noted it, through restarts; the file is kept aside."""
    spool_id = wreck(tmp_path, harm)
    again = open_spool(tmp_path)
    assert again.spool_id != spool_id
    assert again.lost() == (LostRange(spool_id, 1, 4_000),)
    assert "was damaged" in again.replaced
    assert (tmp_path / "spool.db.damaged").exists()
    again.close()
    third = open_spool(tmp_path)
    assert third.spool_id == again.spool_id
    third.settle_lost([LostRange(spool_id, 1, 3_999)])
    assert third.lost() == (LostRange(spool_id, 1, 4_000),)
    third.settle_lost(third.lost())
    assert third.lost() == ()
    third.close()
    assert open_spool(tmp_path).lost() == ()


def test_without_its_mark_the_damaged_file_is_asked(tmp_path: Path) -> None:
    """A spool of an older version has no mark; damage among the batches leaves its id and count readable."""
    spool_id = wreck(tmp_path, overwrite(9))
    (tmp_path / "spool.db.mark").unlink()
    assert open_spool(tmp_path).lost() == (LostRange(spool_id, 1, 4_000),)


def test_a_file_that_tells_nothing_is_a_wreck_without_last_words(tmp_path: Path) -> None:
    """Neither an error nor an invention; the file is left as it was."""
    path = tmp_path / "spool.db"
    path.write_bytes(b"\xa5" * 9_000)
    assert last_words(path) == ()
    assert last_words(tmp_path / "no" / "such") == ()
    assert path.read_bytes() == b"\xa5" * 9_000


def test_a_mark_that_tells_nothing_is_written_anew(tmp_path: Path) -> None:
    """Damaged itself, or cut off."""
    (tmp_path / "spool.db.mark").write_bytes(b"\0" * 54)
    spool = open_spool(tmp_path)
    fill(spool, 1, size=3)
    assert spool.lost() == ()
    spool.close()
    assert (tmp_path / "spool.db.mark").read_text().startswith(f"{spool.spool_id} {3:020d} ")


def test_a_removed_spool_is_lost_too(tmp_path: Path) -> None:
    """Whoever took the file away took results along."""
    spool_id = wreck(tmp_path, lambda whole: whole)
    (tmp_path / "spool.db").unlink()
    again = open_spool(tmp_path)
    assert again.lost() == (LostRange(spool_id, 1, 4_000),)
    assert again.replaced == ""


def test_a_spool_that_gave_nothing_out_is_no_loss(tmp_path: Path) -> None:
    """There is nothing that the collector could miss."""
    open_spool(tmp_path).close()
    (tmp_path / "spool.db").unlink()
    assert open_spool(tmp_path).lost() == ()


def test_the_mark_of_another_agent_says_nothing(tmp_path: Path) -> None:
    """What was lost under one id is not told under the next."""
    spool_id = wreck(tmp_path, lambda whole: whole)
    mark = (tmp_path / "spool.db.mark").read_bytes()
    (tmp_path / "spool.db").unlink()
    other = open_spool(tmp_path, agent_id="renamed")
    assert other.lost() == ()
    other.close()
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "spool.db.mark").write_bytes(mark)
    assert open_spool(tmp_path).lost() == (LostRange(spool_id, 1, 4_000),)


def test_lost_spools_outlive_the_loss_of_the_next(tmp_path: Path) -> None:
    """Two wrecks before the collector heard of one."""
    first = wreck(tmp_path, overwrite(0))
    second = wreck(tmp_path, overwrite(9))
    lost = open_spool(tmp_path).lost()
    assert set(lost) == {LostRange(first, 1, 4_000), LostRange(second, 1, 4_000)}


def test_only_the_newest_damaged_spool_is_kept(tmp_path: Path) -> None:
    """A failing disk that makes one a restart does not fill itself; the log says what is gone."""
    said = []
    for at in range(4):
        wreck(tmp_path, lambda whole, at=at: b"%d" % at + whole[1:])  # type: ignore[misc]
        spool = open_spool(tmp_path)
        said.append(spool.replaced)
        spool.close()
    assert (tmp_path / "spool.db").stat().st_mode & 0o777 == 0o600
    kept = {file.name: file.read_bytes()[:1] for file in tmp_path.glob("*damaged*")}
    assert kept == {"spool.db.damaged": b"3"}
    assert ["the one that was there before is removed" in each for each in said] == [False, True, True, True]


async def read_all(outbox: Outbox) -> None:
    """Reads every batch: SQLite has some of them in memory."""
    skip: frozenset[int] = frozenset()
    while parcel := await outbox.oldest(NOW_US + 90, skip):
        skip |= {parcel.first}


def damage_in_place(path: Path, from_page: int = 2) -> None:
    """Overwrites pages; the file of a running agent stays the same one."""
    with path.open("r+b") as file:
        file.seek(from_page * PAGE)
        file.write(b"\xa5" * (path.stat().st_size - from_page * PAGE))


async def test_damage_while_running_is_final(tmp_path: Path) -> None:
    """Whoever reads or writes is told so, in one sentence; who opens the spool next moves it aside."""
    spool = open_spool(tmp_path)
    fill(spool, 80, size=1_000)  # more than SQLite keeps in memory
    spool.close()
    outbox = Outbox(open_spool(tmp_path), plain_encode, SetClocks())
    damage_in_place(tmp_path / "spool.db")
    with pytest.raises(SpoolDamaged, match=r"spool .*spool.db is damaged \(database disk image is malformed"):
        await read_all(outbox)
    await outbox.close()
    again = open_spool(tmp_path)
    assert again.lost() == (LostRange(spool.spool_id, 1, 80_000),)


async def test_a_batch_that_only_the_index_knows_is_damage(tmp_path: Path) -> None:
    """Its results are lost though nothing looks damaged: a page of the table was zeroed under the agent."""
    spool = open_spool(tmp_path)
    fill(spool, 2)
    spool.close()
    spool = open_spool(tmp_path)
    (page,) = spool._db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'batches'").fetchone()
    with (tmp_path / "spool.db").open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(EMPTY_LEAF)
    spool._db.execute("PRAGMA shrink_memory")
    outbox = Outbox(spool, plain_encode, SetClocks())
    with pytest.raises(SpoolDamaged, match=r"spool .* is damaged \(batch 51 is in its index only\)"):
        await outbox.newest(NOW_US, frozenset())
    await outbox.close()


async def test_damage_right_after_opening_is_said_in_a_sentence(tmp_path: Path) -> None:
    """Also when it is the outbox that comes upon it, before anything runs."""
    wreck(tmp_path, lambda whole: whole)
    spool = open_spool(tmp_path)
    outbox = Outbox(spool, plain_encode, SetClocks())
    damage_in_place(tmp_path / "spool.db", from_page=1)
    spool._db.execute("PRAGMA shrink_memory")  # what SQLite has in memory is not read again
    with pytest.raises(SpoolDamaged, match=r"spool .*spool.db is damaged"):
        outbox.recall("assignment")
    with pytest.raises(SpoolDamaged, match=r"spool .*spool.db is damaged"):
        Outbox(spool, plain_encode, SetClocks())
    await outbox.close()


def test_damaged_log_gives_no_sequence_out_again(tmp_path: Path) -> None:
    """SQLite passes silently over the damaged end of its log; the results in it are counted as dropped."""
    spool = open_spool(tmp_path)
    fill(spool, 4)
    files = {name: (tmp_path / name).read_bytes() for name in ("spool.db", "spool.db-wal", "spool.db.mark")}
    spool.close()
    log = files["spool.db-wal"]
    harmed = log[: len(log) // 2] + b"\xa5" * (len(log) - len(log) // 2)
    for name, whole in (files | {"spool.db-wal": harmed}).items():
        (tmp_path / name).write_bytes(whole)
    again = open_spool(tmp_path)
    assert again.spool_id == spool.spool_id
    held = again.unacknowledged().highest
    assert held < 200
    assert again.dropped() == (DroppedRange(held + 1, 200, "damaged"),)
    assert again.append([result()], plain_encode, NOW_US).first == 201


def test_file_of_an_old_copy_goes_on_above_what_it_gave_out(tmp_path: Path) -> None:
    """Also before any collector could tell."""
    spool = open_spool(tmp_path)
    fill(spool, 1)
    spool.close()
    copy = (tmp_path / "spool.db").read_bytes()
    spool = open_spool(tmp_path)
    fill(spool, 1)
    spool.close()
    (tmp_path / "spool.db").write_bytes(copy)
    again = open_spool(tmp_path)
    assert again.dropped() == (DroppedRange(51, 100, "damaged"),)
    assert again.state().next_sequence == 101
