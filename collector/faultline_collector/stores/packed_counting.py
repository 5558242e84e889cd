"""Summaries counted from packed days. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from faultline_collector.results import Int64
from faultline_collector.stores.counting import Names, steps_of
from faultline_collector.stores.order import DAY_US, MINUTE_US
from faultline_collector.stores.packed import BINS_WIDTH_US, OK, SATURATED, PackedBins, PackedDay
from faultline_collector.stores.plan import Piece
from faultline_collector.stores.rollups import code_of
from faultline_collector.stores.summary import Span, Summary, SummaryQuery, empty_summary

_AT_ONCE = 32
"""Days that are held in memory together."""


class Packed(NamedTuple):
    """A packed day, and its histograms of the timing that was asked for; None where it has none."""

    cells: PackedDay
    bins: PackedBins | None = None


class Packs(Protocol):
    """Where packed days are kept."""

    def days(self, width_us: int) -> Sequence[int]:
        """The days of which a pack says all there is to say, in order."""

    def read(self, width_us: int, days: Sequence[int], timing: str) -> Mapping[int, Packed]:
        """Those of the days that are still there; with the histograms of a timing, if one is named."""


def count_piece(
    query: SummaryQuery, piece: Piece, packs: Packs, rest: Callable[[Span], Summary]
) -> Iterator[Summary]:
    """The parts of a piece's summary: of its packed days, and, by `rest`, of the spans between them."""
    span, left_us = piece.span, piece.span.since_us
    packable = not query.timing or piece.width_us == BINS_WIDTH_US
    known = packs.days(piece.width_us) if packable else ()
    wanted = [d for d in known if d * DAY_US < span.until_us and d >= left_us // DAY_US]
    for first in range(0, len(wanted), _AT_ONCE):
        found = packs.read(piece.width_us, wanted[first : first + _AT_ONCE], query.timing)
        for day in sorted(found):
            own = Span(max(span.since_us, day * DAY_US), min(span.until_us, found[day].cells.until_us))
            if own.since_us >= own.until_us:
                continue
            if left_us < own.since_us:
                yield rest(Span(left_us, own.since_us))
            yield count_packed(found[day], query, own)
            left_us = own.until_us
    if left_us < span.until_us:
        yield rest(Span(left_us, span.until_us))


def count_packed(packed: Packed, query: SummaryQuery, span: Span) -> Summary:
    """What the cells of a day that begin in the span give: each counts, whole, where it begins."""
    day, columns = packed.cells, packed.cells.columns_in(span)
    names = Names(query, day.places)
    keys, keep = names.keys(day.target_ids, day.target, day.place, day.family)
    if not keep.any() or not columns:
        return empty_summary()
    rows = _runs(np.flatnonzero(keep), code_of([key[keep] for key in keys]))
    starts_us = day.day * DAY_US + np.arange(columns.start, columns.stop) * day.width_us
    steps = _runs(np.arange(len(columns)), steps_of(starts_us, query))
    grid = _Grid(day, columns, rows, steps)
    counts, known_us = grid.counts(), grid.known_us()
    key, step = np.nonzero(counts.any(axis=2))
    found = counts[key, step]
    own = [column[rows.order[rows.first]][key] for column in keys]
    bins = grid.bins(packed.bins, key * len(steps.first) + step) if packed.bins else ()
    return Summary(
        names.groups, own[0].astype(np.int32), names.regions, own[1].astype(np.int32), own[2], own[3],
        steps_of(starts_us, query)[steps.first][step],
        found[:, :SATURATED], found[:, SATURATED], known_us[key, step], *bins,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows in the order of their keys; where each key's run begins in it, and the run of each row."""

    order: npt.NDArray[np.intp]
    first: npt.NDArray[np.intp]
    run: npt.NDArray[np.intp]


def _runs(rows: npt.NDArray[np.intp], code: Int64) -> _Runs:
    order = np.argsort(code, kind="stable")
    new = np.concatenate(([True], np.diff(code[order]) != 0))
    return _Runs(rows[order], np.flatnonzero(new), np.cumsum(new) - 1)


class _Grid:
    """A part of a day, added up by keys and steps."""

    def __init__(self, day: PackedDay, columns: range, rows: _Runs, steps: _Runs) -> None:
        self._day = day
        self._columns = columns
        self._rows = rows
        self._steps = steps
        self._key = np.full(len(day.target), -1, np.int64)
        self._key[rows.order] = rows.run
        self._step = np.full(day.columns, -1, np.int64)
        self._step[columns.start : columns.stop] = steps.run

    def counts(self) -> Int64:
        """By key and step the outcomes, then the saturated."""
        day, rows, steps = self._day, self._rows, self._steps
        found = np.zeros((len(rows.first), len(steps.first), SATURATED + 1), np.int64)
        ok = np.add.reduceat(self._part(day.ok), rows.first, axis=0, dtype=np.int64)
        found[:, :, OK] = np.add.reduceat(ok, steps.first, axis=1)
        place, kept = self._places(day.other_cell)
        at = place[kept] * (SATURATED + 1) + day.other_column[kept]
        np.add.at(found.reshape(-1), at, day.other_count[kept].astype(np.int64))
        return found

    def known_us(self) -> Int64:
        """By key and step the time in which something was told."""
        united = np.bitwise_or.reduceat(self._part(self._day.minutes), self._rows.first, axis=0)
        known = np.bitwise_count(united).astype(np.int64)
        return np.add.reduceat(known, self._steps.first, axis=1) * MINUTE_US

    def bins(self, bins: PackedBins, places: Int64) -> tuple[Int64, Int64, Int64]:
        """Row, bin and count, for rows that stand at these places (key * steps + step)."""
        row_of = np.full(len(self._rows.first) * len(self._steps.first), -1, np.int64)
        row_of[places] = np.arange(len(places))
        cell = np.flatnonzero(bins.bins)
        place, kept = self._places(cell)
        row = np.repeat(np.where(kept, row_of[place], -1), bins.bins[cell])
        some = row >= 0
        bin_, count = bins.bin[some].astype(np.int64), bins.count[some]
        if not len(bin_):
            return row[some], bin_, bin_
        room = int(bin_.max()) + 1
        total = np.bincount(row[some] * room + bin_, count)
        code = np.flatnonzero(total)
        return code // room, code % room, total[code].astype(np.int64)

    def _part(self, table: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.unsignedinteger]:
        return table[self._rows.order, self._columns.start : self._columns.stop]

    def _places(self, cell: npt.NDArray[np.integer]) -> tuple[Int64, npt.NDArray[np.bool_]]:
        """Key * steps + step of each cell, and whether it is asked for."""
        row, column = np.divmod(cell.astype(np.int64), self._day.columns)
        key, step = self._key[row], self._step[column]
        return key * len(self._steps.first) + step, (key >= 0) & (step >= 0)
