"""The gate before the full evaluation: running sums per group, after Page (1954).

Services, providers and services in a region: each failure adds what it could be worth at most beyond a bad
minute of its agent; what went well is taken from the schedule; all for each rate that is looked for. Agents,
networks, regions and cohorts: what their agents say beyond their bad minutes, capped for each. While a
group's sum is below what its cheapest cause must be worth, nothing can have happened to it.
"""

import numpy as np

from faultline_collector.correlate.arrivals import SECOND_US
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.evidence import LOG_FAIL, LOG_OK, RATES
from faultline_collector.correlate.groups import Groups
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.correlate.screen import BARS, REGION_NATS, UNHIT_NATS, WORTH
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.correlate.troubles import DRIFT, Troubles
from faultline_collector.results import Int8, Mask

SPARED = 30.0
"""What may have gone well within one second before it counts against that second's failures, nats: in a group
that probes thousands of times a second a few fail in every one."""
NO_PLACE = -1
LOOKS_AGENT = 8
"""How often in an interval an agent may be looked at by itself."""
NEWS_NATS = 1.0
"""What an agent must say more before its network and its region are asked again."""


class Gate:
    """Which groups may be worth a look."""

    def __init__(self, groups: Groups, settings: EngineSettings, base: Baselines) -> None:
        self._groups = groups
        self._sums = _Sums(groups)
        self._troubles = Troubles(groups, settings.costs.agent_burst, base)
        self._cap = settings.access_cap_nats
        self._rest_us = groups.step_us / LOOKS_AGENT
        self._next_us = np.zeros(groups.agents)
        self._asked = np.zeros(groups.agents)
        self._known = np.zeros(groups.size)
        self._members = groups.shared()
        self._shared: list[list[int]] = [[] for _ in range(groups.agents)]
        for group, members in self._members.items():
            for row in members:
                self._shared[row].append(group)
        self._bar = groups.spread(BARS)
        self._own = groups.numbers("agent")

    def add(self, cell: Index, nats: Floats, outcome: Int8, now_us: int) -> Index:
        """Adds failures that say so many nats at most; gives the groups that may now be worth a look."""
        agent, target = self._groups.places(cell)
        share = self._troubles.add(agent, target, nats, outcome, now_us)
        raised = {group for row in set(agent.tolist()) for group in self._raised(row, now_us)}
        more = np.flatnonzero(share)
        wide = (
            self._sums.add(agent[more], target[more], nats[more], share[more], now_us) if more.size else more
        )
        return np.concatenate((np.array(sorted(raised), np.intp), wide)) if raised else wide

    def _raised(self, row: int, now_us: int) -> list[int]:
        """The groups of one agent that are raised by what it says of itself."""
        says = float(self._troubles.says(row, now_us))
        own = int(self._own[row])
        found = []
        self._known[own] = min(self._known[own], says)
        if says - self._known[own] >= BARS["agent"] and now_us >= self._next_us[row]:
            found = [own] if self._troubles.several(row, now_us) else []
        capped = min(says, self._cap)
        if capped < self._asked[row]:
            self._asked[row] = 0.0
        if capped < self._asked[row] + NEWS_NATS:
            return found
        self._asked[row] = capped
        for group in self._shared[row]:
            value = self._value(group, now_us)
            self._known[group] = min(self._known[group], max(value, 0.0))
            if value - self._known[group] >= self._bar[group]:
                found.append(group)
        return found

    def _value(self, group: int, now_us: int) -> float:
        """What the agents of a group say, capped for each; those that are well say that they are not hit."""
        members = self._members[group]
        said = self._troubles.says(members, now_us)
        return float(np.minimum(np.maximum(said, UNHIT_NATS), self._cap).sum())

    def settle(self, groups: Index, worth: Floats, now_us: int) -> None:
        """After a look: what these groups are really worth now."""
        for group in set(groups.tolist()):
            if group in self._members:
                self._known[group] = max(self._value(group, now_us) - worth[group], 0.0)
            elif self._own[0] <= group <= self._own[-1]:
                row = group - int(self._own[0])
                self._known[group] = max(float(self._troubles.says(row, now_us)) - worth[group], 0.0)
                self._next_us[row] = now_us + self._rest_us
        self._sums.settle(groups, worth, now_us)


class _Sums:
    """A sum for every service, provider and service in a region, and every rate."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._level = np.zeros((groups.size, RATES.size))
        self._at_us = np.zeros(groups.size)
        self._bar = groups.spread(BARS)
        self._bar[groups.nobody] = np.inf
        self._drift = DRIFT * groups.rate[:, None] * -LOG_OK
        self._aside = np.maximum(self._drift * SECOND_US - SPARED, 0.0)
        self._places = groups.numbers("place").reshape(groups.regions, -1)
        self._service = np.full(groups.size, NO_PLACE)
        self._service[self._places] = np.arange(self._places.shape[1])

    def add(self, agent: Index, target: Index, nats: Floats, share: Floats, now_us: int) -> Index:
        """Adds a share of what failures say; gives the groups that may now be worth a look."""
        groups = self._groups.of_targets(agent, target)
        touched = groups.reshape(-1)
        fallen = self._drift[touched] * (now_us - self._at_us[touched])[:, None]
        self._at_us[touched] = now_us
        level = np.maximum(self._level[touched] - fallen, 0.0)
        said = (nats[:, None] + LOG_FAIL) * share[:, None]
        if agent.size == 1:
            self._level[touched] = level = level + said
        else:
            self._level[touched] = level
            np.add.at(self._level, groups, said[None])
            level = self._level[touched]
        high: Mask = (level - self._aside[touched]).max(axis=1) >= self._bar[touched]
        return self._together(touched[high], now_us) if high.any() else touched[high]

    def _together(self, high: Index, now_us: int) -> Index:
        """Of places only those that are enough, together with what their service's others say."""
        service = self._service[high]
        alone: Index = high[service == NO_PLACE]
        if alone.size == high.size:
            return alone
        places = self._places[:, np.unique(service[service != NO_PLACE])]
        fallen = self._drift[places] * (now_us - self._at_us[places])[..., None]
        said = np.maximum((self._level[places] - fallen).max(axis=2) - REGION_NATS, 0.0)
        enough = (said > 0) & (said.sum(axis=0) >= WORTH["service"])
        out: Index = np.concatenate((alone, places[enough]))
        return out

    def settle(self, groups: Index, worth: Floats, now_us: int) -> None:
        """After a look: what these groups are really worth now."""
        self._level[groups] = np.maximum(np.minimum(self._level[groups], worth[groups, None]), 0.0)
        self._at_us[groups] = now_us
