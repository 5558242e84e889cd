"""Roll-ups in InfluxDB, kept up from the outbox: every result counts in them once, whatever crashes when."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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

STEP_RESULTS = 200_000
"""About as many results one step folds at most."""

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
    """

    def __init__(
        self, server: Server, outbox: Outbox, letters: DeadLetters, packing: Packing, ask: Ask
    ) -> None:
        self._server = server
        self._ask = ask
        self._outbox = outbox
        self._letters = letters
        self._packing = packing
        self._lock = Lock()

    def step(self) -> bool:
        """Folds some entries; whether there are more. Raises StoreError and can be called again."""
        with self._lock:
            items = self._outbox.after(self._outbox.folded)
            some = self._next(items)
            if not some:
                return False
            self._outbox.keep(_FLUSHING, str(some[-1].number))
            narrow = self._folded(some, FIVE_MINUTES_US, None)
            self._packing.loosen(np.unique(narrow.cells.start_us // HOUR_US * HOUR_US).tolist())
            self._write(narrow)
            self._write(narrow._replace(cells=_of_hours(narrow.cells)))
            self._outbox.fold(some[-1].number)
            return len(some) < len(items)

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
            under_way = self._next(items) if self._flushing > self._outbox.folded else []
            first = self._folded(under_way, width_us, whole)
            rest = self._folded(items[len(under_way) :], width_us, whole)
            written = self._written(span, width_us, timings)
        first = self._uncounted(first, written)
        return [without_roles(cells) for cells in (first.cells, rest.cells, *(one.cells for one in written))]

    @property
    def _flushing(self) -> int:
        return int(self._outbox.mark(_FLUSHING) or 0)

    def _next(self, items: Sequence[Item]) -> list[Item]:
        """What the next step folds: what the last one has begun, or as much as fits."""
        begun = self._flushing
        if begun > self._outbox.folded:
            return [item for item in items if item.number <= begun]
        ends = np.cumsum([item.results for item in items])
        return list(items[: max(1, int(np.searchsorted(ends, STEP_RESULTS, "right")))])

    def _folded(self, items: Sequence[Item], width_us: int, span: Span | None) -> Pending:
        parts = []
        for item in items:
            overlaps = span is None or (item.since_us < span.until_us and item.until_us > span.since_us)
            if item.results and overlaps and (entry := self._outbox.read(item)) is not None:
                parts.append(with_roles(entry.placed, entry.roles))
        return Pending(fold(gathered(parts), width_us), items[-1].number if items else 0)

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
