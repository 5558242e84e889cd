"""All groups that failures can have in common, numbered in one row: the gate and the screen go by them."""

import numpy as np

from faultline_collector.correlate.layout import Floats, Index, Layout

KINDS = ("service", "provider", "agent", "network", "region", "place", "spot", "bundle", "release")
"""place: a service in one region; spot: a network in one region; bundle, release: cohorts, the first none."""

OF_TARGETS = [KINDS.index(kind) for kind in ("service", "provider", "place")]
SHARED = ("network", "region", "spot", "bundle", "release")


class Groups:
    """Numbers of groups by kind; `rate` is how many probes each plans, per microsecond.

    `agents` and `regions` are how many there are, `step_us` is the longest interval; `many_services` says
    which agents probe more than one, `service_of` whose a target is.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.agents = layout.shape[0]
        self.service_of = layout.service
        self.step_us = int(layout.interval_us.max(initial=1))
        self.regions = regions = max(len(layout.regions), 1)
        services = len(layout.services)
        sizes = _sizes(layout, regions)
        ends = np.cumsum([0, *(sizes[kind] for kind in KINDS)])
        self.size = int(ends[-1])
        self._part = {
            kind: slice(int(a), int(b)) for kind, a, b in zip(KINDS, ends[:-1], ends[1:], strict=True)
        }
        self._first = np.array([self._part[kind].start for kind in KINDS])[:, None]
        self.nobody = np.array([self._part[kind].start for kind in ("provider", "bundle", "release")])
        spot = layout.network * regions + layout.region
        none = np.zeros(layout.shape[0], np.intp)
        agents = np.arange(layout.shape[0])
        self._by_agent = np.stack(
            (
                none,
                none,
                agents,
                layout.network,
                layout.region,
                layout.region * services,
                spot,
                layout.bundle + 1,
                layout.release + 1,
            )
        )
        self._by_target = np.zeros((len(KINDS), layout.shape[1]), np.intp)
        self._by_target[0] = self._by_target[5] = layout.service
        self._by_target[1] = layout.provider + 1
        first = self._first[OF_TARGETS]
        self._of_targets = (self._by_agent[OF_TARGETS] + first, self._by_target[OF_TARGETS])
        self.many_services: list[bool] = [
            np.unique(layout.service[targets]).size > 1 for targets in layout.planned
        ]
        self.rate: Floats = self._rate()

    def _rate(self) -> Floats:
        layout = self._layout
        rate = (layout.planned / layout.interval_us).reshape(-1)
        every = np.arange(rate.size)
        out: Floats = np.sum([np.bincount(g, rate, self.size) for g in self.of(every)], axis=0)
        return out

    def of(self, cell: Index) -> Index:
        """The groups that these flat cells belong to: [kinds, cells]."""
        agent, target = self.places(cell)
        out: Index = self._by_agent[:, agent] + self._by_target[:, target] + self._first
        return out

    def of_targets(self, agent: Index, target: Index) -> Index:
        """The groups that a target tells, with the agent or without: [kinds, cells]."""
        out: Index = self._of_targets[0][:, agent] + self._of_targets[1][:, target]
        return out

    def shared(self) -> dict[int, Index]:
        """The groups that only the agent tells, but for itself, with their agents."""
        agents = np.arange(self.agents)
        found: dict[int, Index] = {}
        for kind in SHARED:
            of = self.of_pairs(kind, agents, np.zeros_like(agents))
            found |= {int(group): np.flatnonzero(of == group) for group in np.unique(of)}
        return {group: members for group, members in found.items() if group not in self.nobody}

    def places(self, cell: Index) -> tuple[Index, Index]:
        """The agents and the targets of these flat cells."""
        agent, target = np.divmod(cell, max(self._layout.shape[1], 1))
        return agent, target

    def of_pairs(self, kind: str, agent: Index, code: Index) -> Index:
        """The groups of one kind that agents belong to with failures of a service, or of a provider plus one.

        `code` is zero for kinds that the agent alone tells.
        """
        row = KINDS.index(kind)
        out: Index = self._by_agent[row, agent] + code + self._first[row]
        return out

    def kinds_of(self, groups: Index) -> set[str]:
        """The kinds of these groups."""
        rows = self._first[:, 0].searchsorted(groups, "right") - 1
        return {KINDS[row] for row in np.flatnonzero(np.bincount(rows))}

    def numbers(self, kind: str) -> Index:
        """The groups of one kind: places by region, then service."""
        part = self._part[kind]
        return np.arange(part.start, part.stop)

    def part(self, kind: str, values: Floats) -> Floats:
        """The values of one kind's groups."""
        return values[self._part[kind]]

    def spread(self, by_kind: dict[str, float]) -> Floats:
        """One value per kind, for each group."""
        out = np.empty(self.size)
        for kind, part in self._part.items():
            out[part] = by_kind[kind]
        return out


def _sizes(layout: Layout, regions: int) -> dict[str, int]:
    services, agents = len(layout.services), layout.shape[0]
    return {
        "service": services,
        "provider": len(layout.providers) + 1,
        "agent": agents,
        "network": len(layout.asns),
        "region": regions,
        "place": regions * services,
        "spot": len(layout.asns) * regions,
        "bundle": len(layout.cohorts) + 1,
        "release": len(layout.cohorts) + 1,
    }
