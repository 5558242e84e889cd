"""Churn: how often each agent falls silent by itself, learned from its own past and the fleet's.

Rates of disconnecting differ between agents by orders of magnitude; so each agent's is a Poisson rate with a
gamma prior (Robbins 1956) whose mean is the fleet's, and its silence says as much as falling silent by chance
together with others is unlikely. How long its silences last is learned too: one like those before is no news.
"""

import numpy as np

from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.results import Int64

MOST_NATS = 10.0
"""Most that one agent's silence says, nats: agents are lost by themselves for minutes now and then."""
TOGETHER_US = 150_000_000
"""Agents fell silent together when their last deliveries lie within this, microseconds."""

_DAY_US = 86_400e6
USUAL = 0.022 / _DAY_US
"""How often an agent falls silent before anything is learned, a microsecond: 0.022 a day (RIPE Atlas)."""
SHAPE = 0.2
"""Silences that the prior of each agent is worth: few, for rates have heavy tails."""
LONG, LONGEST_US = 4.0, 3600e6
"""A silence is long when it lasts so many times as long as usual; no more than the other, microseconds."""


class Churn:
    """Silences that no outage explains, and what they make of the next one of each agent.

    `nats` is what it says at most, `long_us` from when on it is longer than is usual; arrays [agents].
    """

    def __init__(self, agents: int) -> None:
        self._count = np.zeros(agents)
        self._lasted_us = np.zeros(agents)
        self._since_us: Int64 = np.zeros(agents, np.int64)
        self._explained_us: Int64 = np.zeros(agents, np.int64)
        self._noted: list[tuple[Index, Int64, Int64]] = []
        self.nats: Floats = np.full(agents, MOST_NATS)
        self.long_us: Floats = np.zeros(agents)

    def note(self, agents: Index, heard_us: Int64, back_us: Int64) -> None:
        """These were heard at the one time and not again before the other."""
        if agents.size:
            self._noted.append((agents, heard_us, back_us))

    def explain(self, agents: Index, heard_us: Int64) -> None:
        """The silences that began at these times are an outage's."""
        self._explained_us[agents] = heard_us

    def turn(self, known: Index, now_us: int) -> None:
        """Learns from what was noted; `known` are the agents that were ever heard."""
        for agents, heard_us, back_us in self._noted:
            own = heard_us > self._explained_us[agents]
            np.add.at(self._count, agents, own)
            np.add.at(self._lasted_us, agents, own * (back_us - heard_us))
        self._noted = []
        new = known[self._since_us[known] == 0]
        self._since_us[new] = now_us
        watched_us = (now_us - self._since_us[known]).astype(np.float64)
        count = self._count[known]
        fleet = (count.sum() + SHAPE) / (watched_us.sum() + SHAPE / USUAL)
        rate = (count + SHAPE) / (watched_us + SHAPE / fleet)
        self.nats[known] = np.clip(-np.log(rate * TOGETHER_US), 0.0, MOST_NATS)
        self.long_us[known] = np.minimum(LONG * self._lasted_us[known] / (count + 1.0), LONGEST_US)

    def take_over(self, old: "Churn", rows: Index) -> None:
        """Takes over what was learned of common agents; -1 marks agents that `old` did not have."""
        here = np.flatnonzero(rows >= 0)
        for name in ("_count", "_lasted_us", "_since_us", "_explained_us", "nats", "long_us"):
            getattr(self, name)[here] = getattr(old, name)[rows[here]]
        new = np.full(old.nats.size, -1)
        new[rows[here]] = here
        for agents, heard_us, back_us in old._noted:
            kept = new[agents] >= 0
            self.note(new[agents[kept]], heard_us[kept], back_us[kept])
