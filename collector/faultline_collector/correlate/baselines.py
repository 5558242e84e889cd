"""What is usual: each cell's share of failures, learned, and the layers that failures usually have."""

import numpy as np
import numpy.typing as npt

from faultline.outcomes import Outcome
from faultline_collector.correlate.cells import Evicted
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
MOST_HELD = 100_000
"""Rounds that are held before they are counted, at most till the end of an epoch."""
OVERDUE_SHARE, OVERDUE_PRIOR = 0.002, 300.0
"""Share of rounds that come late by themselves, before anything is learned, and the rounds it counts for."""


class Baselines:
    """p0 of each cell, shrunk cell -> agent -> fleet, with floor and cap; frozen where an outage lies.

    Of failures, which have layers, or of slow rounds among those that went well.
    """

    def __init__(self, agents: int, targets: int, settings: EngineSettings, *, slow: bool = False) -> None:
        self._slow = slow
        self._settings = settings
        self._shape = (agents, targets)
        self.ok = np.zeros(agents * targets)
        self.failed = np.zeros(agents * targets)
        self.frozen_until_us: Int64 = np.zeros(agents * targets, np.int64)
        self._layers = np.zeros(8)
        self._overdue = np.zeros(agents)
        self._held: list[tuple[Evicted, int]] = []
        self._held_rounds = 0
        self.surprise: Floats = np.empty(0)
        self.overdue: Floats = np.empty(0)
        self.layer_share: Floats = np.empty(0)
        self.refresh()

    def learn(self, evicted: Evicted, now_us: int) -> None:
        """Takes rounds that left the rings, so that nothing is learned while it is being judged."""
        self._held.append((evicted, now_us))
        self._held_rounds += evicted.cell.size
        if self._held_rounds > MOST_HELD:
            self._settle()

    def _settle(self) -> None:
        """Counts what was taken, but for cells that were frozen then."""
        held, self._held, self._held_rounds = self._held, [], 0
        if not held:
            return
        cell, outcome, slow = (
            np.concatenate([getattr(part, name) for part, _ in held]) for name in Evicted.__slots__
        )
        when = np.repeat([now_us for _, now_us in held], [part.cell.size for part, _ in held])
        free = self.frozen_until_us[cell] < when
        cell, outcome, slow = cell[free], outcome[free], slow[free]
        fine, failed = outcome == Outcome.OK, outcome > Outcome.OK
        if self._slow:
            fine, failed = fine & ~slow, slow
        np.add.at(self.ok, cell, fine.astype(np.float64))
        np.add.at(self.failed, cell[failed], 1.0)
        self._layers += np.bincount(outcome[failed], minlength=8)

    def refresh(self) -> None:
        """Takes p0 and the layers' shares anew from the counts."""
        self._settle()
        settings = self._settings
        failed, total = self.failed.reshape(self._shape), (self.failed + self.ok).reshape(self._shape)
        fleet = (failed.sum() + FLEET_PRIOR * settings.p0_prior) / (total.sum() + FLEET_PRIOR)
        agent = (failed.sum(1) + AGENT_PRIOR * fleet) / (total.sum(1) + AGENT_PRIOR)
        cell = (failed + CELL_PRIOR * agent[:, None]) / (total + CELL_PRIOR)
        self.p0: Floats = np.clip(cell, settings.p0_floor, settings.p0_cap).reshape(-1)
        self.surprise = -np.log(self.p0)
        rounds, came = total.sum(1), self._overdue
        usually = (came.sum() + OVERDUE_PRIOR * OVERDUE_SHARE) / (rounds.sum() + OVERDUE_PRIOR)
        self.overdue = -np.log((came + OVERDUE_PRIOR * usually) / (rounds + came + OVERDUE_PRIOR))
        usual = np.zeros(8)
        for outcome, share in LAYER_SHARES.items():
            usual[outcome] = share
        share = (self._layers + LAYER_PRIOR * usual) / (self._layers.sum() + LAYER_PRIOR)
        self.layer_share = np.ones(8) if self._slow else np.maximum(share, LAYER_FLOOR)

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
        old._settle()
        for name in ("ok", "failed", "frozen_until_us"):
            getattr(self, name)[mine] = getattr(old, name)[theirs]
        self._layers = old._layers.copy()
        self.refresh()
