"""A cheap look at the recent failures: which services, providers and agents deserve the full evaluation.

A Poisson scan over groups and windows: the homogeneous likelihood ratio of each group, an upper bound of what
any cause within it could be worth.
"""

from typing import TypeAlias

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.evidence import WINDOWS, windows_us
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.recent import Recent
from faultline_collector.results import Mask

Family: TypeAlias = tuple[str, int]
"""Causes that are weighed together: service, provider, network, region or agent, and its code."""

WORTH = {"service": 15.0, "provider": 15.0, "network": 17.0, "region": 17.0, "agent": 16.0}
"""What the scan must be worth; less than what the cheapest cause of the family must be worth in full."""
REGION_NATS = 3.0


class Screen:
    """Rates of all groups, kept so that a look costs a few sums over the recent failures."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
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
        steps = layout.interval_us if targets else np.array([1e6])
        self._windows = windows_us(float(steps.min()), float(steps.max()))

    def look(self, recent: Recent, base: Baselines, now_us: int, masked: Mask) -> list[tuple[float, Family]]:
        """The families whose failures could be worth opening something, with what they are worth at most."""
        layout = self._layout
        use = ~masked[recent.cell]
        cell = recent.cell[use]
        if not cell.size:
            return []
        agent, target = np.divmod(cell, layout.shape[1])
        value = base.surprise[cell] - np.log(base.layer_share[recent.outcome[use]])
        bins = np.searchsorted(self._windows, np.maximum(now_us - recent.started_us[use], 0))
        near = bins < WINDOWS
        agent, target, value, bins = agent[near], target[near], value[near], bins[near]

        def scan(name: str, codes: Index) -> Floats:
            return self._scan(name, codes, value, bins)

        places = scan("place", self._place[agent, target]).reshape(len(layout.regions), -1)
        regional = np.maximum(places - REGION_NATS, 0).sum(axis=0)
        spots = scan("spot", self._spot[agent]).reshape(len(layout.asns), -1).max(axis=1)
        worth = {
            "service": np.maximum(scan("service", layout.service[target]), regional),
            "provider": scan("provider", layout.provider[target] + 1)[1:],
            "network": np.maximum(scan("network", layout.network[agent]), spots),
            "region": scan("region", layout.region[agent]),
            "agent": scan("agent", agent),
        }
        return [
            (float(found[code]), (name, int(code)))
            for name, found in worth.items()
            for code in np.flatnonzero(found >= WORTH[name])
        ]

    def _scan(self, name: str, codes: Index, value: Floats, bins: Index) -> Floats:
        rates = self._rates[name]
        groups, local = np.unique(codes, return_inverse=True)
        at = local * WINDOWS + bins
        size = groups.size * WINDOWS
        count = np.bincount(at, minlength=size).reshape(-1, WINDOWS).cumsum(axis=1)
        worth = np.bincount(at, weights=value, minlength=size).reshape(-1, WINDOWS).cumsum(axis=1)
        rounds = np.maximum(rates[groups, None] * self._windows, count)
        share = np.clip(count / np.maximum(rounds, 1e-9), 1e-9, 0.96)
        ratio = worth + count * np.log(share) + (rounds - count) * np.log1p(-share)
        out = np.zeros(rates.size)
        out[groups] = ratio.max(axis=1)
        return out
