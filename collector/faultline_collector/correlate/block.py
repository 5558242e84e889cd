"""The arrivals of some seconds, their bad news in order, and how far they have been entered as evidence."""

from dataclasses import dataclass

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.arrivals import Arrivals
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.correlate.overdue import Overdue


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What speaks for trouble: in which second, of which flat cell, and how much it says at most, nats."""

    tick: Index
    cell: Index
    nats: Floats

    def of(self, tick: int) -> tuple[Index, Floats]:
        """The news of one second."""
        first, last = np.searchsorted(self.tick, (tick, tick + 1))
        return self.cell[first:last], self.nats[first:last]


class Block:
    """`news` of failing and of slowness; `entered` arrivals, and overdue rounds `upto` a second, are in."""

    def __init__(self, arrivals: Arrivals, overdue: Overdue, failing: Baselines, slowness: Baselines) -> None:
        self.arrivals = arrivals
        self.overdue = overdue
        self.news = (_failures(arrivals, overdue, failing), _slow(arrivals, slowness))
        self.entered = 0
        self.upto = -1


def _failures(arrivals: Arrivals, overdue: Overdue, base: Baselines) -> News:
    failed = np.flatnonzero(arrivals.failed)
    cell = np.concatenate((arrivals.cell[failed], overdue.cell))
    timeouts = np.full(overdue.cell.size, Outcome.TIMEOUT, np.uint8)
    outcome = np.concatenate((arrivals.outcome[failed], timeouts))
    tick = np.concatenate((arrivals.tick[failed], overdue.tick))
    order = np.argsort(tick, kind="stable")
    nats = base.surprise[cell] - np.log(base.layer_share[outcome])
    return News(tick[order], cell[order], nats[order])


def _slow(arrivals: Arrivals, base: Baselines) -> News:
    slow = np.flatnonzero(arrivals.slow)
    cell = arrivals.cell[slow]
    return News(arrivals.tick[slow], cell, base.surprise[cell])
