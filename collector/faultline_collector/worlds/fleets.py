"""The fleet of a scenario."""

from collections.abc import Iterator

import numpy as np

from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.worlds.places import PLACES, Place
from faultline_collector.worlds.scenario import FleetPlan
from faultline_collector.worlds.scenario import Network as NetworkPlan
from faultline_collector.worlds.scenario import Service as ServicePlan

OLD_BUNDLE, NEW_BUNDLE = "2014", "2021"

_FIRST_ASN = 64500
_PROVIDERS = ("edgeline", "northcloud", "bluestack", "quickcdn", "")
_SITE_AGENTS = 2


def make_fleet(plan: FleetPlan, random: np.random.Generator) -> Fleet:
    """Agents, networks and targets; drawn where the plan leaves it open."""
    places = [p for p in PLACES if not plan.regions or p.id in plan.regions]
    networks = {country: _networks(plan, country, i) for i, country in enumerate(_countries(places))}
    services = (*plan.services, *_others(plan.others, places, random))
    agents = [agent for place in places for agent in _agents(plan, place, networks[place.country], random)]
    targets = [target for service in services for target in _targets(service, plan)]
    known = {n.asn: Network(n.asn, n.name or f"AS{n.asn}") for one in networks.values() for n in one}
    providers = sorted({target.provider for target in targets if target.provider})
    return Fleet(
        regions=tuple(
            Region(p.id, p.name, p.country, p.latitude, p.longitude)
            for p in sorted(places, key=lambda p: p.id)
        ),
        networks=tuple(known[asn] for asn in sorted(known)),
        providers=tuple(Provider(p, p) for p in providers),
        services=tuple(
            Service(s.id, s.name or s.id, tuple(c.id for c in s.components))
            for s in sorted(services, key=lambda s: s.id)
        ),
        agents=tuple(sorted(agents, key=lambda a: a.id)),
        targets=tuple(sorted(targets, key=lambda t: t.id)),
    )


def _countries(places: list[Place]) -> list[str]:
    return sorted({place.country for place in places})


def _networks(plan: FleetPlan, country: str, number: int) -> tuple[NetworkPlan, ...]:
    made = tuple(NetworkPlan(asn=_FIRST_ASN + 10 * number + i) for i in range(3))
    return plan.networks.get(country, made)


def _agents(
    plan: FleetPlan, place: Place, networks: tuple[NetworkPlan, ...], random: np.random.Generator
) -> Iterator[Agent]:
    count = plan.more_agents.get(place.id, plan.agents)
    weights = np.array([n.weight for n in networks])
    ranks = np.floor((np.arange(count) + 0.5) / count * weights.sum() * (1 - 1e-9))
    chosen = np.searchsorted(np.cumsum(weights), ranks, side="right")
    for i in range(count):
        old = bool(random.random() < plan.old_bundles)
        yield Agent(
            id=f"{place.id}-{i + 1}",
            region=place.id,
            country=place.country,
            asn=networks[int(chosen[i])].asn,
            site=f"{place.id}-s{i // _SITE_AGENTS + 1}",
            latitude=round(place.latitude + float(random.normal(0, 0.3)), 4),
            longitude=round(place.longitude + float(random.normal(0, 0.3)), 4),
            version="0.1.0",
            ca_bundle=OLD_BUNDLE if old else NEW_BUNDLE,
        )


def _others(count: int, places: list[Place], random: np.random.Generator) -> Iterator[ServicePlan]:
    for i in range(count):
        home = places[int(random.integers(len(places)))].id if random.random() < 0.5 else ""
        provider = _PROVIDERS[i % len(_PROVIDERS)]
        parts = tuple({"id": part} for part in ("web", "api")[: 1 + i % 2])
        yield ServicePlan.model_validate(
            {"id": f"other{i + 1:02d}", "provider": provider, "home": home, "components": parts}
        )


def _targets(service: ServicePlan, plan: FleetPlan) -> Iterator[Target]:
    for component in service.components:
        yield Target(
            id=f"{service.id}-{component.id}",
            service=service.id,
            component=component.id,
            provider=component.provider or service.provider,
            kind="http",
            interval_s=plan.interval.total_seconds(),
            home_region=service.home,
        )
