"""Gaps in what agents deliver, and the seconds in which their silence says more than in the one before."""

from dataclasses import dataclass

import numpy as np

from faultline_collector.correlate.arrivals import SECOND_US, Arrivals, heard_before
from faultline_collector.correlate.cells import NEVER, Cells
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.results import Int64, Mask

NEVER_HEARD = 0
MANY_CELLS = 200
"""Of an agent with more cells a round is missing in nearly every second of its silence."""


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Agents that delivered nothing from `since_us` to `until_us`; before it these of the `arrivals`."""

    agent: Index
    since_us: Int64
    until_us: Int64
    before: tuple[Index, ...]


def gaps(arrivals: Arrivals, heard_us: Int64, patience_us: Floats, end_us: int) -> tuple[Gaps, Mask]:
    """The gaps longer than agents' patience, up to a time; and which arrivals are the first of their agents.

    `heard_us` is when each agent was last heard before these arrivals.
    """
    order = arrivals.by_agent
    agent, received = arrivals.agent[order], arrivals.received_us[order]
    before, starts = heard_before(arrivals, heard_us)
    first = np.zeros(agent.size, bool)
    first[order[before == NEVER_HEARD]] = True
    last = heard_us.copy()
    np.maximum.at(last, agent, received)
    closed = np.flatnonzero((received - before > patience_us[agent]) & (before != NEVER_HEARD))
    opened = np.flatnonzero((end_us - last > patience_us) & (last != NEVER_HEARD))
    who = np.concatenate((agent[closed], opened))
    upto = np.concatenate((closed, starts[opened + 1]))
    return (
        Gaps(
            who,
            np.concatenate((before[closed], last[opened])),
            np.concatenate((received[closed], np.full(opened.size, end_us))),
            tuple(order[a:b] for a, b in zip(starts[who], upto, strict=True)),
        ),
        first,
    )


def missing(cells: Cells, agent: int, before: Index, arrivals: Arrivals, due_us: int) -> tuple[float, float]:
    """When an agent that delivers nothing after these arrivals misses its first round, and how many by then.

    The time is inf, nearly, for an agent that has never probed.
    """
    cell = agent * cells.targets + np.arange(cells.targets)
    last, step_us = cells.last_us(cell), cells.interval_us
    mine = before[arrivals.use[before]]
    target = arrivals.cell[mine] % cells.targets
    started_us = cells.phase_us[arrivals.cell[mine]] + arrivals.slot[mine] * step_us[target]
    np.maximum.at(last, target, started_us)
    probed = last != NEVER
    first_us = (last + step_us)[probed].min(initial=np.iinfo(np.int64).max)
    rounds = np.maximum((due_us - last) // step_us, 0)[probed].sum()
    return float(first_us), float(rounds)


def seconds(time_us: Floats | Int64, first_us: int, ticks: int) -> Index:
    """In which of some seconds these times lie, and 0 or `ticks` where before or after them."""
    return ((time_us - first_us) // SECOND_US).clip(0, ticks).astype(np.intp)


def crowd(low: Index, high: Index, worth: Floats, least: float, ticks: int) -> Mask:
    """In which seconds more than one of these spans lie, worth so much together.

    One that ends before it begins is none.
    """

    def total(weights: Floats) -> Floats:
        begun = np.bincount(low, weights, minlength=ticks + 1)
        out: Floats = (begun - np.bincount(np.maximum(low, high), weights, minlength=ticks + 1)).cumsum()
        return out[:ticks]

    out: Mask = (total(np.ones(low.size)) > 1.5) & (total(worth) > least - 0.5)
    return out


def overlaps(which: Mask, low: Index, high: Index) -> Mask:
    """In which of these spans any of these seconds lies."""
    total = np.concatenate(([0], which.cumsum()))
    out: Mask = total[np.maximum(low, high)] > total[low]
    return out
