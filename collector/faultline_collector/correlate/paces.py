"""How long each cell's probes usually take: what is much slower than that is slow for this cell.

Medians and spreads follow slowly (a step up or down a round), so that a lasting change of route becomes usual
within minutes, and a tail of outliers moves nothing.
"""

import numpy as np
import numpy.typing as npt

from faultline_collector.correlate.layout import Index
from faultline_collector.results import Int64, Mask

STEP, FIRST_STEP = 0.03, 0.2
"""How far a median moves with a round, in log time; and in its first rounds."""
LEARNING = 8
"""Rounds that a cell learns from before any is called slow."""
SLOW_LOG, SLOW_SPREADS = 0.35, 5.0
"""Slow is this much more in log time, and this many usual deviations."""


class Paces:
    """Median and mean deviation of log time per flat cell; what is noted counts from the next epoch on.

    A cell learns what it noted when it is next read, so that no moment has to go through all of them.
    `least_us`: how much longer than usual, microseconds, is the least that is slow.
    """

    def __init__(self, cells: int, least_us: float) -> None:
        self._least_us = least_us
        self._median = np.zeros(cells, np.float32)
        self._spread = np.full(cells, 0.1, np.float32)
        self._rounds = np.zeros(cells, np.uint8)
        self._log = np.zeros(cells, np.float32)
        self._noted = np.zeros(cells, np.int32)
        self._epoch = 1
        self._frozen: Mask = np.zeros(cells, bool)

    def slow(self, cell: Index, took_us: npt.NDArray[np.int32], well: Mask) -> Mask:
        """Which of these went well but slowly; what went well is noted."""
        out = np.zeros(cell.size, bool)
        at = np.flatnonzero(well & (took_us > 0))
        cell, took = cell[at], took_us[at]
        self._learn(cell)
        log = np.log(took)
        usual = self._median[cell]
        over = log - usual > np.maximum(SLOW_LOG, SLOW_SPREADS * self._spread[cell])
        out[at[over]] = (took[over] - np.exp(usual[over]) > self._least_us) & (
            self._rounds[cell[over]] >= LEARNING
        )
        self._log[cell] = log
        self._noted[cell] = self._epoch
        return out

    def turn(self, frozen_until_us: Int64, now_us: int) -> None:
        """Begins an epoch: what was noted before counts, except of cells that are frozen now."""
        self._epoch += 1
        self._frozen = frozen_until_us >= now_us

    def _learn(self, cell: Index) -> None:
        """Learns what these cells noted in earlier epochs, once."""
        noted = self._noted[cell]
        cell = cell[(noted > 0) & (noted < self._epoch) & ~self._frozen[cell]]
        self._noted[cell] = 0
        log = self._log[cell]
        new = self._rounds[cell] == 0
        self._median[cell[new]] = log[new]
        off = log - self._median[cell]
        step = np.where(self._rounds[cell] < LEARNING, FIRST_STEP, STEP)
        self._median[cell] += np.clip(off, -step, step)
        self._spread[cell] += STEP * np.clip(np.abs(off) - self._spread[cell], -1.0, 1.0)
        self._rounds[cell] = np.minimum(self._rounds[cell], 254) + 1

    def take_over(self, old: "Paces", mine: Index, theirs: Index) -> None:
        """Takes over what was learned of common cells."""
        self._epoch = old._epoch
        for name in ("_median", "_spread", "_rounds", "_log", "_noted"):
            getattr(self, name)[mine] = getattr(old, name)[theirs]
