"""The fleet as numbers: which agent and which target stands in which row, column and group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from faultline_collector.fleet import Fleet
from faultline_collector.results import Int64, Mask

Index: TypeAlias = npt.NDArray[np.intp]
Floats: TypeAlias = npt.NDArray[np.float64]


FAMILIES = (4, 6)
"""IPv4 and IPv6."""
COHORT_WORDS = {"ca_bundle": "Agents with the bundle of authorities {}", "version": "Agents of version {}"}
LEAST_COHORT = 3
"""Agents that a cohort must have."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Agents are rows, targets are columns; every group is a code per row or per column, -1 for none.

    `cohorts` are the bundles of authorities and the versions that some agents, but not all, have in common:
    what kind, and which; `bundle` and `release` say by agent which of them is theirs.

    `in_region` and `in_network` say with ones which agents stand where: [groups, agents].
    """

    fleet: Fleet
    agent_ids: tuple[str, ...]
    target_ids: tuple[str, ...]
    rows: dict[str, int]
    columns: dict[str, int]
    regions: tuple[str, ...]
    asns: tuple[int, ...]
    services: tuple[str, ...]
    providers: tuple[str, ...]
    region: Index
    network: Index
    service: Index
    provider: Index
    component: tuple[str, ...]
    family: Index
    cohorts: tuple[tuple[str, str], ...]
    bundle: Index
    release: Index
    interval_us: Int64
    planned: Mask
    in_region: Floats
    in_network: Floats
    names: Mapping[tuple[str, str], str]

    def name(self, kind: str, known_as: str) -> str:
        """What people call a service, provider, region or asn; its id where nobody has named it."""
        return self.names.get((kind, known_as), known_as)

    @property
    def shape(self) -> tuple[int, int]:
        """How many agents and how many targets."""
        return len(self.agent_ids), len(self.target_ids)

    @property
    def rate_s(self) -> Floats:
        """How many probes each agent plans in a second."""
        out: Floats = (self.planned / (self.interval_us / 1e6)).sum(axis=1)
        return out

    def families_of(self, targets: Index) -> list[Index]:
        """Where among these targets those of each family stand; nothing when only one is there."""
        found = [np.flatnonzero(self.family[targets] == family) for family in FAMILIES]
        return found if all(some.size for some in found) else []

    def targets_of_service(self, service: int) -> Index:
        """The columns of one service."""
        return np.flatnonzero(self.service == service)

    def targets_of_provider(self, provider: int) -> Index:
        """The columns of all services on one provider."""
        return np.flatnonzero(self.provider == provider)


def lay_out(fleet: Fleet) -> Layout:
    """Numbers a fleet's agents, targets and groups, each in order of its id."""
    agents, targets = fleet.agents, fleet.targets
    regions = _sorted_set(a.region for a in agents)
    asns = tuple(sorted({a.asn for a in agents}))
    services = _sorted_set(t.service for t in targets)
    providers = _sorted_set(t.provider for t in targets if t.provider)
    planned = np.array(
        [[not t.regions or a.region in t.regions for t in targets] for a in agents], bool
    ).reshape(len(agents), len(targets))
    bundles = _cohorts("ca_bundle", [a.ca_bundle for a in agents])
    cohorts = bundles + _cohorts("version", [a.version for a in agents])
    codes = {cohort: code for code, cohort in enumerate(cohorts)}
    return Layout(
        fleet=fleet,
        agent_ids=tuple(a.id for a in agents),
        target_ids=tuple(t.id for t in targets),
        rows={a.id: i for i, a in enumerate(agents)},
        columns={t.id: i for i, t in enumerate(targets)},
        regions=regions,
        asns=asns,
        services=services,
        providers=providers,
        region=_codes([regions.index(a.region) for a in agents]),
        network=_codes([asns.index(a.asn) for a in agents]),
        service=_codes([services.index(t.service) for t in targets]),
        provider=_codes([providers.index(t.provider) if t.provider else -1 for t in targets]),
        component=tuple(t.component for t in targets),
        family=_codes([t.family for t in targets]),
        cohorts=cohorts,
        bundle=_codes([codes.get(("ca_bundle", a.ca_bundle), -1) for a in agents]),
        release=_codes([codes.get(("version", a.version), -1) for a in agents]),
        interval_us=np.array([max(t.interval_s, 0.1) * 1e6 for t in targets], np.int64),
        planned=planned,
        in_region=_one_hot([regions.index(a.region) for a in agents], len(regions)),
        in_network=_one_hot([asns.index(a.asn) for a in agents], len(asns)),
        names=_names(fleet) | {("cohort", word): COHORT_WORDS[kind].format(word) for kind, word in cohorts},
    )


def _names(fleet: Fleet) -> dict[tuple[str, str], str]:
    names = {("service", s.id): s.name for s in fleet.services if s.name}
    names |= {("provider", p.id): p.name for p in fleet.providers if p.name}
    names |= {("region", r.id): r.name for r in fleet.regions if r.name}
    names |= {("asn", str(a.asn)): f"AS{a.asn}" for a in fleet.agents}
    for network in fleet.networks:
        number = f"AS{network.asn}"
        named = network.name not in ("", number)
        names["asn", str(network.asn)] = f"{network.name} ({number})" if named else number
    return names


def _cohorts(kind: str, words: list[str]) -> tuple[tuple[str, str], ...]:
    several = sorted({word for word in words if word and LEAST_COHORT <= words.count(word) < len(words)})
    return tuple((kind, word) for word in several)


def _sorted_set(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _codes(codes: list[int]) -> Index:
    return np.array(codes, np.intp)


def _one_hot(codes: list[int], groups: int) -> Floats:
    out = np.zeros((groups, len(codes)))
    out[codes, np.arange(len(codes))] = 1.0
    return out
