"""A cheap look at the recent failures: which services, providers and agents deserve the full evaluation.

A scan over groups and windows on the failures alone; what went well is taken from the schedule. It bounds
what any cause of a group could be worth, with the same cap for each agent.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.evidence import LOG_FAIL, LOG_OK, WINDOWS, focused, windows_us
from faultline_collector.correlate.groups import KINDS, Groups
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.results import Int8, Int64, Mask

Family: TypeAlias = tuple[str, int]
"""Causes that are weighed together: service, provider, network, region, agent or cohort, and its code."""

WORTH = {"service": 16.0, "provider": 17.0, "network": 18.0, "region": 18.0, "agent": 16.0}
"""What the scan must be worth; less than what the cheapest cause of the family must be worth in full."""
BARS = WORTH | {"place": 12.0, "spot": 18.0, "bundle": 18.0, "release": 18.0}
"""The same for the gate, which adds a service in one region, a network in one region, and cohorts."""
COHORTS = ("bundle", "release")
ACCESS = ("network", "region", "spot")
"""Groups of agents, of which often only a part is hit."""
BY_AGENT = ("agent", "network", "region", "spot", "bundle", "release")
BY_SERVICE = ("service", "place")
BY_PROVIDER = ("provider",)
"""The kinds of groups, by what beside the agent tells a group: nothing, the service, or the provider."""
UNHIT_NATS = -0.7
"""Least that an agent of such a group says when only a part is hit, nats."""
REGION_NATS = 3.0
MOST_NATS = 60.0
"""Most that one agent can say at all, nats."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The families worth weighing, each with how well it could fit at most; and what every group is worth."""

    families: list[tuple[float, Family]]
    worth: Floats


class Screen:
    """Looks at all groups at once, with a few sums over the recent failures."""

    def __init__(self, layout: Layout, groups: Groups, settings: EngineSettings) -> None:
        self._layout = layout
        self._groups = groups
        agents = layout.shape[0]
        caps = dict.fromkeys(("service", "provider", "place"), settings.agent_cap(agents))
        caps |= dict.fromkeys(ACCESS + COHORTS, settings.access_cap_nats) | {"agent": MOST_NATS}
        self._cap = groups.spread(caps)
        self._access = groups.spread({kind: kind in ACCESS for kind in KINDS}) > 0
        self._by_rate = groups.spread({kind: kind not in ACCESS + COHORTS for kind in KINDS}) > 0
        self._wanted: Mask = np.ones(groups.size, bool)
        self._wanted[groups.nobody] = False
        firsts = np.arange(agents * layout.shape[1]).reshape(layout.shape)[:, :1].reshape(-1)
        self._members = np.bincount(groups.of(firsts).reshape(-1), minlength=groups.size)
        self._rate = layout.rate_s / 1e6
        steps = layout.interval_us if layout.shape[1] else np.array([1_000_000])
        self._windows = windows_us(float(steps.min()), float(steps.max()))

    def look(
        self, recent: Recent, base: Baselines, now_us: int, masked: Mask, bursts: Floats, news: Index | None
    ) -> Look:
        """What the failures could be worth; with `news` only in these groups.

        `bursts` is what each agent explains by a bad minute of its own, nats.
        """
        worth, fit = np.zeros(self._groups.size), np.zeros(self._groups.size)
        bins = np.searchsorted(self._windows, np.maximum(now_us - recent.started_us, 0))
        use = ~masked[recent.cell] & (bins < WINDOWS)
        cell = recent.cell[use]
        if cell.size:
            value, outcome = base.surprise(cell), recent.outcome[use]
            age_us = now_us - recent.started_us[use]
            focus = self._focus(cell // self._layout.shape[1], outcome, age_us, base.layer_share)
            most = value - np.log(base.layer_share[outcome])
            values = {BY_AGENT: value + focus, BY_SERVICE: most, BY_PROVIDER: most}
            self._scan(cell, values, bins[use], bursts, news, worth, fit)
        return Look(self._families(worth, fit), worth)

    def _focus(self, agent: Index, outcome: Int8, age_us: Int64, usual: Floats) -> Floats:
        """What the layer of each failure says at most beside its agent's others, nats."""
        size = self._layout.shape[0] * usual.size
        weight = np.exp2(-age_us / self._groups.step_us)
        found = np.bincount(agent * usual.size + outcome, weight, size).astype(np.float64)
        out: Floats = focused(found.reshape(-1, usual.size), usual)[agent, outcome]
        return out

    def _families(self, worth: Floats, fit: Floats) -> list[tuple[float, Family]]:
        regions, networks = max(len(self._layout.regions), 1), len(self._layout.asns)
        part = self._groups.part
        found = []
        for kind, bar in WORTH.items():
            said, fits = part(kind, worth), part(kind, fit)
            if kind == "service":
                places = np.maximum(part("place", worth).reshape(regions, -1) - REGION_NATS, 0).sum(axis=0)
                said = np.maximum(said, places)
                fits = np.maximum(fits, part("place", fit).reshape(regions, -1).clip(0).sum(axis=0))
            elif kind == "network" and networks:
                said = np.maximum(said, part("spot", worth).reshape(networks, -1).max(axis=1))
                fits = np.maximum(fits, part("spot", fit).reshape(networks, -1).max(axis=1))
            first = 1 if kind == "provider" else 0
            found += [
                (float(fits[code]), (kind, int(code) - first))
                for code in np.flatnonzero(said >= bar)
                if code >= first
            ]
        for kind in COHORTS:
            said, fits = part(kind, worth), part(kind, fit)
            found += [
                (float(fits[code]), ("cohort", int(code) - 1))
                for code in np.flatnonzero(said >= BARS[kind])
                if code > 0
            ]
        return found

    def _scan(
        self,
        cell: Index,
        values: dict[tuple[str, ...], Floats],
        bins: Index,
        bursts: Floats,
        news: Index | None,
        worth: Floats,
        fit: Floats,
    ) -> None:
        """Writes what each group is worth at most, capped for each agent and not."""
        layout, wanted = self._layout, self._wanted
        if news is not None:
            wanted = np.zeros_like(wanted)
            wanted[news] = self._wanted[news]
        asked = self._groups.kinds_of(np.flatnonzero(wanted))
        agents = layout.shape[0]
        agent, target = np.divmod(cell, layout.shape[1])
        said: list[_Said] = []
        for kinds, code in (
            (BY_AGENT, 0),
            (BY_SERVICE, layout.service[target]),
            (BY_PROVIDER, layout.provider[target] + 1),
        ):
            looked = [kind for kind in kinds if kind in asked]
            if looked:
                pairs, pair = np.unique(code * agents + agent, return_inverse=True)
                codes, who = np.divmod(pairs, agents)
                count, ratio = _tally(pair, bins, values[kinds], pairs.size)
                for kind in looked:
                    group = self._groups.of_pairs(kind, who, codes)
                    rows = np.flatnonzero(wanted[group])
                    if rows.size:
                        said.append(_Said(group[rows], who[rows], count[rows], ratio[rows]))
        if said:
            self._sum(_together(said), bursts, worth, fit)

    def _sum(self, said: "_Said", bursts: Floats, worth: Floats, fit: Floats) -> None:
        """Writes what these groups are worth."""
        group, agent, count, ratio = said.group, said.agent, said.count, said.ratio
        access = self._access[group]
        partly = np.flatnonzero(access)
        if partly.size:
            went_well = np.maximum(self._rate[agent[partly], None] * self._windows - count[partly], 0)
            ratio[partly] = np.maximum(ratio[partly] + went_well[..., None] * LOG_OK, UNHIT_NATS)
        starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
        found = group[starts]
        others = self._members[found] - np.diff(starts, append=group.size)
        failed = np.add.reduceat(count, starts, axis=0)
        went_well = np.maximum(self._groups.rate[found, None] * self._windows - failed, 0)
        went_well[~self._by_rate[found]] = 0.0
        fine = went_well[..., None] * LOG_OK + (UNHIT_NATS * others * access[starts])[:, None, None]
        fit[found] = (np.add.reduceat(ratio, starts, axis=0) + fine).max(axis=(1, 2))
        if self._layout.shape[0] > 1:
            ratio = np.maximum(ratio - bursts[agent, None, None], np.minimum(ratio, 0.0))
        capped = np.minimum(ratio, self._cap[group][:, None, None])
        worth[found] = (np.add.reduceat(capped, starts, axis=0) + fine).max(axis=(1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What agents say of groups at most: [pairs], failures [pairs, windows], nats [pairs, windows, rates]."""

    group: Index
    agent: Index
    count: Index
    ratio: Floats


def _together(parts: list[_Said]) -> _Said:
    """All of these, in order of the group."""
    group, agent, count, ratio = (
        np.concatenate([getattr(part, name) for part in parts]) for name in _Said.__slots__
    )
    order = group.argsort(kind="stable")
    return _Said(group[order], agent[order], count[order], ratio[order])


def _tally(pair: Index, bins: Index, value: Floats, pairs: int) -> tuple[Index, Floats]:
    """Failures of each pair [pairs, windows], and what they say at most [pairs, windows, rates], nats."""
    spots, size = pair * WINDOWS + bins, pairs * WINDOWS
    count = np.bincount(spots, minlength=size).reshape(-1, WINDOWS).cumsum(axis=1)
    summed = np.bincount(spots, weights=value, minlength=size).reshape(-1, WINDOWS).cumsum(axis=1)
    return count, summed[..., None] + count[..., None] * LOG_FAIL
