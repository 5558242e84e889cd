"""Calm: a while within a suspicion in which its cells were well, so that what came before it is over.

Two blips of one service within a minute are no outage: where probes are a minute apart the first cannot have
been withdrawn before the second begins. By the drop of a likelihood ratio (Page 1954), at the highest rate
that the rounds outside the calm bear out.
"""

import math

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.cells import LATE, OUTCOME, SLOW, Cells
from faultline_collector.correlate.evidence import RATES
from faultline_collector.correlate.layout import Floats
from faultline_collector.results import Int64, Mask

CALM_NATS, CALM_US = 12.0, 8_000_000
"""How much rather the rounds of a calm must have been well than not, and how long it lasts, microseconds.

In a large group a handful of rounds that go well by chance come within a second.
"""
CALM_FAILS = 0.02
"""Share of rounds that fail in a calm."""
BORNE_OUT, MOST_INSIDE = 0.8, 0.25
"""What share of a rate must have failed outside the calm, and may have within it."""


def calm_us(rectangle: Mask, cells: Cells, since_us: int, *, slow: bool) -> int:
    """When the deepest calm of these flat cells since then ended, or `since_us` where there was none."""
    cell = np.flatnonzero(rectangle)
    rounds, started = cells.rounds[cell], cells.started_us(cell)
    live = (rounds & OUTCOME != 0) & (rounds & LATE == 0) & (started >= since_us)
    code, at_us = rounds[live], started[live]
    order = np.argsort(at_us, kind="stable")
    failed = code & SLOW != 0 if slow else code & OUTCOME > Outcome.OK
    return max((_calm_us(failed[order], at_us[order], rate) for rate in RATES), default=0) or since_us


def _calm_us(failed: Mask, at_us: Int64, rate: float) -> int:
    """When the deepest calm at this rate ended; 0 for none."""
    if not failed.any():
        return 0
    speaks, denies = math.log(rate / CALM_FAILS), math.log((1 - rate) / (1 - CALM_FAILS))
    said: Floats = np.array((denies, speaks))[failed.astype(np.intp)]
    level = np.concatenate(([0.0], said.cumsum()))
    drop = np.maximum.accumulate(level) - level
    end = int(drop.argmax())
    begin = int(level[: end + 1].argmax())
    outside = np.concatenate((failed[:begin], failed[end:]))
    if drop[end] < CALM_NATS or at_us[end - 1] - at_us[begin] < CALM_US or not outside.any():
        return 0
    differs = failed[begin:end].mean() <= MOST_INSIDE * rate and outside.mean() >= BORNE_OUT * rate
    return int(at_us[end - 1]) + 1 if differs else 0
