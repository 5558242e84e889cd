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
        self._delays = np.full((agents, KEPT), np.nan)
        self._count = np.zeros(agents, np.int64)
        self._judged = np.zeros(agents, np.int64)
        self.median_us = np.zeros(agents)

    def correct(
        self, agent: Index, ended_us: Int64, received_us: Int64, late_us: float
    ) -> tuple[Int64, Mask]:
        """What to add to each result's start, and which results come late; late ones move no clock."""
        delay = (received_us - ended_us).astype(np.float64)
        new = self._count[agent] == 0
        if new.any():
            self._learn(agent[new], delay[new])
            self._settle(np.unique(agent[new]))
        late = delay - self.median_us[agent] > late_us
        steady = ~late & ~new
        if steady.any():
            self._learn(agent[steady], delay[steady])
            due = np.flatnonzero(self._count >= self._judged + np.minimum(self._judged, KEPT // 2))
            if due.size:
                self._settle(due)
        return self.median_us[agent].astype(np.int64), late

    def _learn(self, agent: Index, delay: npt.NDArray[np.float64]) -> None:
        order = np.argsort(agent, kind="stable")
        agent, delay = agent[order], delay[order]
        firsts = np.searchsorted(agent, agent)
        rank = np.arange(agent.size) - firsts
        self._delays[agent, (self._count[agent] + rank) % KEPT] = delay
        np.add.at(self._count, agent, 1)

    def _settle(self, agent: Index) -> None:
        agent = agent[self._count[agent] > 0]
        if agent.size:
            self.median_us[agent] = np.nanmedian(self._delays[agent], axis=1)
            self._judged[agent] = np.maximum(self._count[agent], 1)
