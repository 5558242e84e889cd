"""The outbox by itself: what is in it is durable, bounded, and found again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultline_collector.results import Source
from faultline_collector.stores.influxdb.entries import Entry, encoded, frame
from faultline_collector.stores.influxdb.outbox import Bounds, Outbox, bounds_of
from faultline_collector.stores.influxdb.roles import Role
from faultline_collector.stores.places import Place, placed
from faultline_collector.stores.store import ReceivedRange, StoreError
from tests.collector.stores.rows import Row, batch_of, many, ranges_of, rows_of

WEST = Source("in-west-1", "s1")
SMALL = Bounds(most_bytes=200_000, segment_bytes=20_000, reserve_bytes=0)


@pytest.fixture
def opens(tmp_path: Path) -> Iterator["Reopen"]:
    """Opens the same outbox again and again, the one before is closed."""
    reopen = Reopen(tmp_path / "outbox")
    yield reopen
    reopen.close()


class Reopen:
    """Opens an outbox in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: list[Outbox] = []

    def __call__(self, bounds: Bounds = SMALL) -> Outbox:
        """Closes what is open, and opens it again."""
        self.close()
        self._opened.append(Outbox(self.folder, bounds))
        return self._opened[-1]

    def close(self) -> None:
        """Closes all."""
        for one in self._opened:
            one.close()


def entry(rows: list[Row]) -> Entry:
    """Results as an append hands them over."""
    results = batch_of(rows)
    roles = (Role("twitter", "web", "cdn"),) * len(results.target_ids)
    return Entry(placed(results, {"in-west-1": Place("in-west", 55836)}), roles, tuple(ranges_of(rows)))


def big(first: int, number: int = 500) -> Entry:
    """So many results at once."""
    results = many(first, number)
    return Entry(placed(results, {}), (Role(),), (ReceivedRange(WEST, first, first + number - 1),))


def claimed(outbox: Outbox, *, newest: bool = False, results: int = 1000) -> list[int]:
    """The numbers of entries that a sender gets."""
    items = outbox.claim(newest=newest, results=results, age_s=0, timeout_s=0, ended=lambda: False)
    return [item.number for item in items]


def test_an_entry_comes_back_as_it_was(opens: Reopen) -> None:
    """Results with places and roles, ranges, lines; after a restart too."""
    rows = [Row(1, detail="refused"), Row(2, target="bank", timings_us={"total": 3}), Row(2**63)]
    opens().append(entry(rows))
    outbox = opens()
    found = outbox.read(outbox.unsent()[0])
    assert found is not None
    assert rows_of(found.placed.results) == rows
    assert found.placed.places == (Place("in-west", 55836),)
    assert found.roles[0] == Role("twitter", "web", "cdn")
    assert outbox.ranges() == ranges_of(rows)


def test_a_torn_entry_is_as_if_it_had_never_been(opens: Reopen) -> None:
    """Length and checksum tell; what stands before it is kept, and what comes next is appended."""
    opens().append(big(1))
    opens.close()
    (file,) = opens.folder.glob("*.entries")
    with file.open("ab") as end:
        end.write(frame(2, encoded(big(501)))[:-1])
    outbox = opens()
    assert [item.number for item in outbox.unsent()] == [1]
    assert outbox.ranges() == [ReceivedRange(WEST, 1, 500)]
    outbox.append(big(501))
    assert outbox.ranges() == [ReceivedRange(WEST, 1, 1000)]


def test_a_spoilt_byte_is_noticed(opens: Reopen) -> None:
    """An entry that does not agree with its checksum is not believed."""
    opens().append(big(1))
    opens.close()
    (file,) = opens.folder.glob("*.entries")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert opens().unsent() == []


def test_a_full_outbox_refuses_with_a_sentence_until_there_is_room(opens: Reopen) -> None:
    """The bound is of bytes; nothing of what is refused remains; what was sent and folded makes room."""
    outbox = opens()
    number = 0
    while outbox.size < 170_000:
        outbox.append(big(number * 500 + 1))
        number += 1
    with pytest.raises(StoreError, match=rf"the outbox {opens.folder} is full: \d+ of 200000") as caught:
        outbox.append(big(number * 500 + 1))
    assert not caught.value.permanent
    assert outbox.size <= 200_000
    assert outbox.ranges() == [ReceivedRange(WEST, 1, number * 500)]
    outbox.settle(outbox.unsent())
    outbox.fold(number)
    outbox.append(big(number * 500 + 1))
    assert sum(file.stat().st_size for file in opens.folder.glob("*.entries")) <= 60_000


def test_what_never_fits_is_refused_for_good(opens: Reopen) -> None:
    """So that the writer halves it, and agents are not held back by a group that is larger than all room."""
    outbox = opens()
    with pytest.raises(
        StoreError, match=r"\d+ bytes at once never fit into the outbox .* of 200000"
    ) as caught:
        outbox.append(big(1, 5000))
    assert caught.value.permanent
    outbox.append(big(1, 1500))
    assert outbox.ranges() == [ReceivedRange(WEST, 1, 1500)]


def test_a_small_outbox_has_small_files() -> None:
    """One that fits a single file would stand still until all of it is sent."""
    assert bounds_of(16 * 1024**2).segment_bytes == 2 * 1024**2
    assert bounds_of(2**40) == Bounds(2**40)


def test_ranges_outlive_their_entries(opens: Reopen) -> None:
    """What was received long ago is known after its file has gone; so is how far numbers have got."""
    outbox = opens()
    for i in range(5):
        outbox.append(big(i * 500 + 1))
    outbox.append(Entry(ranges=(ReceivedRange(WEST, 9000, 9009, "dropped", "age"),)))
    outbox.settle(outbox.unsent())
    outbox.fold(6)
    epoch = outbox.epoch
    outbox = opens()
    assert outbox.ranges() == [
        ReceivedRange(WEST, 9000, 9009, "dropped", "age"),
        ReceivedRange(WEST, 1, 2500),
    ]
    outbox.append(big(2501))
    assert [item.number for item in outbox.unsent()] == [7]
    assert outbox.epoch == epoch


def test_a_full_disk_is_a_state_with_a_sentence(tmp_path: Path) -> None:
    """Before the disk is quite full, for what empties the outbox has to write too; nothing is lost."""
    program = [sys.executable, "-m", "tests.collector.stores.influxdb.full_disk", str(tmp_path)]
    done = subprocess.run(["unshare", "-rm", *program], capture_output=True, text=True, timeout=50)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no own mounts here: {done.stderr.strip()}")
    said = done.stdout.splitlines()
    assert said[0] == f"the outbox {tmp_path}/outbox cannot be written: No space left on device", done.stderr
    assert said[1:] == ["ranges are those of the entries: True", "again after room was made: True"]


def test_both_ends_are_claimed_apart(opens: Reopen) -> None:
    """One sender begins with the oldest, one with the newest; what is given back is claimed again."""
    outbox = opens()
    for i in range(6):
        outbox.append(big(i * 500 + 1))
    assert claimed(outbox) == [1, 2]
    assert claimed(outbox, newest=True) == [6, 5]
    assert claimed(outbox, results=1) == [3]
    outbox.release([item for item in outbox.unsent() if item.number in (1, 2)])
    outbox.settle([item for item in outbox.unsent() if item.number == 6])
    assert claimed(outbox) == [1, 2]
    assert claimed(outbox) == [4]
    assert claimed(outbox) == []
    assert outbox.unsent_results == 2500


def test_little_waits_for_more(opens: Reopen) -> None:
    """A request is worth its while by size or by age."""
    outbox = opens()
    outbox.append(big(1))
    young = outbox.claim(newest=False, results=1000, age_s=60, timeout_s=0, ended=lambda: False)
    assert young == []
    outbox.append(big(501))
    assert len(outbox.claim(newest=False, results=1000, age_s=60, timeout_s=0, ended=lambda: False)) == 2


def test_one_process_holds_an_outbox(opens: Reopen) -> None:
    """Another is told who."""
    opens()
    with pytest.raises(StoreError, match=rf"is used by the running collector \(pid {os.getpid()}\)"):
        Outbox(opens.folder)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the outbox .*/file/outbox cannot be used: ") as caught:
        Outbox(tmp_path / "file" / "outbox")
    assert caught.value.permanent
