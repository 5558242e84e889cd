"""Roll-ups: what results of one target, place, address family and stretch of time come to. Pure.

Only scheduled results count: where and when agents are asked for more depends on what fails (`scheduled`).

Percentiles come from a histogram as HdrHistogram has it (Gil Tene, hdrhistogram.org): 32 bins of equal width
to each power of two, exact below 64 us. Bins are found with whole numbers only, so that every store finds the
same. A percentile is the middle of the bin in which the result of that rank lies: at most 1/64 (1.6 %) from
its timing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED, Flag
from faultline.outcomes import Outcome
from faultline_collector.results import Int32, Int64, Mask, ResultBatch, UInt64
from faultline_collector.stores.order import MINUTE_US
from faultline_collector.stores.places import Place, PlacedResults
from faultline_collector.stores.summary import OUTCOMES, Summary

FIVE_MINUTES_US = 5 * MINUTE_US
HOUR_US = 60 * MINUTE_US
WIDTHS_US = (FIVE_MINUTES_US, HOUR_US)
"""How wide cells are; each width divides the next, and none has more minutes than a mask has bits."""

PERCENTILE_ERROR = 1 / 64
"""The most by which a percentile differs from the timing it stands for, relative to that timing."""

SUB_BITS = 5
"""Each power of two is divided into 2 to the power of this bins."""

_SUB = 1 << SUB_BITS


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """n cells as columns. `outcomes` (n, 8) counts unsaturated results by outcome, `saturated` the others.

    Bit m of `minutes` stands for minute m of the cell: something was told in it (`told`). Histograms are bins
    with a count each, by cell and timing, over good results. Cells may be partial: several for the same keys,
    to be added up (`merged`).
    """

    width_us: int
    target_ids: tuple[str, ...]
    target: Int32
    places: tuple[Place, ...]
    place: Int32
    family: Int64
    start_us: Int64
    outcomes: Int64
    saturated: Int64
    minutes: UInt64
    timings: tuple[str, ...]
    bin_cell: Int64
    bin_timing: Int64
    bin: Int64
    bin_count: Int64

    def __len__(self) -> int:
        return len(self.start_us)

    def select(self, keep: Mask) -> "Cells":
        """The cells that a mask names, with their bins."""
        of_kept = keep[self.bin_cell]
        columns = ("target", "place", "family", "start_us", "outcomes", "saturated", "minutes")
        bins = ("bin_timing", "bin", "bin_count")
        return replace(
            self,
            bin_cell=(np.cumsum(keep) - 1)[self.bin_cell[of_kept]],
            **{name: getattr(self, name)[keep] for name in columns},
            **{name: getattr(self, name)[of_kept] for name in bins},
        )


def fold(placed: PlacedResults, width_us: int) -> Cells:
    """The cells of scheduled results, each once, ordered by start, target, place and family."""
    placed = placed.select(scheduled(placed.results))
    results = placed.results
    start = results.judged_us // width_us * width_us
    minute = (results.judged_us - start) // MINUTE_US
    bit = np.where(told(results), np.left_shift(np.uint64(1), minute.astype(np.uint64)), np.uint64(0))
    timings = tuple(sorted(results.timings_us))
    measured = [np.flatnonzero(good(results) & (results.timings_us[t] != NOT_REACHED)) for t in timings]
    empty = np.empty(0, np.int64)
    bins = [bin_of(results.timings_us[t][i]) for t, i in zip(timings, measured, strict=True)]
    every = Cells(
        width_us=width_us,
        target_ids=results.target_ids,
        target=results.target,
        places=placed.places,
        place=placed.place,
        family=results.family.astype(np.int64),
        start_us=start,
        outcomes=one_each(results),
        saturated=saturated(results).astype(np.int64),
        minutes=bit,
        timings=timings,
        bin_cell=np.concatenate([empty, *measured]),
        bin_timing=np.repeat(np.arange(len(timings)), [len(i) for i in measured]),
        bin=np.concatenate([empty, *bins]),
        bin_count=np.ones(sum(map(len, measured)), np.int64),
    )
    return _summed(every)


def merged(parts: Sequence[Cells]) -> Cells:
    """The sum of cells of one width, each once, ordered as in `fold`; there must be one part at least."""
    return _summed(_beside(parts))


def _summed(cells: Cells) -> Cells:
    keys = (cells.start_us, cells.target, cells.place, cells.family)
    _, first, cell = np.unique(code_of(keys), return_index=True, return_inverse=True)
    number = len(first)
    outcomes, saturated_, minutes = (
        np.zeros((number, OUTCOMES), np.int64),
        np.zeros(number, np.int64),
        np.zeros(number, np.uint64),
    )
    np.add.at(outcomes, cell, cells.outcomes)
    np.add.at(saturated_, cell, cells.saturated)
    np.bitwise_or.at(minutes, cell, cells.minutes)
    owner = cell[cells.bin_cell]
    code = code_of((owner, cells.bin_timing, cells.bin))
    _, bin_first, place = np.unique(code, return_index=True, return_inverse=True)
    count = np.zeros(len(bin_first), np.int64)
    np.add.at(count, place, cells.bin_count)
    return replace(
        cells,
        target=cells.target[first],
        place=cells.place[first],
        family=cells.family[first],
        start_us=cells.start_us[first],
        outcomes=outcomes,
        saturated=saturated_,
        minutes=minutes,
        bin_cell=owner[bin_first],
        bin_timing=cells.bin_timing[bin_first],
        bin=cells.bin[bin_first],
        bin_count=count,
    )


def _beside(parts: Sequence[Cells]) -> Cells:
    """All cells in one, dictionaries joined in order of their words."""
    if len(parts) == 1:
        return parts[0]
    targets = tuple(sorted({word for part in parts for word in part.target_ids}))
    places = tuple(sorted({word for part in parts for word in part.places}))
    timings = tuple(sorted({word for part in parts for word in part.timings}))
    offsets = np.cumsum([0, *map(len, parts)])
    return Cells(
        width_us=parts[0].width_us,
        target_ids=targets,
        target=np.concatenate([_recoded(p.target_ids, targets)[p.target] for p in parts]),
        places=places,
        place=np.concatenate([_recoded(p.places, places)[p.place] for p in parts]),
        family=np.concatenate([p.family for p in parts]),
        start_us=np.concatenate([p.start_us for p in parts]),
        outcomes=np.concatenate([p.outcomes for p in parts]),
        saturated=np.concatenate([p.saturated for p in parts]),
        minutes=np.concatenate([p.minutes for p in parts]),
        timings=timings,
        bin_cell=np.concatenate([p.bin_cell + at for p, at in zip(parts, offsets, strict=False)]),
        bin_timing=np.concatenate([_recoded(p.timings, timings)[p.bin_timing] for p in parts]),
        bin=np.concatenate([p.bin for p in parts]),
        bin_count=np.concatenate([p.bin_count for p in parts]),
    )


def _recoded(words: Sequence[object], among: Sequence[object]) -> Int32:
    places = {word: place for place, word in enumerate(among)}
    return np.array([places[word] for word in words], np.int32)


def scheduled(results: ResultBatch) -> Mask:
    """Which results agents brought by themselves; those asked for on a suspicion would bias every share."""
    own: Mask = (results.flags & Flag.ASKED) == 0
    return own


def saturated(results: ResultBatch) -> Mask:
    """Which results an agent measured while it was too busy to measure rightly."""
    busy: Mask = (results.flags & Flag.SATURATED) != 0
    return busy


def told(results: ResultBatch) -> Mask:
    """Which results tell something of their target."""
    conclusive: Mask = results.outcome != Outcome.INCONCLUSIVE
    return conclusive & ~saturated(results)


def good(results: ResultBatch) -> Mask:
    """Which results are good, so that their timings count."""
    ok: Mask = results.outcome == Outcome.OK
    return ok & ~saturated(results)


def one_each(results: ResultBatch) -> Int64:
    """A row of eight for each result, with 1 in the column of its outcome; all 0 for a saturated one."""
    rows: Int64 = (results.outcome[:, None] == np.arange(1, OUTCOMES + 1)).astype(np.int64)
    return rows * ~saturated(results)[:, None]


def bin_of(timing_us: npt.NDArray[np.int32] | Int64) -> Int64:
    """The bin of each timing (0 or more microseconds)."""
    timing = timing_us.astype(np.int64)
    _, exponent = np.frexp(timing)
    shift = np.maximum(exponent - SUB_BITS - 1, 0)
    bins: Int64 = shift * _SUB + (timing >> shift)
    return bins


def middle_us(bins: Int64) -> Int64:
    """The middle of each bin in microseconds, rounded down."""
    shift = np.maximum(bins // _SUB - 1, 0)
    low = (bins - shift * _SUB) << shift
    middle: Int64 = low + ((np.int64(1) << shift) - 1) // 2
    return middle


def timed(summary: Summary) -> Int64:
    """How many results of each row have the timing that was asked for."""
    return np.bincount(summary.bin_row, summary.bin_count, len(summary)).astype(np.int64)


def percentile_us(summary: Summary, share: float) -> Int64:
    """By nearest rank: the timing that at least `share` of a row's results do not exceed; -1 without any."""
    ends = np.searchsorted(summary.bin_row, np.arange(len(summary) + 1))
    running = np.concatenate(([0], np.cumsum(summary.bin_count)))
    total = running[ends[1:]] - running[ends[:-1]]
    rank = np.maximum(1, np.ceil(np.round(share * total, 9)).astype(np.int64))
    place = np.searchsorted(running[1:], running[ends[:-1]] + rank)
    out = np.full(len(summary), -1, np.int64)
    some = total > 0
    out[some] = middle_us(summary.bin[place[some]])
    return out


def code_of(columns: Sequence[npt.NDArray[np.integer]]) -> Int64:
    """One number for the columns together, in their order, equal where they are all equal."""
    code, room = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        if not len(column):
            break
        low, span = int(column.min()), int(column.max()) - int(column.min()) + 1
        if room * span >= 2**62:
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
            room = int(code.max()) + 1
        code = code * span + (column.astype(np.int64) - low)
        room *= span
    return code
