"""The arrivals of some seconds, their bad news in order, and how far they have been entered as evidence."""

from dataclasses import dataclass

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.arrivals import Arrivals
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.correlate.overdue import Overdue
from faultline_collector.results import Int8


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What speaks for trouble: flat cells, what each says at most (nats), and how it ended.

    Those of a second end where `ends` says.
    """

    cell: Index
    nats: Floats
    outcome: Int8
    ends: list[int]

    def of(self, tick: int) -> tuple[Index, Floats, Int8]:
        """The news of one second."""
        which = slice(self.ends[tick - 1] if tick else 0, self.ends[tick])
        return self.cell[which], self.nats[which], self.outcome[which]

    def busy(self) -> Index:
        """The seconds that have any."""
        return np.flatnonzero(np.diff(self.ends, prepend=0))


class Block:
    """`news` of failing and of slowness; `entered` arrivals, and overdue rounds `upto` a second, are in."""

    def __init__(
        self, arrivals: Arrivals, overdue: Overdue, failing: Baselines, slowness: Baselines, ticks: int
    ) -> None:
        self.arrivals = arrivals
        self.overdue = overdue
        self.news = (_failures(arrivals, overdue, failing, ticks), _slow(arrivals, slowness, ticks))
        self.entered = 0
        self.upto = -1


def _failures(arrivals: Arrivals, overdue: Overdue, base: Baselines, ticks: int) -> News:
    failed = np.flatnonzero(arrivals.failed)
    cell = np.concatenate((arrivals.cell[failed], overdue.cell))
    timeouts = np.full(overdue.cell.size, Outcome.TIMEOUT, np.uint8)
    outcome = np.concatenate((arrivals.outcome[failed], timeouts))
    tick = np.concatenate((arrivals.tick[failed], overdue.tick))
    order = np.argsort(tick, kind="stable")
    nats = base.surprise(cell) - np.log(base.layer_share[outcome])
    return News(cell[order], nats[order], outcome[order], _ends(tick, ticks))


def _slow(arrivals: Arrivals, base: Baselines, ticks: int) -> News:
    slow = np.flatnonzero(arrivals.slow)
    cell = arrivals.cell[slow]
    return News(cell, base.surprise(cell), arrivals.outcome[slow], _ends(arrivals.tick[slow], ticks))


def _ends(tick: Index, ticks: int) -> list[int]:
    ends: list[int] = np.bincount(tick, minlength=ticks).cumsum().tolist()
    return ends
