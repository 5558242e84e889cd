"""What is usual: each cell's share of failures, learned, and the layers that failures usually have."""

from collections import deque

import numpy as np
import numpy.typing as npt

from faultline.outcomes import Outcome
from faultline_collector.correlate.cells import Evicted, together
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.results import Int64

Floats = npt.NDArray[np.float64]

CELL_PRIOR = 200.0
"""Rounds that an agent's own share counts for in a cell's."""
AGENT_PRIOR = 400.0
"""Rounds that the fleet's share counts for in an agent's."""
FLEET_PRIOR = 20_000.0
"""Rounds that the setting counts for in the fleet's share."""
LAYER_PRIOR = 30.0
"""Failures that the usual layers count for."""
LAYER_SHARES = {
    Outcome.DNS: 0.15,
    Outcome.CONNECT: 0.22,
    Outcome.TLS: 0.05,
    Outcome.HTTP: 0.05,
    Outcome.CONTENT: 0.03,
    Outcome.TIMEOUT: 0.50,
}
"""Layers of background failures before anything is learned."""
LAYER_FLOOR = 0.02
AT_ONCE, SPREAD_TICKS = 100_000, 20
"""So many rounds are counted at once after an epoch, or a part of them each second."""
OVERDUE_SHARE, OVERDUE_PRIOR = 0.002, 300.0
"""Share of rounds that come late by themselves, before anything is learned, and the rounds it counts for."""


class Baselines:
    """p0 of each cell, shrunk cell -> agent -> fleet, with floor and cap; frozen where an outage lies.

    Of failures, which have layers, or of slow rounds among those that went well.
    """

    def __init__(self, agents: int, targets: int, settings: EngineSettings, *, slow: bool = False) -> None:
        self._slow = slow
        self._settings = settings
        self._agents, self._targets = agents, max(targets, 1)
        self.ok = np.zeros(agents * targets, np.float32)
        self.failed = np.zeros(agents * targets, np.float32)
        self._of_agents = np.zeros((2, agents))
        self.frozen_until_us: Int64 = np.zeros(agents * targets, np.int64)
        self._layers = np.zeros(8)
        self._overdue = np.zeros(agents)
        self._held: list[Evicted] = []
        self._due: deque[Evicted] = deque()
        self._portion, self._turned_us = AT_ONCE, 0
        self._prior: Floats = np.empty(0)
        self.overdue: Floats = np.empty(0)
        self.layer_share: Floats = np.empty(0)
        self._refresh()

    def learn(self, evicted: Evicted) -> None:
        """Takes rounds that left the rings, so that nothing is learned while it is being judged."""
        self._held.append(evicted)

    def turn(self, now_us: int) -> None:
        """A new epoch: what was taken in the last one counts, if it is much, over the next seconds."""
        while self._due:
            self._count()
        rounds = sum(part.cell.size for part in self._held)
        self._due = deque(self._held if rounds > AT_ONCE else [together(self._held)])
        self._held, self._turned_us = [], now_us
        self._portion = max(AT_ONCE, rounds // SPREAD_TICKS)
        self.advance()
        self._refresh()

    def advance(self) -> None:
        """A new second of the epoch."""
        left = self._portion
        while self._due and left > 0:
            left -= self._count()

    def _count(self) -> int:
        """Counts some of what was taken, but for frozen cells; gives how many rounds it looked at."""
        part = self._due.popleft()
        cell, outcome, slow = part.cell, part.outcome, part.slow
        free = self.frozen_until_us[cell] < self._turned_us
        if not free.all():
            cell, outcome, slow = cell[free], outcome[free], slow[free]
        fine, failed = outcome == Outcome.OK, outcome > Outcome.OK
        if self._slow:
            fine, failed = fine & ~slow, slow
        np.add.at(self.ok, cell, fine.astype(np.float32))
        np.add.at(self.failed, cell[failed], np.float32(1.0))
        for row, which in enumerate((fine, failed)):
            self._of_agents[row] += np.bincount(cell[which] // self._targets, minlength=self._agents)
        self._layers += np.bincount(outcome[failed], minlength=8)
        return part.cell.size

    def _refresh(self) -> None:
        """Takes the shares of agents and layers anew from the counts."""
        failed, rounds = self._of_agents[1], self._of_agents.sum(axis=0)
        fleet = (failed.sum() + FLEET_PRIOR * self._settings.p0_prior) / (rounds.sum() + FLEET_PRIOR)
        self._prior = CELL_PRIOR * (failed + AGENT_PRIOR * fleet) / (rounds + AGENT_PRIOR)
        came = self._overdue
        usually = (came.sum() + OVERDUE_PRIOR * OVERDUE_SHARE) / (rounds.sum() + OVERDUE_PRIOR)
        self.overdue = -np.log((came + OVERDUE_PRIOR * usually) / (rounds + came + OVERDUE_PRIOR))
        usual = np.zeros(8)
        for outcome, share in LAYER_SHARES.items():
            usual[outcome] = share
        share = (self._layers + LAYER_PRIOR * usual) / (self._layers.sum() + LAYER_PRIOR)
        self.layer_share = np.ones(8) if self._slow else np.maximum(share, LAYER_FLOOR)

    def p0(self, cell: npt.NDArray[np.intp]) -> Floats:
        """The usual share of failures of these flat cells."""
        failed = self.failed[cell]
        share = (failed + self._prior[cell // self._targets]) / (self.ok[cell] + failed + CELL_PRIOR)
        out: Floats = np.minimum(np.maximum(share, self._settings.p0_floor), self._settings.p0_cap)
        return out

    def surprise(self, cell: npt.NDArray[np.intp]) -> Floats:
        """What a failure of these flat cells says at most, before its layer, nats."""
        out: Floats = -np.log(self.p0(cell))
        return out

    @property
    def slow(self) -> bool:
        """Whether slow rounds are counted, not failed ones."""
        return self._slow

    def excuse(self, agent: npt.NDArray[np.intp]) -> None:
        """Notes rounds of these agents that were overdue and came well."""
        np.add.at(self._overdue, agent, 1.0)

    def freeze(self, cell: npt.NDArray[np.intp], until_us: int) -> None:
        """Learns nothing from these cells' rounds until then."""
        self.frozen_until_us[cell] = np.maximum(self.frozen_until_us[cell], until_us)

    def take_over(self, old: "Baselines", mine: npt.NDArray[np.intp], theirs: npt.NDArray[np.intp]) -> None:
        """Takes over what was learned of common cells, and of the layers."""
        old._due.extend(old._held)
        while old._due:
            old._count()
        for name in ("ok", "failed", "frozen_until_us"):
            getattr(self, name)[mine] = getattr(old, name)[theirs]
        shape = (self._agents, -1)
        self._of_agents = np.stack(
            [counts.reshape(shape).sum(axis=1, dtype=float) for counts in (self.ok, self.failed)]
        )
        self._layers = old._layers.copy()
        self._refresh()
