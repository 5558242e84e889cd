"""Results made ready to be judged: who, what, which round and when, by the collector's clock."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultline.columns import TOTAL, Flag
from faultline.outcomes import Outcome
from faultline_collector.correlate.cells import Cells
from faultline_collector.correlate.clocks import Clocks
from faultline_collector.correlate.layout import Index, Layout
from faultline_collector.correlate.paces import Paces
from faultline_collector.results import Int8, Int64, Mask, ResultBatch, Source

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """n results in order of receipt, as columns of length n; times in microseconds.

    `tick` numbers the second that each belongs to, `slot` the round: what was asked for beyond the schedule
    is early news of the next round and never rewrites the last. `use` says which may speak about targets,
    `slow` which went well but slowly; `by_agent` is their order by agent, and of receipt for each.
    """

    tick: Index
    agent: Index
    cell: Index
    slot: Int64
    started_us: Int64
    received_us: Int64
    outcome: Int8
    attempt: Int8
    late: Mask
    use: Mask
    slow: Mask
    by_agent: Index

    @property
    def failed(self) -> Mask:
        """First attempts that failed, and are news."""
        out: Mask = self.use & (self.outcome != Outcome.OK) & (self.attempt == 0) & ~self.late
        return out


class Intake:
    """Numbers results by the layout and corrects their clocks; unknown agents and targets are left out."""

    def __init__(self, layout: Layout, cells: Cells, clocks: Clocks, paces: Paces, late_us: float) -> None:
        self._layout = layout
        self._cells = cells
        self._clocks = clocks
        self._paces = paces
        self._late_us = late_us
        self._agent_type = np.min_scalar_type(layout.shape[0])
        self._sources: tuple[Source, ...] | None = None
        self._target_ids: tuple[str, ...] | None = None
        self._row_of: Index = np.empty(0, np.intp)
        self._column_of: Index = np.empty(0, np.intp)

    def read(self, results: ResultBatch, first_us: int, ticks: int) -> Arrivals:
        """What has come, for `ticks` seconds from `first_us` on; what came earlier belongs to the first."""
        self._learn_words(results)
        agent, target = self._row_of[results.source], self._column_of[results.target]
        known = (agent >= 0) & (target >= 0)
        received = results.received_us
        if not known.all() or (received[1:] < received[:-1]).any():
            order = np.flatnonzero(known)
            order = order[np.argsort(received[order], kind="stable")]
            results, agent, target = results.select(order), agent[order], target[order]
            received = results.received_us
        started = results.judged_us
        took = results.timings_us[TOTAL] if len(results) else np.empty(0, np.int32)
        offset, late = self._clocks.correct(agent, started + took, received, self._late_us)
        started = started + offset
        cell = agent * self._layout.shape[1] + target
        tick = np.clip(-(-(received - first_us) // SECOND_US), 0, ticks - 1)
        slot = self._cells.begin(cell, started)
        asked = results.flags & Flag.ASKED != 0
        if asked.any():
            slot[asked] = self._cells.next_slot(cell[asked], started[asked])
        use = (results.outcome != Outcome.INCONCLUSIVE) & (results.flags & Flag.SATURATED == 0)
        well = use & (results.outcome == Outcome.OK) & ~late
        return Arrivals(
            tick=tick,
            agent=agent,
            cell=cell,
            slot=slot,
            started_us=started,
            received_us=received,
            outcome=results.outcome,
            attempt=results.attempt,
            late=late,
            use=use,
            slow=self._paces.slow(cell, took, well),
            by_agent=np.argsort(agent.astype(self._agent_type), kind="stable"),
        )

    def _learn_words(self, results: ResultBatch) -> None:
        layout = self._layout
        if results.sources is not self._sources:
            self._sources = results.sources
            self._row_of = np.array([layout.rows.get(s.agent_id, -1) for s in results.sources], np.intp)
        if results.target_ids is not self._target_ids:
            self._target_ids = results.target_ids
            self._column_of = np.array([layout.columns.get(t, -1) for t in results.target_ids], np.intp)


def heard_before(arrivals: Arrivals, heard_us: Int64) -> tuple[Int64, Index]:
    """When the agent of each arrival, in order of agents, was heard before it; and where each agent's begin.

    `heard_us` is when each agent was last heard before these arrivals.
    """
    order = arrivals.by_agent
    agent, received = arrivals.agent[order], arrivals.received_us[order]
    starts = agent.searchsorted(np.arange(heard_us.size + 1))
    begins = starts[:-1][np.diff(starts) > 0]
    before = np.empty_like(received)
    before[1:] = received[:-1]
    before[begins] = heard_us[agent[begins]]
    return before, starts


def runs(agent: Index, started_us: Int64, base_us: int) -> npt.NDArray[np.int64]:
    """Per agent the newest start so far, as ascending keys: agent in the high bits, see `key`."""
    order = np.argsort(agent, kind="stable")
    out: npt.NDArray[np.int64] = np.maximum.accumulate(key(agent[order], started_us[order], base_us))
    return out


def key(agent: Index, at_us: Int64, base_us: int) -> npt.NDArray[np.int64]:
    """An agent and a time as one number that sorts by both; times within 12 days of the base."""
    out: npt.NDArray[np.int64] = (agent.astype(np.int64) << 41) + np.clip(
        at_us - base_us + (1 << 40), 0, (1 << 41) - 1
    )
    return out
