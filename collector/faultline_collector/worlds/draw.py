"""Worlds drawn at random with their truth: faults of every scope in turn, and short blips between."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from faultline_collector.fleet import Fleet
from faultline_collector.outages import Scope
from faultline_collector.worlds.fleets import OLD_BUNDLE, make_fleet
from faultline_collector.worlds.making import fleet_random
from faultline_collector.worlds.places import PLACES
from faultline_collector.worlds.scenario import (
    Component,
    Fault,
    FleetPlan,
    From,
    Noise,
    Scenario,
    Service,
    Subject,
    Truth,
    What,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
WARM_UP_S = 1800.0
BLIPS_AN_HOUR = 2.0

_LAYERS = ("timeout", "connect", "dns", "tls", "http")
_PROVIDERS = ("edgeline", "northcloud", "bluestack", "quickcdn", "")
_PARTS = ("web", "login", "api")
_RINGS_S = (600.0, 1500.0)
"""How long a fault lasts, and how long the quiet is that follows it, at least and at most, seconds."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A fleet in which something is to break, when, and the random numbers to draw it with."""

    fleet: Fleet
    random: np.random.Generator
    begin_s: float
    end_s: float

    def one(self, things: "list[str]") -> str:
        """One of them."""
        return things[int(self.random.integers(len(things)))]

    def some(self, things: "list[str]", most: int) -> tuple[str, ...]:
        """At least one of them, at most `most`, and never all."""
        count = int(self.random.integers(1, max(2, min(most, len(things) - 1) + 1)))
        return tuple(sorted(self.random.choice(things, count, replace=False).tolist()))

    def service(self) -> str:
        """One of the services."""
        return self.one([service.id for service in self.fleet.services])

    def shared_provider(self) -> str:
        """A provider of at least two services."""
        served = {
            p.id: {t.service for t in self.fleet.targets if t.provider == p.id} for p in self.fleet.providers
        }
        return self.one([provider for provider, services in served.items() if len(services) > 1])

    def regions(self, most: int = 3) -> tuple[str, ...]:
        """Some of the regions."""
        return self.some([region.id for region in self.fleet.regions], most)

    def crowded_asn(self) -> int:
        """A network with at least three agents, or the one with most."""
        asns = [agent.asn for agent in self.fleet.agents]
        crowded = [asn for asn in sorted(set(asns)) if asns.count(asn) >= 3]
        return int(self.random.choice(crowded)) if crowded else max(set(asns), key=asns.count)

    def share(self) -> float:
        """How much of a group is hit: half of the faults hit all of it."""
        return 1.0 if self.random.random() < 0.5 else float(self.random.uniform(0.4, 0.8))

    def severity(self) -> float:
        """How often a probe that is hit fails: down to a fifth."""
        return float(self.random.choice((1.0, 1.0, 0.9, 0.6, 0.35, 0.2)))

    def layer(self) -> str:
        """How it shows."""
        return self.one(list(_LAYERS))

    def course(self, level: float) -> tuple[tuple[datetime, float], ...]:
        """Sharp, as a ramp, flapping, or with a slow recovery."""
        begin, end = self.begin_s, self.end_s
        third = (end - begin) / 3
        form = self.one(["sharp", "sharp", "ramp", "flaps", "slow end"])
        points = {
            "sharp": [(begin, level), (end, level)],
            "ramp": [(begin, 0.0), (begin + 180, level), (end, level)],
            "flaps": [(begin, level), (begin + third, level), (begin + third, 0.0), (begin + third + 90, 0.0),
                      (begin + third + 90, level), (end, level)],
            "slow end": [(begin, level), (end - third, level), (end, 0.0)],
        }[form]  # fmt: skip
        return tuple((moment(at), share) for at, share in points)


def moment(at_s: float) -> datetime:
    """Seconds since the start as a moment."""
    return START + timedelta(seconds=at_s)


Drawn = tuple[Fault, Truth]


def _truth(draw: Draw, scope: Scope, kind: str, subject: str, **more: object) -> Truth:
    times = {
        "began": (moment(draw.begin_s), moment(draw.begin_s)),
        "ended": (moment(draw.end_s), moment(draw.end_s)),
    }
    return Truth.model_validate({"scope": scope, "subject": Subject(kind=kind, id=subject)} | times | more)


def _fault(draw: Draw, layer: str, level: float, what: What, seen_from: From) -> Fault:
    fault = {"what": what, "from": seen_from, "course": draw.course(level)}
    if layer == "latency":
        return Fault.model_validate(fault | {"slower": float(draw.random.uniform(4, 10))})
    return Fault.model_validate(fault | {"how": {layer: 1.0}})


def worldwide(draw: Draw) -> Drawn:
    """A service, everywhere."""
    service, layer, level = draw.service(), draw.layer(), draw.severity()
    truth = _truth(draw, Scope.GLOBAL, "service", service, layer=layer, severity=level)
    return _fault(draw, layer, level, What(services=(service,)), From()), truth


def slow(draw: Draw) -> Drawn:
    """A service that answers slowly, everywhere."""
    service = draw.service()
    truth = _truth(draw, Scope.GLOBAL, "service", service, layer="latency")
    return _fault(draw, "latency", 1.0, What(services=(service,)), From()), truth


def one_component(draw: Draw) -> Drawn:
    """One component of a service that has several, everywhere."""
    several = [s for s in draw.fleet.services if len(s.components) > 1]
    service = several[int(draw.random.integers(len(several)))]
    part, layer = draw.one(list(service.components)), draw.layer()
    truth = _truth(draw, Scope.GLOBAL, "service", service.id, components=(part,), layer=layer)
    return _fault(draw, layer, 1.0, What(services=(service.id,), components=(part,)), From()), truth


def regional(draw: Draw) -> Drawn:
    """A service from some regions."""
    service, regions, layer, share = draw.service(), draw.regions(), draw.layer(), draw.share()
    truth = _truth(draw, Scope.REGIONAL, "service", service, regions=regions, layer=layer)
    seen_from = From(regions=regions, share=share)
    return _fault(draw, layer, 1.0, What(services=(service,)), seen_from), truth


def provider(draw: Draw) -> Drawn:
    """All that stands on a provider, everywhere."""
    name, layer, level = draw.shared_provider(), draw.layer(), draw.severity()
    truth = _truth(draw, Scope.PROVIDER, "provider", name, layer=layer, severity=level)
    return _fault(draw, layer, level, What(providers=(name,)), From()), truth


def provider_in_regions(draw: Draw) -> Drawn:
    """All that stands on a provider, from some regions."""
    name, regions, layer = draw.shared_provider(), draw.regions(5), draw.layer()
    truth = _truth(draw, Scope.PROVIDER, "provider", name, regions=regions, layer=layer)
    return _fault(draw, layer, 1.0, What(providers=(name,)), From(regions=regions)), truth


def network(draw: Draw) -> Drawn:
    """All that goes through one network."""
    asn, layer = draw.crowded_asn(), draw.layer()
    truth = _truth(draw, Scope.NETWORK, "asn", str(asn), asns=(asn,), layer=layer)
    return _fault(draw, layer, 1.0, What(), From(asns=(asn,), share=draw.share())), truth


def access(draw: Draw) -> Drawn:
    """All that comes from one region."""
    (region,) = draw.regions(1)
    layer = draw.layer()
    truth = _truth(draw, Scope.NETWORK, "region", region, regions=(region,), layer=layer)
    return _fault(draw, layer, 1.0, What(), From(regions=(region,), share=draw.share())), truth


def silent_network(draw: Draw) -> Drawn:
    """A network whose agents are not heard."""
    asn = draw.crowded_asn()
    truth = _truth(draw, Scope.NETWORK, "asn", str(asn), asns=(asn,), layer="silence")
    course = ((moment(draw.begin_s), 1.0), (moment(draw.end_s), 1.0))
    return Fault.model_validate({"from": From(asns=(asn,)), "silent": "unwell", "course": course}), truth


def dark_network(draw: Draw) -> Drawn:
    """A network of which some agents are lost together, with what they measure."""
    asn = draw.crowded_asn()
    truth = _truth(draw, Scope.NETWORK, "asn", str(asn), asns=(asn,), layer="silence")
    course = ((moment(draw.begin_s), 1.0), (moment(draw.end_s), 1.0))
    lost = {"from": From(asns=(asn,), share=draw.share()), "silent": "lost", "course": course}
    return Fault.model_validate(lost), truth


def agent(draw: Draw) -> Drawn:
    """One agent, whatever it probes."""
    name, layer = draw.one([a.id for a in draw.fleet.agents]), draw.layer()
    truth = _truth(draw, Scope.AGENT, "agent", name, layer=layer)
    return _fault(draw, layer, 1.0, What(), From(agents=(name,))), truth


def cohort(draw: Draw) -> Drawn:
    """Agents with an old CA bundle, on a third of all targets."""
    truth = _truth(draw, Scope.AGENT, "cohort", OLD_BUNDLE, layer="tls")
    return _fault(draw, "tls", 1.0, What(share=0.3), From(ca_bundle=OLD_BUNDLE)), truth


def collector(draw: Draw) -> Drawn:
    """The collector, which hears of nobody; what was measured comes later."""
    truth = _truth(draw, Scope.COLLECTOR, "collector", "collector", layer="silence")
    course = ((moment(draw.begin_s), 1.0), (moment(draw.end_s), 1.0))
    return Fault.model_validate({"silent": "late", "course": course}), truth


FAULTS: dict[str, Callable[[Draw], Drawn]] = {
    "global": worldwide,
    "latency": slow,
    "component": one_component,
    "regional": regional,
    "provider": provider,
    "provider-in-regions": provider_in_regions,
    "network": network,
    "access": access,
    "silent-network": silent_network,
    "dark-network": dark_network,
    "agent": agent,
    "cohort": cohort,
    "collector": collector,
}
"""What can break, by name."""


def draw_scenario(
    seed: int,
    faults: tuple[str, ...],
    *,
    wild: float = 0.0,
    churn: float = 0.0,
    interval_s: float = 30.0,
    regions: int = 12,
) -> Scenario:
    """A world in which these faults (of `FAULTS`) come in turn; size, noise and details are drawn."""
    random = np.random.default_rng([seed, 5])
    plan = _plan(random, interval_s, regions, "cohort" in faults)
    fleet = make_fleet(plan, fleet_random(seed))
    drawn, at_s = [], WARM_UP_S
    for name in faults:
        begin_s = at_s + float(random.uniform(0, 300))
        end_s = begin_s + float(random.uniform(*_RINGS_S))
        drawn.append(FAULTS[name](Draw(fleet, random, begin_s, end_s)))
        at_s = end_s + float(random.uniform(*_RINGS_S))
    for begin_s in random.uniform(0, at_s, random.poisson(BLIPS_AN_HOUR * at_s / 3600)):
        drawn.append(_blip(Draw(fleet, random, float(begin_s), float(begin_s + random.uniform(5, 40)))))
    return Scenario(
        name=f"drawn-{seed}",
        seed=seed,
        start=START,
        end=moment(round(at_s + 600)),
        fleet=plan,
        noise=Noise(level=float(random.uniform(0.5, 2.0)), wild=wild, churn=churn),
        faults=tuple(fault for fault, _ in drawn),
        truth=tuple(truth for _, truth in drawn),
    )


def _plan(random: np.random.Generator, interval_s: float, regions: int, cohorts: bool) -> FleetPlan:
    places = random.choice([place.id for place in PLACES], regions, replace=False)
    services = tuple(
        Service(
            id=f"svc{i:02d}",
            provider=_PROVIDERS[int(random.integers(len(_PROVIDERS)))] if i > 3 else _PROVIDERS[i // 2],
            home=str(random.choice(places)) if random.random() < 0.5 else "",
            components=tuple(Component(id=part) for part in _PARTS[: 1 + i % 3]),
        )
        for i in range(int(random.integers(8, 17)))
    )
    return FleetPlan(
        regions=tuple(sorted(places.tolist())),
        agents=int(random.integers(3, 7)),
        old_bundles=0.25 if cohorts else 0.0,
        interval=timedelta(seconds=interval_s),
        services=services,
        others=0,
    )


def _blip(draw: Draw) -> Drawn:
    """A shared disturbance too short to be anybody's outage."""
    service = draw.service()
    truth = _truth(draw, Scope.GLOBAL, "service", service, layer="http", severity=0.8, optional=True)
    course = ((moment(draw.begin_s), 0.8), (moment(draw.end_s), 0.8))
    fault = {"what": What(services=(service,)), "how": {"http": 1.0}, "statuses": (502,), "course": course}
    return Fault.model_validate(fault), truth
