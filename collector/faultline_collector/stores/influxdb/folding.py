"""Roll-ups in InfluxDB, kept up from the outbox: every result counts in them once, whatever crashes when."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from threading import Lock
from typing import NamedTuple

import numpy as np

from faultline_collector.results import Mask
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.delivery import Delivery, NotDelivered
from faultline_collector.stores.influxdb.outbox import Item, Outbox
from faultline_collector.stores.influxdb.packing import Packing
from faultline_collector.stores.influxdb.rollup_points import (
    Mark,
    Written,
    cell_lines,
    cells_query,
    with_roles,
    without_roles,
    written_cells,
)
from faultline_collector.stores.influxdb.server import Ask, Server
from faultline_collector.stores.order import DAY_US, MINUTE_US
from faultline_collector.stores.packed_counting import Packed
from faultline_collector.stores.places import gathered
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US, Cells, fold, merged
from faultline_collector.stores.store import StoreError
from faultline_collector.stores.summary import Span

STEP_RESULTS = 500_000
"""About as many results one step folds at most: the more, the fewer times a cell is read and written."""

PART_RESULTS = 100_000
"""About as many results are folded at once, which takes some 400 bytes each."""

_FLUSHING = "flushing"

_Key = tuple[str, tuple[str, int], int, int]


class Pending(NamedTuple):
    """Cells of entries that InfluxDB does not count yet, and the entry up to which they go."""

    cells: Cells
    through: int


class Folding:
    """Takes entries in order of their numbers, some at a time, into the cells that stand in InfluxDB.

    Before a step writes, it notes up to which entry it goes; each cell says up to which entry it counts. So
    whatever breaks off a step, the next takes the same entries, and leaves out the cells that were written.

    A cell is written as a whole, so entries wait until the five minutes of their results have ended. Their
    cells are held in memory meanwhile, so that no question folds more than came since the last upkeep.
    """

    def __init__(
        self,
        server: Server,
        outbox: Outbox,
        letters: DeadLetters,
        packing: Packing,
        ask: Ask,
        clock: Callable[[], int],
    ) -> None:
        self._server = server
        self._ask = ask
        self._outbox = outbox
        self._letters = letters
        self._packing = packing
        self._clock = clock
        self._lock = Lock()
        self._held: list[Pending] = []

    def step(self, *, everything: bool = False) -> bool:
        """Folds some entries; whether there are more. Raises StoreError and can be called again."""
        with self._lock:
            items = self._outbox.after(self._outbox.folded)
            ripe = items if everything else self._ripe(items)
            some = self._next(items, ripe)
            if not some:
                self._hold(items)
                return False
            self._held = []
            self._outbox.keep(_FLUSHING, str(some[-1].number))
            narrow = self._folded(some, FIVE_MINUTES_US, None)
            self._packing.loosen(np.unique(narrow.cells.start_us // HOUR_US * HOUR_US).tolist())
            self._write(narrow)
            self._write(narrow._replace(cells=_of_hours(narrow.cells)))
            self._outbox.fold(some[-1].number)
            return len(some) < len(ripe)

    def pack(self) -> bool:
        """Packs a day as far as it has settled; whether there are more. Raises StoreError; call it again."""
        with self._lock:
            return self._packing.step()

    def days(self, width_us: int) -> Sequence[int]:
        """See `Packs`."""
        with self._lock:
            items = [item for item in self._outbox.after(self._outbox.folded) if item.results]
            return [
                day
                for day, until_us in self._packing.days().items()
                if not any(item.since_us < until_us and item.until_us > day * DAY_US for item in items)
            ]

    def read(self, width_us: int, some: Sequence[int], timing: str) -> Mapping[int, Packed]:
        """See `Packs`."""
        return self._packing.read(width_us, some, timing)

    def cells(self, span: Span, width_us: int, timings: Sequence[str]) -> list[Cells]:
        """Partial cells that begin in the span: of InfluxDB, and of what is not in it yet."""
        whole = Span(span.since_us, span.until_us + width_us)
        with self._lock:
            items = self._outbox.after(self._outbox.folded)
            begun = [item for item in items if item.number <= self._flushing]
            first = self._folded(begun, width_us, whole)
            held = [_of_width(one.cells, width_us) for one in self._held]
            through = self._held[-1].through if self._held else self._flushing
            rest = self._folded([item for item in items if item.number > through], width_us, whole)
            written = self._written(span, width_us, timings)
        first = self._uncounted(first, written)
        found = [first.cells, *held, rest.cells, *(one.cells for one in written)]
        return [without_roles(cells) for cells in found]

    @property
    def _flushing(self) -> int:
        return int(self._outbox.mark(_FLUSHING) or 0)

    def _ripe(self, items: Sequence[Item]) -> list[Item]:
        """The first entries, up to one whose five minutes go on; a clock that is ahead stops nothing."""
        now_us = self._clock()
        ended_us = now_us // FIVE_MINUTES_US * FIVE_MINUTES_US
        return list(takewhile(lambda i: not ended_us < i.until_us <= now_us + FIVE_MINUTES_US, items))

    def _next(self, items: Sequence[Item], ripe: Sequence[Item]) -> list[Item]:
        """What the next step folds: what the last one has begun, or as much as fits."""
        begun = self._flushing
        if begun > self._outbox.folded:
            return [item for item in items if item.number <= begun]
        return next(_by_results(ripe, STEP_RESULTS), [])

    def _hold(self, items: Sequence[Item]) -> None:
        """Folds in memory what came since the last time."""
        through = self._held[-1].through if self._held else 0
        if new := [item for item in items if item.number > through]:
            self._held.append(self._folded(new, FIVE_MINUTES_US, None))

    def _folded(self, items: Sequence[Item], width_us: int, span: Span | None) -> Pending:
        through = items[-1].number if items else 0
        wanted = [item for item in items if item.results and (span is None or _overlaps(item, span))]
        parts = []
        for some in _by_results(wanted, PART_RESULTS):
            entries = [entry for item in some if (entry := self._outbox.read(item)) is not None]
            whole = gathered([with_roles(entry.placed, entry.roles) for entry in entries])
            parts.append(fold(whole, width_us))
        parts = parts or [fold(gathered(()), width_us)]
        return Pending(merged(parts) if len(parts) > 1 else parts[0], through)

    def _write(self, pending: Pending) -> None:
        """Brings the cells in InfluxDB up to date; raises StoreError."""
        cells, width_us = pending.cells, pending.cells.width_us
        for span in _runs(np.unique(cells.start_us).tolist(), width_us):
            some = cells.select((cells.start_us >= span.since_us) & (cells.start_us < span.until_us))
            written = self._written(span, width_us, None)
            new = self._uncounted(Pending(some, pending.through), written)
            before = _of_same_keys([one.cells for one in written], new.cells)
            self._send(cell_lines(merged([new.cells, *before]), Mark(self._outbox.epoch, pending.through)))

    def _send(self, lines: bytes) -> None:
        address = self._server.address
        try:
            Delivery(lambda body: self._server.write(address.rollups, body), self._letters).send(lines)
        except NotDelivered as error:
            raise StoreError(f"InfluxDB at {address.url}, bucket {address.rollups}, {error}") from error

    def _written(self, span: Span, width_us: int, timings: Sequence[str] | None) -> list[Written]:
        flux = cells_query(self._server.address.rollups, width_us, span, timings)
        return list(written_cells(self._ask(flux), width_us))

    def _uncounted(self, pending: Pending, written: Sequence[Written]) -> Pending:
        """The cells that InfluxDB does not count yet; some of them it may, after a step that broke off."""
        if not len(pending.cells):
            return pending
        whole = Mark(self._outbox.epoch, pending.through)
        counted = {
            key
            for one in written
            for key, mark in zip(_keys(one.cells), one.marks, strict=True)
            if mark and whole.is_reached(mark)
        }
        if not counted:
            return pending
        keep: Mask = np.array([key not in counted for key in _keys(pending.cells)], np.bool_)
        return pending._replace(cells=pending.cells.select(keep))


def _by_results(items: Sequence[Item], most: int) -> Iterator[list[Item]]:
    """The items in order, in runs with so many results, or of one item."""
    run: list[Item] = []
    room = most
    for item in items:
        if run and item.results > room:
            yield run
            run, room = [], most
        run.append(item)
        room -= item.results
    if run:
        yield run


def _overlaps(item: Item, span: Span) -> bool:
    return item.since_us < span.until_us and item.until_us > span.since_us


def _of_width(cells: Cells, width_us: int) -> Cells:
    return cells if width_us == cells.width_us else _of_hours(cells)


def _of_hours(cells: Cells) -> Cells:
    """Cells of five minutes as cells of an hour; cheaper than to fold all results again."""
    start_us = cells.start_us // HOUR_US * HOUR_US
    minute = ((cells.start_us - start_us) // MINUTE_US).astype(np.uint64)
    minutes = np.left_shift(cells.minutes, minute)
    return merged([replace(cells, width_us=HOUR_US, start_us=start_us, minutes=minutes)])


def _keys(cells: Cells) -> list[_Key]:
    columns = (cells.target, cells.place, cells.family, cells.start_us)
    return [
        (cells.target_ids[target], cells.places[place], family, start_us)
        for target, place, family, start_us in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _of_same_keys(parts: Sequence[Cells], new: Cells) -> list[Cells]:
    wanted = set(_keys(new))
    return [part.select(np.array([key in wanted for key in _keys(part)], np.bool_)) for part in parts]


def _runs(starts: Sequence[int], width_us: int) -> list[Span]:
    """Spans that cover the cells that begin at these times, neighbours in one."""
    runs: list[Span] = []
    for start in starts:
        if runs and runs[-1].until_us == start:
            runs[-1] = Span(runs[-1].since_us, start + width_us)
        else:
            runs.append(Span(start, start + width_us))
    return runs
