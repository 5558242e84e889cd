"""Entries on disk until InfluxDB has them: what is in here is durable, and an agent may forget it."""

import fcntl
import os
import secrets
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Condition, Lock

from faultline.ranges import Ranges
from faultline_collector.stores.influxdb.accounts import Accounts
from faultline_collector.stores.influxdb.entries import Entry, decoded, encoded
from faultline_collector.stores.influxdb.segments import RESERVE_BYTES, SEGMENT_BYTES, Location, Segments
from faultline_collector.stores.store import ReceivedRange, StoreError

_KEEP_EVERY_S = 1.0
_FEWEST_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Item:
    """An entry by its number: where it lies, how many results it has, and when they began (microseconds)."""

    number: int
    location: Location
    results: int
    since_us: int
    until_us: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes of all entries together, of one file, and of the disk that stay free."""

    most_bytes: int = 8 * 1024**3
    segment_bytes: int = SEGMENT_BYTES
    reserve_bytes: int = RESERVE_BYTES


def bounds_of(most_bytes: int) -> Bounds:
    """Bounds for so many bytes: a small outbox has small files, for a file goes when all of it has gone."""
    return Bounds(most_bytes, min(SEGMENT_BYTES, most_bytes // _FEWEST_SEGMENTS))


class Outbox:
    """Entries in order of their numbers, 1, 2, ...; safe for threads, one `append` at a time.

    An entry is kept until it is settled (InfluxDB has it) and folded (roll-ups count it). `epoch` names this
    outbox for ever: numbers of another are of another count.
    """

    def __init__(
        self, folder: Path, bounds: Bounds | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._folder = folder
        self._holder = _hold(folder)
        self._appending = Lock()
        self._changed = Condition()
        self._accounts = Accounts(folder / "accounts.db")
        self._segments = Segments(folder, self._bounds.segment_bytes, self._bounds.reserve_bytes)
        self._marks = self._accounts.marks()
        self.epoch = self._marks.setdefault("epoch", secrets.token_hex(8))
        self._folded = int(self._marks.get("folded", "0"))
        self._next = 1
        self._items: OrderedDict[int, Item] = OrderedDict()
        self._unsent: OrderedDict[int, Item] = OrderedDict()
        self._free: OrderedDict[int, Item] = OrderedDict()
        self._free_results = 0
        self._load()
        self._kept_s = clock()
        self._accounts.keep(self._marks)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._folder

    @property
    def size(self) -> int:
        """What the entries take on disk."""
        return self._segments.size

    @property
    def most_bytes(self) -> int:
        """What they may take."""
        return self._bounds.most_bytes

    @property
    def unsent_results(self) -> int:
        """Results that InfluxDB has not confirmed yet."""
        with self._changed:
            return sum(item.results for item in self._unsent.values())

    @property
    def folded(self) -> int:
        """Entries up to this number are counted by the roll-ups in InfluxDB."""
        return self._folded

    def ranges(self) -> list[ReceivedRange]:
        """Every range that was ever received, with its fate."""
        return self._accounts.ranges()

    def mark(self, name: str) -> str:
        """What was kept under a name; empty when nothing was."""
        with self._changed:
            return self._marks.get(name, "")

    def keep(self, name: str, value: str) -> None:
        """Keeps a mark, on disk when it returns; raises StoreError."""
        with self._changed:
            self._marks[name] = value
            self._keep()

    def append(self, entry: Entry) -> None:
        """Makes an entry durable, or raises StoreError and leaves nothing of it."""
        payload = encoded(entry)
        with self._appending:
            self._refuse_when_full(len(payload))
            number = self._next
            try:
                with self._changed:
                    location = self._segments.append(number, payload)
            except OSError as error:
                raise StoreError(f"the outbox {self._folder} cannot be written: {error.strerror}") from error
            self._next = number + 1
        self._accounts.note(entry.ranges)
        with self._changed:
            self._take(_item(number, location, entry, self._clock()))
            self._changed.notify_all()

    def claim(
        self, *, newest: bool, results: int, age_s: float, timeout_s: float, ended: Callable[[], bool]
    ) -> list[Item]:
        """Unsent entries with about so many results, from either end, for the caller alone.

        Waits until there are so many, or one is so old; gives none when it has `ended`, or after the timeout.
        """
        with self._changed:
            deadline_s = self._clock() + timeout_s
            while not ended() and (wait_s := self._wait_s(results, age_s)) > 0:
                if self._clock() >= deadline_s:
                    return []
                self._changed.wait(min(wait_s, deadline_s - self._clock()))
            return [] if ended() else self._claimed_from(newest, results)

    def _wait_s(self, results: int, age_s: float) -> float:
        """How long until there is something to claim."""
        if not self._free:
            return inf
        if self._free_results >= results:
            return 0.0
        return next(iter(self._free.values())).at_s + age_s - self._clock()

    def _claimed_from(self, newest: bool, most_results: int) -> list[Item]:
        claimed: list[Item] = []
        room = most_results
        while self._free and (
            not claimed
            or next(reversed(self._free.values()) if newest else iter(self._free.values())).results <= room
        ):
            _, item = self._free.popitem(last=newest)
            claimed.append(item)
            room -= item.results
        self._free_results -= sum(item.results for item in claimed)
        return claimed

    def release(self, items: Iterable[Item]) -> None:
        """Gives claimed entries back, unsent."""
        with self._changed:
            for item in sorted(items, key=lambda item: -item.number):
                self._free[item.number] = item
                self._free.move_to_end(item.number, last=False)
                self._free_results += item.results
            self._changed.notify_all()

    def settle(self, items: Sequence[Item]) -> None:
        """Notes that InfluxDB has what it takes of these entries."""
        with self._changed:
            for item in items:
                self._unsent.pop(item.number, None)
            self._changed.notify_all()
            if self._clock() - self._kept_s >= _KEEP_EVERY_S or not self._unsent:
                self._tidy()

    def fold(self, number: int) -> None:
        """Notes that the roll-ups in InfluxDB count every entry up to `number`; raises StoreError."""
        with self._changed:
            self._folded = number
            self._tidy()
            self._keep()

    def unsent(self) -> list[Item]:
        """Entries that InfluxDB may not have, in order."""
        with self._changed:
            return list(self._unsent.values())

    def after(self, number: int) -> list[Item]:
        """Entries with a higher number that are still here, in order."""
        with self._changed:
            found = []
            for item in reversed(self._items.values()):
                if item.number <= number:
                    break
                found.append(item)
            return found[::-1]

    def read(self, item: Item) -> Entry | None:
        """An entry, None when it has gone because nobody needs it any more; raises StoreError."""
        try:
            return decoded(self._segments.read(item.location))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"the outbox {self._folder} cannot be read: {error}") from error

    def wait_until_sent(self, timeout_s: float) -> bool:
        """Waits until InfluxDB has everything that is here now; whether it has."""
        with self._changed:
            last = next(reversed(self._unsent), 0)
            return self._changed.wait_for(lambda: next(iter(self._unsent), inf) > last, timeout_s)

    def wake(self) -> None:
        """Has all who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Writes down how far it has got; safe twice."""
        with self._appending, self._changed:
            if self._holder < 0:
                return
            self._tidy()
            self._segments.close()
            self._accounts.close()
            os.close(self._holder)
            self._holder = -1

    def _load(self) -> None:
        sent = Ranges((int(first), int(last)) for first, last in _runs(self._marks.get("sent", "")))
        found: dict[int, tuple[Location, Entry]] = {}
        for number, location, payload in self._segments.scan():
            found[number] = (location, decoded(payload))
        now_s = self._clock()
        for number in sorted(found):
            location, entry = found[number]
            self._accounts.note(entry.ranges)
            self._take(_item(number, location, entry, now_s), sent=number in sent)
        self._next = max([*found, int(self._marks.get("next", "1")) - 1, self._folded]) + 1

    def _take(self, item: Item, *, sent: bool = False) -> None:
        self._items[item.number] = item
        if not sent:
            self._unsent[item.number] = self._free[item.number] = item
            self._free_results += item.results

    def _refuse_when_full(self, coming: int) -> None:
        held = self._segments.size
        if coming > self._bounds.most_bytes:
            raise StoreError(
                f"{coming} bytes at once never fit into the outbox {self._folder} "
                f"of {self._bounds.most_bytes} bytes",
                permanent=True,
            )
        if held + coming > self._bounds.most_bytes:
            raise StoreError(
                f"the outbox {self._folder} is full: {held} of {self._bounds.most_bytes} bytes are taken"
            )

    def _tidy(self) -> None:
        """Writes down what was settled, then removes files whose every entry is settled and folded."""
        self._kept_s = self._clock()
        needed = {
            item.location.segment
            for item in self._items.values()
            if item.number > self._folded or item.number in self._unsent
        }
        gone = [item for item in self._items.values() if item.location.segment not in needed]
        try:
            self._keep()
        except StoreError:
            return
        for item in gone:
            del self._items[item.number]
        for segment in {item.location.segment for item in gone}:
            self._segments.drop(segment)

    def _keep(self) -> None:
        sent = Ranges()
        for number in self._items:
            if number not in self._unsent:
                sent.add(number, number)
        self._marks |= {
            "sent": " ".join(f"{a}-{b}" for a, b in sent),
            "folded": str(self._folded),
            "next": str(self._next),
        }
        try:
            self._accounts.keep(self._marks)
        except sqlite3.Error as error:
            raise StoreError(f"the outbox {self._folder} cannot be written: {error}") from error


def _item(number: int, location: Location, entry: Entry, at_s: float) -> Item:
    results = entry.placed.results
    judged = results.judged_us
    since, until = (int(judged.min()), int(judged.max()) + 1) if len(results) else (0, 0)
    return Item(number, location, len(results), since, until, at_s)


def _runs(text: str) -> Iterable[list[str]]:
    return (run.split("-") for run in text.split())


def _hold(folder: Path) -> int:
    """Keeps other processes out for as long as this one lives; raises StoreError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "held", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"the outbox {folder} cannot be used: {error.strerror}", permanent=True) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(handle, 20).decode() or "?"
        os.close(handle)
        raise StoreError(
            f"the outbox {folder} is used by the running collector (pid {holder})", permanent=True
        ) from error
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle
