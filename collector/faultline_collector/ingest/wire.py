"""Columns of the wire, those of many batches end to end."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED, TIMING_NAME, TOTAL
from faultline_collector.results import Int8, Int32, Int64, UInt64

_FEW = 64
"""Columns shorter than this are gathered by way of a list: making each an array would cost more."""

Columns: TypeAlias = Sequence[Sequence[int]]
"""One column of each batch: with an entry per result, or with none where every entry is the default."""


class BadBatch(Exception):
    """Raised when a batch cannot be read as columns; `reason` is the word for its rejection."""

    def __init__(self, sentence: str, *, reason: str = "bad_columns") -> None:
        super().__init__(sentence)
        self.reason = reason


class Wire:
    """The rows of batches with so many results each; every method gives one column of all rows."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._counts = list(counts)
        self._widths = np.array(self._counts, np.int64)
        self._begins = np.cumsum(self._widths) - self._widths
        self._rows = sum(self._counts)

    def spread(self, values: Sequence[int], kind: type[Any]) -> npt.NDArray[Any]:
        """One value a batch, repeated for each of its rows."""
        return np.repeat(np.array(values, kind), self._widths)

    def counted(self, firsts: Sequence[int]) -> UInt64:
        """Numbers that rise by one from the first of each batch on."""
        begins = np.array(firsts, np.uint64) - self._begins.astype(np.uint64)
        out: UInt64 = np.arange(self._rows, dtype=np.uint64) + np.repeat(begins, self._widths)
        return out

    def summed(self, name: str, columns: Columns) -> Int64:
        """Sums of a column's entries from the begin of its batch on; the column must be there."""
        for column, count in zip(columns, self._counts, strict=True):
            if not column:
                raise BadBatch(f"column {name} has 0 entries for {count} results")
        sums = np.cumsum(self._joined(name, columns), dtype=np.int64)
        before = np.append(np.int64(0), sums)[self._begins]
        out: Int64 = sums - np.repeat(before, self._widths)
        return out

    def unsigned(self, name: str, columns: Columns, kind: type[Any]) -> npt.NDArray[Any]:
        """A column of whole numbers that must fit `kind`."""
        if not any(columns):
            return np.zeros(self._rows, kind)
        joined = self._joined(name, columns)
        _check_most(name, int(np.maximum.reduce(joined)), int(np.iinfo(kind).max))
        return joined.astype(kind)

    def coded(self, name: str, columns: Columns, codes: Sequence[Sequence[int]]) -> Int32:
        """What a column of places means: `codes` holds for each batch what stands at each place."""
        sizes = np.array([len(places) for places in codes], np.int64)
        table = np.fromiter(chain.from_iterable(codes), np.int32, int(sizes.sum()))
        place = np.repeat(np.cumsum(sizes) - sizes, self._widths)
        if any(columns):
            joined = self._joined(name, columns).astype(np.int64)
            beyond = joined >= np.repeat(sizes, self._widths)
            if beyond.any():
                _check_most(name, int(joined[beyond].max()), int(sizes.min()) - 1)
            place += joined
        out: Int32 = table[place]
        return out

    def outcomes(self, columns: Columns) -> Int8:
        """The column of outcomes; what is outside of a byte becomes 0, which is no outcome."""
        if not any(columns):
            return np.zeros(self._rows, np.uint8)
        joined = self._joined("outcome", columns)
        if np.maximum.reduce(joined) > 255 or np.minimum.reduce(joined) < 0:
            joined = np.where((joined < 0) | (joined > 255), 0, joined)
        return joined.astype(np.uint8)

    def timings(self, batches: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Int32]:
        """Named columns; one that a batch does not have was not reached there, and total is always given."""
        names = dict.fromkeys(name for timings in batches for name in timings)
        for name in names:
            if TIMING_NAME.fullmatch(name) is None:
                raise BadBatch(f"timing {name[:40]!r} is not a name like first_byte")
        return {name: self._timing(name, batches) for name in (*names, *{TOTAL}.difference(names))}

    def _timing(self, name: str, batches: Sequence[Mapping[str, Sequence[int]]]) -> Int32:
        columns: list[Sequence[int]] = []
        for timings, count in zip(batches, self._counts, strict=True):
            column = timings.get(name)
            columns.append([NOT_REACHED] * count if column is None else column)
        joined = self._joined(name, columns)
        lowest = int(np.minimum.reduce(joined))
        if lowest < NOT_REACHED:
            raise BadBatch(f"timing {name} holds {lowest}, at least {NOT_REACHED} is allowed")
        return joined.astype(np.int32, copy=False)

    def _joined(self, name: str, columns: Columns) -> npt.NDArray[Any]:
        lengths = list(map(len, columns))
        if lengths != self._counts:
            columns = self._filled(name, columns)
        if self._rows >= _FEW * len(columns):
            return np.concatenate([np.array(column) for column in columns])
        values: list[int] = []
        for column in columns:
            values.extend(column)
        return np.array(values, np.int64)

    def _filled(self, name: str, columns: Columns) -> Columns:
        filled = []
        for column, count in zip(columns, self._counts, strict=True):
            if column and len(column) != count:
                raise BadBatch(f"column {name} has {len(column)} entries for {count} results")
            filled.append(column or [0] * count)
        return filled


def _check_most(name: str, highest: int, most: int) -> None:
    if highest > most:
        raise BadBatch(f"column {name} holds {highest}, at most {most} is allowed")
