"""A cheap look at the recent failures: which services, providers and agents deserve the full evaluation.

A scan over groups and windows on the failures alone; what went well is taken from the schedule. It bounds
what any cause of a group could be worth, with the same cap for each agent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.evidence import LOG_FAIL, LOG_OK, WINDOWS, windows_us
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.results import Mask

Family: TypeAlias = tuple[str, int]
"""Causes that are weighed together: service, provider, network, region or agent, and its code."""

WORTH = {"service": 16.0, "provider": 17.0, "network": 18.0, "region": 18.0, "agent": 16.0}
"""What the scan must be worth; less than what the cheapest cause of the family must be worth in full."""
REGION_NATS = 3.0
MOST_NATS = 60.0
"""Most that one agent can say at all, nats."""


class Screen:
    """Rates of all groups, kept so that a look costs a few sums over the recent failures."""

    def __init__(self, layout: Layout, settings: EngineSettings) -> None:
        self._layout = layout
        self._settings = settings
        agents, targets = layout.shape
        rate = layout.planned / layout.interval_us
        regions, services = len(layout.regions), len(layout.services)
        place = layout.region[:, None] * services + layout.service[None, :]
        spot = layout.network * max(regions, 1) + layout.region
        self._place, self._spot = place, spot
        flat = rate.reshape(-1)
        self._rates = {
            "service": np.bincount(np.tile(layout.service, agents), flat, services),
            "place": np.bincount(place.reshape(-1), flat, regions * services),
            "provider": np.bincount(np.tile(layout.provider + 1, agents), flat, len(layout.providers) + 1),
            "agent": rate.sum(axis=1),
            "network": np.bincount(layout.network, rate.sum(axis=1), len(layout.asns)),
            "spot": np.bincount(spot, rate.sum(axis=1), len(layout.asns) * max(regions, 1)),
            "region": np.bincount(layout.region, rate.sum(axis=1), regions),
        }
        steps = layout.interval_us if targets else np.array([1_000_000])
        self._windows = windows_us(float(steps.min()), float(steps.max()))

    def look(
        self, recent: Recent, base: Baselines, now_us: int, masked: Mask, bursts: Floats, news: Index | None
    ) -> list[tuple[float, Family]]:
        """The families whose failures could be worth opening something, with how well they could fit at most.

        `bursts` is what each agent explains by a bad minute of its own, nats. With `news` (flat cells) only
        families that hold one of them are looked at.
        """
        found = _Failures.near(self._layout, recent, base, now_us, masked, self._windows)
        if found is None:
            return []
        layout, agents = self._layout, self._layout.shape[0]
        touched = None if news is None else np.divmod(news, layout.shape[1])
        scan = _Scan(self, found, np.zeros(1) if agents == 1 else bursts, touched)
        wide, access = self._settings.agent_cap(agents), self._settings.access_cap_nats
        place, place_fit = scan("place", lambda a, t: self._place[a, t], wide)
        spot, spot_fit = scan("spot", lambda a, t: self._spot[a], access)
        service, service_fit = scan("service", lambda a, t: layout.service[t], wide)
        provider, provider_fit = scan("provider", lambda a, t: layout.provider[t] + 1, wide)
        network, network_fit = scan("network", lambda a, t: layout.network[a], access)
        by_region = np.maximum(place.reshape(len(layout.regions), -1) - REGION_NATS, 0).sum(axis=0)
        fit_by_region = place_fit.reshape(len(layout.regions), -1).clip(0).sum(axis=0)
        at_place = spot.reshape(len(layout.asns), -1).max(axis=1)
        fit_at_place = spot_fit.reshape(len(layout.asns), -1).max(axis=1)
        worth = {
            "service": (np.maximum(service, by_region), np.maximum(service_fit, fit_by_region)),
            "provider": (provider[1:], provider_fit[1:]),
            "network": (np.maximum(network, at_place), np.maximum(network_fit, fit_at_place)),
            "region": scan("region", lambda a, t: layout.region[a], access),
            "agent": scan("agent", lambda a, t: a, MOST_NATS),
        }
        return [
            (float(fit[code]), (name, int(code)))
            for name, (said, fit) in worth.items()
            for code in np.flatnonzero(said >= WORTH[name])
        ]

    def groups(self, name: str) -> int:
        """How many groups of a kind there are."""
        return int(self._rates[name].size)

    def scan(
        self, name: str, codes: Index, agent: Index, value: Floats, bins: Index, bursts: Floats, cap: float
    ) -> tuple[Floats, Floats]:
        """What the failures of each group could be worth at most, capped for each agent and not; nats."""
        rates = self._rates[name]
        agents = self._layout.shape[0]
        pairs, pair = np.unique(codes * agents + agent, return_inverse=True)
        at = pair * WINDOWS + bins
        size = pairs.size * WINDOWS
        count = np.bincount(at, minlength=size).reshape(-1, WINDOWS).cumsum(axis=1)[..., None]
        worth = np.bincount(at, weights=value, minlength=size).reshape(-1, WINDOWS).cumsum(axis=1)[..., None]
        fit = worth + count * LOG_FAIL
        said = np.clip(fit - bursts[pairs % agents, None, None], np.minimum(fit, 0.0), cap)
        fit = np.minimum(fit, MOST_NATS)
        groups, starts = np.unique(pairs // agents, return_index=True)
        failed = np.add.reduceat(count, starts, axis=0)
        fine = rates[groups, None, None] * self._windows[:, None] - failed
        against = np.maximum(fine, 0) * LOG_OK
        found = []
        for part in (said, fit):
            out = np.zeros(rates.size)
            out[groups] = (np.add.reduceat(part, starts, axis=0) + against).max(axis=(1, 2))
            found.append(out)
        return found[0], found[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Failures:
    """Failures within the longest window: who, what, how surprising, and in which window."""

    agent: Index
    target: Index
    value: Floats
    bins: Index

    @classmethod
    def near(
        cls, layout: Layout, recent: Recent, base: Baselines, now_us: int, masked: Mask, windows: Floats
    ) -> "_Failures | None":
        bins = np.searchsorted(windows, np.maximum(now_us - recent.started_us, 0))
        use = ~masked[recent.cell] & (bins < WINDOWS)
        cell = recent.cell[use]
        if not cell.size:
            return None
        value = base.surprise[cell] - np.log(base.layer_share[recent.outcome[use]])
        return cls(*np.divmod(cell, layout.shape[1]), value, bins[use])


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """Scans one kind of groups after another; with `touched` (agents, targets) only those that hold one."""

    screen: Screen
    failures: _Failures
    bursts: Floats
    touched: tuple[Index, Index] | None

    def __call__(
        self, name: str, of_cell: Callable[[Index, Index], Index], cap: float
    ) -> tuple[Floats, Floats]:
        found, size = self.failures, self.screen.groups(name)
        codes = of_cell(found.agent, found.target)
        if self.touched is None:
            return self.screen.scan(name, codes, found.agent, found.value, found.bins, self.bursts, cap)
        touched = np.zeros(size, bool)
        touched[of_cell(*self.touched)] = True
        some = touched[codes]
        if np.count_nonzero(some) < 2:
            return np.zeros(size), np.zeros(size)
        return self.screen.scan(
            name, codes[some], found.agent[some], found.value[some], found.bins[some], self.bursts, cap
        )
