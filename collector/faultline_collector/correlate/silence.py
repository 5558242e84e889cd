"""Silence: evidence about the way from agents to the collector, never about targets.

A group is dark when its agents fell silent together, beyond what churn explains, judged by likelihood and not
by a fixed share (after Shah et al. 2017, Disco; real outages darken 42 % of their best group at the median).
"""

from dataclasses import dataclass

import numpy as np

from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Scope, Subject
from faultline_collector.results import Int64, Mask

MOST_NATS = 10.0
"""Most that one agent's silence says."""
PER_MISSING = 2.0
"""What each expected and missing delivery says, nats."""
HEARD = -4.0
"""What it says that an agent delivers."""
LEAKS = np.array([0.97, 0.7, 0.4, 0.2])
TOGETHER_US = 150_000_000
"""Agents fell silent together when their last deliveries lie within this, microseconds."""
NEVER_HEARD = 0


@dataclass(frozen=True, slots=True, eq=False)
class Dark:
    """A group that fell silent: who of it, and by how much that beats churn."""

    scope: Scope
    subject: Subject
    agents: Index
    silent: Index
    score: float
    since_us: int


class Silence:
    """When each agent was last heard, and which groups have fallen silent."""

    def __init__(self, layout: Layout, settings: EngineSettings) -> None:
        self._layout = layout
        self._settings = settings
        self.heard_us: Int64 = np.full(layout.shape[0], NEVER_HEARD, np.int64)
        rate = (layout.planned / (layout.interval_us / 1e6)).sum(axis=1)
        self._rate = np.clip(rate, 1e-6, 1.0)
        self._patience_us = np.maximum(settings.silence_floor_s, 4.0 / self._rate) * 1e6
        self._forgotten_us: Int64 = np.full(layout.shape[0], NEVER_HEARD, np.int64)

    def hear(self, agent: Index, at_us: Int64) -> None:
        """Notes deliveries."""
        np.maximum.at(self.heard_us, agent, at_us)

    def silent(self, now_us: int) -> Mask:
        """Which agents are silent beyond their patience."""
        out: Mask = (self.heard_us != NEVER_HEARD) & (now_us - self.heard_us > self._patience_us)
        return out

    def excuse(self, agents: Index) -> None:
        """Takes the present silence of these agents for explained."""
        self._forgotten_us[agents] = self.heard_us[agents]

    def judge(self, now_us: int) -> list[Dark]:
        """The dark groups that explain the silence best; the collector alone when it explains it best."""
        silent = self.silent(now_us)
        silent &= self.heard_us > self._forgotten_us
        if not silent.any():
            return []
        newest = int(self.heard_us[silent].max())
        together = silent & (self.heard_us >= newest - TOGETHER_US)
        if together.sum() < 2:
            return []
        value = self._value(now_us, together, silent)
        cover = self._cover(value, together)
        everyone = self._dark(Scope.COLLECTOR, Subject("collector", "collector"), value, together, None)
        regions = np.unique(self._layout.region[together]).size
        if everyone is not None and regions > 1 and everyone.score > sum(d.score for d in cover):
            return [everyone]
        return cover

    def _value(self, now_us: int, together: Mask, silent: Mask) -> Floats:
        gap_us = now_us - self.heard_us
        missing = (gap_us - self._patience_us) / 1e6 * self._rate + 1.0
        said = np.minimum(PER_MISSING * missing, MOST_NATS)
        known = np.where(silent | (self.heard_us == NEVER_HEARD), 0.0, HEARD)
        out: Floats = np.where(together, said, known)
        return out

    def _cover(self, value: Floats, together: Mask) -> list[Dark]:
        left = value.copy()
        found: list[Dark] = []
        while True:
            options = [
                dark
                for scope, subject, rows in self._groups(together)
                if (dark := self._dark(scope, subject, left, together, rows)) is not None
            ]
            if not options:
                return found
            best = max(options, key=lambda d: (d.score, -d.agents.size, d.subject.id))
            found.append(best)
            left[best.agents] = 0.0
            together = together & ~np.isin(np.arange(together.size), best.agents)

    def _groups(self, together: Mask) -> list[tuple[Scope, Subject, Index]]:
        layout = self._layout
        groups = []
        for code in np.unique(layout.region[together]):
            rows = np.flatnonzero(layout.region == code)
            groups.append((Scope.NETWORK, Subject("region", layout.regions[code]), rows))
        for code in np.unique(layout.network[together]):
            subject = Subject("asn", str(layout.asns[code]))
            mine = layout.network == code
            groups.append((Scope.NETWORK, subject, np.flatnonzero(mine)))
            places = np.unique(layout.region[mine])
            if places.size > 1:
                for place in np.unique(layout.region[mine & together]):
                    groups.append((Scope.NETWORK, subject, np.flatnonzero(mine & (layout.region == place))))
        return groups

    def _dark(
        self, scope: Scope, subject: Subject, value: Floats, together: Mask, rows: Index | None
    ) -> Dark | None:
        rows = np.arange(value.size) if rows is None else rows
        hit = rows[together[rows]]
        if hit.size < 2:
            return None
        mixed = np.log1p(LEAKS * np.expm1(value[rows, None])).sum(axis=0)
        costs = self._settings.costs
        cost = costs.collector if scope is Scope.COLLECTOR else costs.region
        score = float(mixed.max()) - cost
        if score < self._settings.open_network_nats:
            return None
        return Dark(scope, subject, rows, hit, score, int(self.heard_us[hit].min()))
