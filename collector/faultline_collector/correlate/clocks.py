"""How late each agent's results come by its own clock, as a running median."""

import numpy as np
import numpy.typing as npt

from faultline_collector.correlate.layout import Index
from faultline_collector.results import Int64, Mask

KEPT = 32
"""Delays that an agent's median is taken of."""


class Clocks:
    """Per agent the median of received - started - total: clock error and usual lag in one."""

    def __init__(self, agents: int) -> None:
        self._delays = np.zeros((agents, KEPT))
        self._count = np.zeros(agents, np.int64)
        self._judged = np.zeros(agents, np.int64)
        self.median_us = np.zeros(agents)

    def correct(
        self, agent: Index, ended_us: Int64, received_us: Int64, late_us: float
    ) -> tuple[Int64, Mask]:
        """What to add to each result's start, and which results come late; late ones move no clock.

        Results are in order of receipt. Medians stay as they are until `settle`; an agent's first result
        stands for its median till then.
        """
        delay = (received_us - ended_us).astype(np.float64)
        new = np.flatnonzero(self._count[agent] == 0)
        if new.size:
            self.median_us[agent[new][::-1]] = delay[new][::-1]
        late = delay - self.median_us[agent] > late_us
        self._learn(agent[~late], delay[~late])
        return self.median_us[agent].astype(np.int64), late

    def settle(self) -> None:
        """Takes the medians anew."""
        moved = np.flatnonzero(self._count != self._judged)
        if moved.size:
            self._settle(moved)

    def _learn(self, agent: Index, delay: npt.NDArray[np.float64]) -> None:
        order = np.argsort(agent, kind="stable")
        agent, delay = agent[order], delay[order]
        firsts = np.searchsorted(agent, agent)
        rank = np.arange(agent.size) - firsts
        self._delays[agent, (self._count[agent] + rank) % KEPT] = delay
        np.add.at(self._count, agent, 1)

    def _settle(self, agent: Index) -> None:
        held = np.minimum(self._count[agent], KEPT)
        delays = np.where(np.arange(KEPT) < held[:, None], self._delays[agent], np.inf)
        delays.sort(axis=1)
        row = np.arange(agent.size)
        self.median_us[agent] = (delays[row, (held - 1) // 2] + delays[row, held // 2]) / 2
        self._judged[agent] = self._count[agent]

    def take_over(self, old: "Clocks", rows: Index) -> None:
        """Takes over the clocks of common agents; -1 marks agents that `old` did not have."""
        here = np.flatnonzero(rows >= 0)
        for name in ("_delays", "_count", "_judged", "median_us"):
            getattr(self, name)[here] = getattr(old, name)[rows[here]]
