"""Rounds that are overdue by their schedule, while their agent goes on delivering what it began later.

Such a round is taken for a timeout until it comes. An agent that is silent makes nothing overdue.
"""

from dataclasses import dataclass

import numpy as np

from faultline_collector.correlate.arrivals import SECOND_US, Arrivals, key, runs
from faultline_collector.correlate.cells import AWAITED, LATE, NEVER, OUTCOME, ROUNDS, Cells
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.results import Int64, Mask

GRACE_US = 2_500_000
"""How long after its planned start a round may come without being overdue, microseconds."""
GRACE_SHARE = 0.05
"""What is added to it for jitter, in intervals."""
VOUCH_US = 500_000
"""How much later its agent must have begun something that has come, microseconds; and its jitter."""
NO_TICK = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Overdue:
    """Rounds that become overdue, in order: in which tick, until which (or NO_TICK), and which."""

    tick: Int64
    until: Int64
    cell: Index
    slot: Int64
    started_us: Int64


class Waiting:
    """What is to come in an epoch no longer than the shortest interval, and who has delivered how far."""

    def __init__(self, cells: Cells, patience_us: Floats) -> None:
        self._cells = cells
        self._patience_us = patience_us
        self._frontier_us: Int64 = np.full(cells.agents, NEVER, np.int64)
        self._arrived: Int64 = np.full(cells.head.size, NO_TICK, np.int64)
        self._until_us = NEVER
        self._cell: Index = np.empty(0, np.intp)
        self._slot: Int64 = np.empty(0, np.int64)

    def plan(self, until_us: int) -> None:
        """Looks which rounds become due up to then; to be called once an epoch."""
        cells = self._cells
        since_us, self._until_us = self._until_us, until_us
        if since_us == NEVER:
            return
        due = self._due_us(np.arange(cells.head.size))
        soon = np.flatnonzero((due > since_us) & (due <= until_us) & (cells.head >= 0))
        newest = cells.rounds[soon, cells.head[soon] % ROUNDS]
        soon = soon[(newest & (AWAITED | LATE) == 0) & (newest & OUTCOME != 0)]
        self._cell = np.concatenate((self._cell, soon))
        self._slot = cells.head[self._cell] + 1

    def _planned_us(self, cell: Index) -> Int64:
        cells = self._cells
        out: Int64 = cells.phase_us[cell] + (cells.head[cell] + 1) * cells.interval_us[cell % cells.targets]
        return out

    def _due_us(self, cell: Index) -> Int64:
        jitter = (GRACE_SHARE * self._cells.interval_us).astype(np.int64)[cell % self._cells.targets]
        out: Int64 = self._planned_us(cell) + GRACE_US + jitter
        return out

    def find(self, arrivals: Arrivals, first_us: int, ticks: int) -> Overdue:
        """What becomes overdue in `ticks` seconds from `first_us` on, before these arrivals are entered."""
        last_us = first_us + (ticks - 1) * SECOND_US
        news = ~arrivals.late
        agent, started = arrivals.agent[news], arrivals.started_us[news]
        found = self._judge(arrivals, agent, started, arrivals.tick[news], first_us, last_us)
        np.maximum.at(self._frontier_us, agent, started)
        return found

    def _judge(
        self, arrivals: Arrivals, agent: Index, started: Int64, tick: Index, first_us: int, last_us: int
    ) -> Overdue:
        cells = self._cells
        nothing = Overdue(*(np.empty(0, np.int64) for _ in range(5)))
        if not self._cell.size:
            return nothing
        self._keep(cells.head[self._cell] < self._slot)
        due = np.maximum(-(-(self._due_us(self._cell) - first_us) // SECOND_US), 0)
        self._arrived[arrivals.cell[::-1]] = arrivals.tick[::-1]
        arrived = self._arrived[self._cell]
        self._arrived[arrivals.cell] = NO_TICK
        open_ = np.flatnonzero(arrived > due)
        open_ = open_[due[open_] <= (last_us - first_us) // SECOND_US]
        if not open_.size:
            self._keep(arrived == NO_TICK)
            return nothing
        cell = self._cell[open_]
        vouched, gap_us = self._vouched(cell, agent, started, tick, first_us)
        patient = gap_us <= self._patience_us[cell // cells.targets]
        at = np.where(patient, np.maximum(due[open_], vouched), NO_TICK)
        is_over = (at < arrived[open_]) & (at != NO_TICK)
        gone = arrived != NO_TICK
        gone[open_[is_over | ~patient]] = True
        old = first_us - self._due_us(self._cell) > self._patience_us[self._cell // cells.targets]
        over, when = open_[is_over], at[is_over]
        order = np.argsort(when, kind="stable")
        over, when = over[order], when[order]
        found = Overdue(
            when, arrived[over], self._cell[over], self._slot[over], self._planned_us(self._cell[over])
        )
        self._keep(~(gone | old))
        return found

    def _vouched(
        self, cell: Index, agent: Index, started: Int64, tick: Index, first_us: int
    ) -> tuple[Int64, Int64]:
        """In which tick each cell's agent has delivered a later start (or NO_TICK), and how much later."""
        cells = self._cells
        owner = cell // cells.targets
        planned = self._planned_us(cell)
        jitter = (GRACE_SHARE * cells.interval_us).astype(np.int64)[cell % cells.targets]
        needed = planned + VOUCH_US + jitter
        vouched: Int64 = np.where(self._frontier_us[owner] >= needed, 0, NO_TICK)
        gap: Int64 = np.zeros(cell.size, np.int64)
        if agent.size:
            held = runs(agent, started, first_us)
            order = np.argsort(agent, kind="stable")
            at = np.minimum(np.searchsorted(held, key(owner, needed, first_us)), held.size - 1)
            good = (agent[order][at] == owner) & (held[at] >= key(owner, needed, first_us))
            later = good & (vouched == NO_TICK)
            vouched = np.where(later, tick[order][at], vouched)
            gap = np.where(later, started[order][at] - needed, gap)
        return vouched, gap

    def _keep(self, which: Mask) -> None:
        self._cell, self._slot = self._cell[which], self._slot[which]
