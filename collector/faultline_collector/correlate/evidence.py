"""Log-likelihood ratios of blocks of cells, over windows that end now and over loss rates.

The generalised likelihood ratio of Lorden (1971) on the rounds since a supposed onset; results from before it
do not vote.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from faultline.outcomes import Outcome
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.cells import (
    AWAITED,
    LATE,
    NEVER,
    OUTCOME,
    RETRY_FAILED,
    RETRY_OK,
    SLOW,
    Cells,
)
from faultline_collector.correlate.layout import Index
from faultline_collector.results import Int8, Mask

Floats = npt.NDArray[np.float64]

RATES = np.array([0.96, 0.65, 0.35, 0.16])
"""Shares of rounds that fail while a cause is active."""
RATE_COST = np.array([0.0, 0.7, 1.2, 2.0])
"""What supposing each rate costs, nats."""
LOG_FAIL = np.log(RATES)
LOG_OK = np.log1p(-RATES)
WINDOWS = 11
SHORTEST, LONGEST = 0.1, 8.0
"""Windows in intervals."""
SPREAD = np.array([0, 0, 0.04, 0.04, 0.03, 0.04, 0.03, 0.04])
"""Failures of each layer that are supposed beside those that were seen, by outcome."""
RETRY_FAILS = 0.3
"""How often a retry fails too when only a packet was lost."""


@cache
def windows_us(shortest_us: float, longest_us: float) -> Floats:
    """Geometric windows from a tenth of the shortest interval to eight of the longest, microseconds."""
    return np.geomspace(SHORTEST * shortest_us, LONGEST * longest_us, WINDOWS)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What the rounds of agents x targets say, summed over each window: arrays [windows, targets, agents].

    `surprise` is the sum of -ln p0 of failed rounds, `value` that with what their layers add when they agree,
    `failed` and `fine` count rounds (and retries). Agents come last: there are most of them.
    """

    agents: Index
    targets: Index
    windows_us: Floats
    surprise: Floats
    value: Floats
    failed: Floats
    fine: Floats
    layers: Floats

    def ratio(self, columns: Index | slice = slice(None), rows: Index | slice = slice(None)) -> Floats:
        """ln P(rounds | out) / P(rounds | fine) per agent over some targets: [windows, rates, agents]."""
        if not isinstance(columns, slice) and columns.size == self.targets.size:
            columns = slice(None)
        value, failed, fine = (
            part[:, columns][..., rows].sum(axis=1)[:, None] for part in (self.value, self.failed, self.fine)
        )
        out: Floats = value + failed * LOG_FAIL[:, None] + fine * LOG_OK[:, None]
        return out

    def ratios(self, sets: Floats, rows: Index) -> Floats:
        """The same over several sets of targets, [sets, targets] of ones: [windows, rates, sets, agents]."""
        value, failed, fine = (
            (sets @ part[..., rows])[:, None] for part in (self.value, self.failed, self.fine)
        )
        out: Floats = value + failed * LOG_FAIL[:, None, None] + fine * LOG_OK[:, None, None]
        return out


def weigh(cells: Cells, base: Baselines, agents: Index, targets: Index, now_us: int, masked: Mask) -> Block:
    """Sums the evidence of agents x targets; `masked` flat cells and late rounds weigh nothing.

    By baselines of slow rounds, those count as failed and what really failed not at all.
    """
    cell = (agents[None, :] * cells.targets + targets[:, None]).reshape(-1)
    steps = cells.interval_us[targets]
    windows = windows_us(float(steps.min()), float(steps.max()))
    rounds, age = cells.back(cell, np.repeat(steps, agents.size), now_us, int(windows[-1]))
    live = (rounds & OUTCOME != 0) & (rounds & LATE == 0)
    if base.slow:
        live &= rounds & OUTCOME == Outcome.OK
    oldest = np.minimum(now_us - cells.floor_us[cell], int(windows[-1]))
    oldest[masked[cell]] = NEVER
    live &= age <= oldest[:, None]
    at, back = np.nonzero(live)
    code, age_at = rounds[at, back], np.maximum(age[at, back], 0)
    outcome = code & OUTCOME
    bad = np.flatnonzero(code & SLOW if base.slow else outcome > Outcome.OK)
    bins = np.searchsorted(windows, age_at) * cell.size + at
    failures = outcome[bad]
    share = _layers(failures, age_at[bad] / float(steps.max()))
    gain = _focus(failures, np.log(share / base.layer_share))
    surprise, failed = base.p0(cell)[at], np.zeros(code.size)
    surprise[bad], failed[bad] = -np.log(surprise[bad]), 1.0
    waits = np.flatnonzero(code & AWAITED)
    surprise[waits] = np.minimum(surprise[waits], base.overdue[cell[at[waits]] // cells.targets])
    fine = 1.0 - failed
    _retry(code, surprise, failed, fine)
    value = surprise.copy()
    value[bad] += gain[failures]

    def total(bins: Index, weights: Floats) -> Floats:
        summed = np.bincount(bins, weights, cell.size * WINDOWS)
        out: Floats = summed.reshape(WINDOWS, targets.size, agents.size).cumsum(axis=0)
        return out

    return Block(
        agents,
        targets,
        windows,
        surprise=total(bins, surprise),
        value=total(bins, value),
        failed=total(bins, failed),
        fine=total(bins, fine),
        layers=np.bincount(failures, minlength=8).astype(np.float64),
    )


def _retry(code: Int8, surprise: Floats, failed: Floats, fine: Floats) -> None:
    """Adds what retries say to their rounds."""
    retried = np.flatnonzero(code & (RETRY_OK | RETRY_FAILED))
    if retried.size:
        again_ok, again_bad = code[retried] & RETRY_OK != 0, code[retried] & RETRY_FAILED != 0
        surprise[retried] -= again_bad * np.log(RETRY_FAILS) + again_ok * np.log1p(-RETRY_FAILS)
        failed[retried] += again_bad
        fine[retried] += again_ok


def _focus(outcome: npt.NDArray[np.integer[Any]], gain: Floats) -> Floats:
    """What each layer adds, less the cost of having chosen them by looking: nothing where they are mixed."""
    count = np.bincount(outcome, minlength=8)
    total = float(count @ gain)
    cost = 0.5 * (np.count_nonzero(count) - 1) * np.log(max(outcome.size, 1))
    return gain * max(0.0, 1.0 - cost / total) if total > 0 else np.zeros_like(gain)


def focused(failures: Floats, usual: Floats) -> Floats:
    """What a failure of each layer says at most beside failures [.., layers] of the same agents, nats."""
    out: Floats = np.maximum(np.log(_shares(failures) / usual), 0.0)
    return out


def _shares(failures: Floats) -> Floats:
    """The share of each layer among failures [.., layers], with a little doubt about every one."""
    out: Floats = np.maximum(
        (failures + SPREAD) / (failures.sum(axis=-1, keepdims=True) + SPREAD.sum()), 1e-9
    )
    return out


def _layers(outcome: npt.NDArray[np.integer[Any]], age: Floats) -> Floats:
    """The layers that a cause seems to have: the recent failures', with a little doubt about every other."""
    weight = np.exp2(-age)
    found = np.bincount(outcome, weights=weight, minlength=8)
    return _shares(found.astype(np.float64))
