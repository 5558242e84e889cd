"""Rounds that are overdue by their schedule, while their agent goes on delivering what it began later.

Such a round is taken for a timeout until it comes. An agent that is silent makes nothing overdue.
"""

from dataclasses import dataclass

import numpy as np

from faultline_collector.correlate.arrivals import SECOND_US, Arrivals, heard_before, key, runs
from faultline_collector.correlate.cells import AWAITED, LATE, NEVER, OUTCOME, ROUNDS, Cells
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.results import Int64

GRACE_US = 2_500_000
"""How long after its planned start a round may come without being overdue, microseconds."""
GRACE_SHARE = 0.05
"""What is added to it for jitter, in intervals."""
VOUCH_US = 500_000
"""How much later its agent must have begun something that has come, microseconds; and its jitter."""
GAP_US, GAP_ROUNDS = 8_000_000, 4.0
"""How long, microseconds and rounds, nothing may have come of an agent for what is late to mean anything."""
NO_TICK = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Overdue:
    """Rounds that become overdue, in order: in which tick, until which (or NO_TICK), and which."""

    tick: Int64
    until: Int64
    cell: Index
    slot: Int64
    started_us: Int64


class Batch:
    """Flat cells with a round to come each, and when it will be overdue, microseconds."""

    def __init__(self, cell: Index, due_us: Int64) -> None:
        self._cell = cell
        self._due_us = due_us
        self.first_us = int(due_us.min(initial=NO_TICK))
        self.since_s = 0

    def until(self, last_us: int) -> tuple[Index, Int64]:
        """Takes out what is due till then; `first_us` is when the next one is, NO_TICK when none is left."""
        due = self._due_us <= last_us
        taken = self._cell[due], self._due_us[due]
        self._cell, self._due_us = self._cell[~due], self._due_us[~due]
        self.first_us = int(self._due_us.min(initial=NO_TICK))
        return taken


class Waiting:
    """What is to come, by what came before it, and who has delivered how far.

    A result lets its cell's next round be waited for from the next epoch on, which is no longer than the
    shortest interval. A cell of which anything comes meanwhile is not waited for.
    """

    def __init__(self, cells: Cells, rate_s: Floats) -> None:
        self._cells = cells
        self._patience_us = np.maximum(GAP_US, GAP_ROUNDS * 1e6 / np.clip(rate_s, 1e-6, 1.0))
        self._frontier_us: Int64 = np.full(cells.agents, NEVER, np.int64)
        self._heard_us: Int64 = np.zeros(cells.agents, np.int64)
        self._back_us: Int64 = np.zeros(cells.agents, np.int64)
        self._came_s: Int64 = np.full(cells.head.size, NEVER, np.int64)
        self._grace_us = GRACE_US + (GRACE_SHARE * cells.interval_us).astype(np.int64)
        self._steps = np.unique(cells.interval_us)
        self._fresh: list[Batch] = []
        self._batches: list[Batch] = []
        self._cell: Index = np.empty(0, np.intp)

    def turn(self, epoch_us: int) -> None:
        """Begins an epoch: waits for what follows the results of the one before."""
        for batch in self._fresh:
            batch.until(epoch_us)
            batch.since_s = epoch_us // SECOND_US
        self._batches += self._fresh
        self._fresh = []

    def await_all(self) -> None:
        """Waits for the next round of every cell, as after its last result."""
        cells = self._cells
        cell = np.flatnonzero(cells.head >= 0)
        newest = cells.rounds[cell, cells.head[cell] % ROUNDS]
        cell = cell[(newest & (AWAITED | LATE) == 0) & (newest & OUTCOME != 0)]
        self._follow(cell, cells.head[cell])

    def _follow(self, cell: Index, slot: Int64) -> None:
        """Notes that what follows these rounds is to be waited for."""
        cells = self._cells
        target = cell % cells.targets
        step = cells.interval_us[target]
        due = cells.phase_us[cell] + (slot + 1) * step + self._grace_us[target]
        for one in self._steps:
            same = step == one
            self._fresh.append(Batch(cell[same], due[same]))

    def _planned_us(self, cell: Index) -> Int64:
        cells = self._cells
        out: Int64 = cells.phase_us[cell] + (cells.head[cell] + 1) * cells.interval_us[cell % cells.targets]
        return out

    def _due_us(self, cell: Index) -> Int64:
        out: Int64 = self._planned_us(cell) + self._grace_us[cell % self._cells.targets]
        return out

    def find(self, arrivals: Arrivals, first_us: int, ticks: int) -> Overdue:
        """What becomes overdue in `ticks` seconds from `first_us` on, before these arrivals are entered."""
        last_us = first_us + (ticks - 1) * SECOND_US
        news = arrivals.by_agent[~arrivals.late[arrivals.by_agent]]
        agent, started = arrivals.agent[news], arrivals.started_us[news]
        self._take_due(last_us)
        self._came_s[arrivals.cell[::-1]] = first_us // SECOND_US + arrivals.tick[::-1]
        returns = self._returns(arrivals)
        found = self._judge(arrivals, news, returns, first_us)
        np.maximum.at(self._heard_us, arrivals.agent, arrivals.received_us)
        self._back_us[arrivals.agent[returns]] = arrivals.received_us[returns]
        np.maximum.at(self._frontier_us, agent, started)
        entered = arrivals.use & ~arrivals.late
        self._follow(arrivals.cell[entered], arrivals.slot[entered])
        return found

    def _take_due(self, last_us: int) -> None:
        """Waits closely for what is due till then, where nothing has come since it was waited for."""
        taken = [self._cell]
        for batch in self._batches:
            if batch.first_us <= last_us:
                cell, due = batch.until(last_us)
                taken.append(cell[(self._due_us(cell) == due) & (self._came_s[cell] < batch.since_s)])
        self._batches = [batch for batch in self._batches if batch.first_us != NO_TICK]
        self._cell = np.concatenate(taken)

    def _returns(self, arrivals: Arrivals) -> Index:
        """Which arrivals, in order of agents, ended a silence: what was lost or kept in it is not overdue."""
        order = arrivals.by_agent
        before, _ = heard_before(arrivals, self._heard_us)
        gap_us = arrivals.received_us[order] - before
        return order[(gap_us > self._patience_us[arrivals.agent[order]]) & (before > 0)]

    def _returned_us(self, agent: Index, at: Int64, arrivals: Arrivals, returns: Index) -> Int64:
        """When each of these agents was last back from a silence, by these ticks."""
        out = self._back_us[agent]
        for row in returns:
            since = (agent == arrivals.agent[row]) & (at >= arrivals.tick[row])
            out[since] = arrivals.received_us[row]
        return out

    def _judge(self, arrivals: Arrivals, news: Index, returns: Index, first_us: int) -> Overdue:
        cells = self._cells
        nothing = Overdue(*(np.empty(0, np.int64) for _ in range(5)))
        if not self._cell.size:
            return nothing
        due = np.maximum(-(-(self._due_us(self._cell) - first_us) // SECOND_US), 0)
        came = self._came_s[self._cell] - first_us // SECOND_US
        arrived = np.where(came >= 0, came, NO_TICK)
        open_ = np.flatnonzero(arrived > due)
        cell = self._cell[open_]
        vouched, gap_us = self._vouched(cell, arrivals, news, first_us)
        patient = gap_us <= self._patience_us[cell // cells.targets]
        at = np.maximum(due[open_], vouched)
        patient &= self._planned_us(cell) >= self._returned_us(cell // cells.targets, at, arrivals, returns)
        at[~patient] = NO_TICK
        is_over = (at < arrived[open_]) & (at != NO_TICK)
        gone = arrived != NO_TICK
        gone[open_[is_over | ~patient]] = True
        old = first_us - self._due_us(self._cell) > self._patience_us[self._cell // cells.targets]
        over, when = open_[is_over], at[is_over]
        order = np.lexsort((self._cell[over], when))
        over, when = over[order], when[order]
        cell = self._cell[over]
        found = Overdue(when, arrived[over], cell, cells.head[cell] + 1, self._planned_us(cell))
        self._cell = self._cell[~(gone | old)]
        return found

    def _vouched(self, cell: Index, arrivals: Arrivals, news: Index, first_us: int) -> tuple[Int64, Int64]:
        """In which tick each cell's agent has delivered a later start (or NO_TICK), and how much later."""
        agent, started, tick = arrivals.agent[news], arrivals.started_us[news], arrivals.tick[news]
        cells = self._cells
        owner = cell // cells.targets
        planned = self._planned_us(cell)
        needed = planned + VOUCH_US + self._grace_us[cell % cells.targets] - GRACE_US
        vouched: Int64 = np.where(self._frontier_us[owner] >= needed, 0, NO_TICK)
        gap: Int64 = np.zeros(cell.size, np.int64)
        if agent.size:
            held = runs(agent, started, first_us)
            at = np.minimum(np.searchsorted(held, key(owner, needed, first_us)), held.size - 1)
            good = (agent[at] == owner) & (held[at] >= key(owner, needed, first_us))
            later = good & (vouched == NO_TICK)
            vouched = np.where(later, tick[at], vouched)
            gap = np.where(later, started[at] - needed, gap)
        return vouched, gap
