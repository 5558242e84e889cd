"""The cells of a whole day, packed: dense in time, each column as narrow as its greatest number. Pure.

Weeks in steps of minutes are millions of cells. As rows of a database, whichever, they take seconds; a day of
them packed takes milliseconds, for numpy adds up whole columns of time at once (`packed_counting`).
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from faultline.outcomes import Outcome
from faultline_collector.results import Int32, Int64
from faultline_collector.stores.order import DAY_US, FOREVER_US
from faultline_collector.stores.places import Place
from faultline_collector.stores.rollups import HOUR_US, Cells, code_of, merged
from faultline_collector.stores.summary import OUTCOMES, Span

SETTLE_US = 2 * HOUR_US
"""So long after its end a day, or an hour, is closed, and may be packed; what comes later is late."""

AGAIN_US = HOUR_US
"""A day to which late results keep coming is packed so often at most."""

BINS_WIDTH_US = HOUR_US
"""Histograms are packed with cells of this width only: narrower ones are many times their bytes."""

OK = Outcome.OK - 1
SATURATED = OUTCOMES
"""Columns of counts: outcomes in their order, then saturated results."""

_LEVEL = 1
_COLUMNS = ("target", "place", "family", "ok", "minutes", "other_cell", "other_column", "other_count")
_BINS = ("bins", "bin", "count")

Numbers = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True, eq=False)
class PackedDay:
    """The cells of one width that begin in a day, before `until_us`, its end but for a day that goes on.

    They are a table: a row a target, place and family, a column a cell's time.

    `ok` and `minutes` (rows, columns) are those of `Cells`, 0 where there is no cell. What is not good is
    rare: `other_cell` is row * columns + column, beside it the column of its count, and the count.
    """

    width_us: int
    day: int
    until_us: int
    target_ids: tuple[str, ...]
    places: tuple[Place, ...]
    target: Int32
    place: Int32
    family: Int64
    ok: Numbers
    minutes: Numbers
    other_cell: Numbers
    other_column: Numbers
    other_count: Numbers

    @property
    def columns(self) -> int:
        """How many cells a day has."""
        return DAY_US // self.width_us

    def columns_in(self, span: Span) -> range:
        """The columns of the cells that begin in a span."""
        begin_us, width_us = self.day * DAY_US, self.width_us
        first = -(-(max(span.since_us, begin_us) - begin_us) // width_us)
        last = -(-(min(span.until_us, begin_us + DAY_US) - begin_us) // width_us)
        return range(first, last)


@dataclass(frozen=True, slots=True, eq=False)
class PackedBins:
    """The histograms of one timing beside a `PackedDay`: `bins` says how many each of its cells has.

    `bin` and `count` of all stand in the order of the cells.
    """

    bins: Numbers
    bin: Numbers
    count: Numbers


def packed(cells: Cells, day: int, until_us: int = FOREVER_US) -> tuple[PackedDay, dict[str, PackedBins]]:
    """The cells that begin in a day, and before a time, packed; and their histograms by timing."""
    cells, until_us = merged([cells]), min(until_us, (day + 1) * DAY_US)
    own = (cells.start_us >= day * DAY_US) & (cells.start_us < until_us)
    cells = cells if own.all() else cells.select(own)
    keys = (cells.target, cells.place, cells.family)
    _, first, row = np.unique(code_of(keys), return_index=True, return_inverse=True)
    targets, places = np.unique(cells.target[first]), np.unique(cells.place[first])
    columns = DAY_US // cells.width_us
    place = row * columns + (cells.start_us - day * DAY_US) // cells.width_us
    room = len(first) * columns
    outcomes = np.concatenate((cells.outcomes, cells.saturated[:, None]), axis=1)
    others = outcomes.copy()
    others[:, OK] = 0
    other, other_column = np.nonzero(others)
    whole = PackedDay(
        width_us=cells.width_us,
        day=day,
        until_us=until_us,
        target_ids=tuple(cells.target_ids[code] for code in targets),
        places=tuple(cells.places[code] for code in places),
        target=np.searchsorted(targets, cells.target[first]).astype(np.int32),
        place=np.searchsorted(places, cells.place[first]).astype(np.int32),
        family=cells.family[first],
        ok=_spread(outcomes[:, OK], place, room).reshape(-1, columns),
        minutes=_spread(cells.minutes, place, room).reshape(-1, columns),
        other_cell=_narrow(place[other]),
        other_column=_narrow(other_column),
        other_count=_narrow(others[other, other_column]),
    )
    return whole, {name: _bins(cells, code, place, room) for code, name in enumerate(cells.timings)}


def encoded(day: PackedDay) -> bytes:
    """A packed day as bytes, compressed."""
    head: dict[str, Any] = {"width_us": day.width_us, "day": day.day, "until_us": day.until_us}
    head |= {"targets": day.target_ids, "places": day.places}
    return _encoded(head, [(name, getattr(day, name)) for name in _COLUMNS])


def decoded(data: bytes) -> PackedDay:
    """The packed day that was encoded."""
    head, columns = _decoded(data)
    return PackedDay(
        width_us=head["width_us"],
        day=head["day"],
        until_us=head["until_us"],
        target_ids=tuple(head["targets"]),
        places=tuple(Place(*words) for words in head["places"]),
        **columns,
    )


def encoded_bins(bins: PackedBins) -> bytes:
    """Histograms as bytes, compressed."""
    return _encoded({}, [(name, getattr(bins, name)) for name in _BINS])


def decoded_bins(data: bytes) -> PackedBins:
    """The histograms that were encoded."""
    return PackedBins(**_decoded(data)[1])


def _bins(cells: Cells, timing: int, place: Int64, room: int) -> PackedBins:
    own = np.flatnonzero(cells.bin_timing == timing)
    at = place[cells.bin_cell[own]]
    order = own[np.lexsort((cells.bin[own], at))]
    return PackedBins(
        bins=_narrow(np.bincount(at, minlength=room)),
        bin=_narrow(cells.bin[order]),
        count=_narrow(cells.bin_count[order]),
    )


def _spread(column: npt.NDArray[Any], place: Int64, room: int) -> Numbers:
    narrow = _narrow(column)
    found = np.zeros(room, narrow.dtype)
    found[place] = narrow
    return found


def _narrow(column: npt.NDArray[Any]) -> Numbers:
    """The same numbers, none below 0, in as few bytes as the greatest needs."""
    kind: npt.DTypeLike = np.min_scalar_type(int(column.max(initial=0)))
    return column.astype(kind)


def _encoded(head: dict[str, Any], columns: Sequence[tuple[str, npt.NDArray[Any]]]) -> bytes:
    head["columns"] = [[name, column.dtype.str, column.shape] for name, column in columns]
    parts: Iterable[bytes] = (np.ascontiguousarray(column).tobytes() for _, column in columns)
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return zlib.compress(b"".join([text, b"\n", *parts]), _LEVEL)


def _decoded(data: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    plain = zlib.decompress(data)
    at = plain.index(b"\n") + 1
    head = json.loads(plain[:at])
    columns = {}
    for name, kind, shape in head["columns"]:
        number = int(np.prod(shape))
        column = np.frombuffer(plain, kind, number, at).reshape(shape)
        columns[name] = column
        at += column.nbytes
    return head, columns
