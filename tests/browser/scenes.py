"""Moments to look at, made by hand: the lab's fleet, how its services stand, and what is out."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from faultline_collector.correlate.engine import Health, Standing
from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.lab.world import make_world
from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.presence import Presence

WORLD = make_world()
REGIONS = tuple(place.id for place in WORLD.places)
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def lab_fleet() -> Fleet:
    """The lab's 36 agents in 12 regions, and its twelve services."""
    return Fleet(
        regions=tuple(Region(p.id, p.name, p.country, p.latitude, p.longitude) for p in WORLD.places),
        networks=tuple(Network(c.asn, c.name) for c in WORLD.carriers),
        providers=tuple(Provider(key, name) for key, name in WORLD.providers.items()),
        services=tuple(Service(p.id, p.name, tuple(part.id for part in p.parts)) for p in WORLD.products),
        agents=tuple(Agent(v.id, v.region, v.country, v.asn) for v in WORLD.vantages),
        targets=tuple(
            Target(part.target_id, part.service, part.id, part.provider, part.transport, 5.0)
            for part in WORLD.parts()
        ),
    )


FLEET = lab_fleet()


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment: what fails where (a service and a region each), what is out, and which regions are dark."""

    failing: Mapping[tuple[str, str], Health]
    open_outages: tuple[Outage, ...] = ()
    ended_outages: tuple[Outage, ...] = ()
    dark: frozenset[str] = frozenset()

    def standings(self) -> tuple[Standing, ...]:
        """Every service from every region."""
        return tuple(
            Standing(service.id, region.id, self._health(service.id, region.id), 3, 0)
            for service in FLEET.services
            for region in FLEET.regions
        )

    def presences(self, at_us: int) -> dict[str, Presence]:
        """Every agent that is not in the dark was heard just now."""
        return {
            agent.id: Presence(agent.id, last_seen_us=at_us, connected=True)
            for agent in FLEET.agents
            if agent.region not in self.dark
        }

    def _health(self, service: str, region: str) -> Health:
        return Health.UNKNOWN if region in self.dark else self.failing.get((service, region), Health.OK)


def an_outage(
    scope: Scope,
    subject: Subject,
    why: str,
    *,
    regions: tuple[str, ...] = REGIONS,
    ago_s: float = 240,
    layer: str = "http",
) -> Outage:
    """A confirmed outage that began `ago_s` seconds ago."""
    onset = now_us() - int(ago_s * SECOND_US)
    services = [subject.id] if subject.kind == "service" else []
    return Outage(
        id=f"{scope.value}-{subject.id}",
        state=State.CONFIRMED,
        scope=scope,
        subject=subject,
        target_ids=tuple(t.id for t in FLEET.targets if t.service in services or t.provider == subject.id),
        regions=regions,
        asns=(),
        layer=layer,
        severity="down",
        confidence=0.998,
        onset_us=onset,
        onset_after_us=onset - 3 * SECOND_US,
        onset_before_us=onset + 1 * SECOND_US,
        detected_us=onset + 4 * SECOND_US,
        confirmed_us=onset + 7 * SECOND_US,
        changed_us=onset + 7 * SECOND_US,
        why=why,
        evidence=a_proof(regions, layer),
    )


def a_proof(failing: Iterable[str], layer: str) -> dict[str, Any]:
    """Evidence as the detector writes it: all agents of the `failing` regions fail, the others do not."""
    hit = set(failing)
    return {
        "score_nats": 61.4,
        "failing": _grouped(agent for agent in FLEET.agents if agent.region in hit),
        "healthy": _grouped(agent for agent in FLEET.agents if agent.region not in hit),
        "layers": {layer: 6 * len(hit), "timeout": 1},
        "share_failing": 1.0,
        "considered": [
            {"scope": "provider", "subject": {"kind": "provider", "id": "fastly"}, "behind_nats": 18.2},
            {"scope": "network", "subject": {"kind": "asn", "id": "55836"}, "behind_nats": 37.9},
        ],
    }


def _grouped(agents: Iterable[Agent]) -> dict[str, Any]:
    listed = list(agents)
    return {
        "agents": len(listed),
        "regions": Counter(agent.region for agent in listed),
        "networks": Counter(str(agent.asn) for agent in listed),
    }


def calm() -> Scene:
    """Everything works from everywhere."""
    return Scene(failing={})


def twitter_in_india() -> Scene:
    """Twitter fails from two of India's three regions."""
    where = ("in-west", "in-north")
    outage = an_outage(
        Scope.REGIONAL,
        Subject("service", "twitter"),
        "Twitter fails from 6 of 6 agents in West India and North India, in 3 networks; "
        "it works from 30 of 30 agents elsewhere.",
        regions=where,
    )
    ended = replace(
        an_outage(
            Scope.NETWORK, Subject("asn", "26599"), "9 services fail from 3 of 3 agents in Vivo.", ago_s=9000
        ),
        state=State.RESOLVED,
        resolved_us=now_us() - 100 * MINUTE_US,
    )
    return Scene({("twitter", region): Health.DOWN for region in where}, (outage,), (ended,))


def twitter_everywhere() -> Scene:
    """Twitter fails for everyone, Spotify perhaps in Germany, and one probe of our own has trouble."""
    germany = ("de-north", "de-west", "de-south")
    failing = {("twitter", region): Health.DOWN for region in REGIONS}
    failing |= {("spotify", region): Health.SUSPECTED for region in germany}
    failing |= {("netflix", "br-north"): Health.DEGRADED}
    return Scene(
        failing,
        (
            an_outage(
                Scope.GLOBAL,
                Subject("service", "twitter"),
                "Twitter fails from 36 of 36 agents in 12 regions and 12 networks, with HTTP 503.",
                ago_s=725,
            ),
            replace(
                an_outage(
                    Scope.REGIONAL,
                    Subject("service", "spotify"),
                    "Spotify fails from 4 of 9 agents in Germany; names are not resolved.",
                    regions=germany,
                    ago_s=9,
                    layer="dns",
                ),
                state=State.SUSPECTED,
                confirmed_us=None,
            ),
            replace(
                an_outage(
                    Scope.REGIONAL,
                    Subject("service", "netflix"),
                    "Netflix fails in one of three tries from North Brazil.",
                    regions=("br-north",),
                    ago_s=3000,
                    layer="timeout",
                ),
                severity="degraded",
            ),
            an_outage(
                Scope.AGENT,
                Subject("agent", "us-west-att"),
                "Agent us-west-att fails 26 of 26 targets that its neighbours reach.",
                regions=("us-west",),
                ago_s=4000,
                layer="connect",
            ),
        ),
        dark=frozenset({"br-east"}),
    )


def lost_contact() -> Scene:
    """No agent can be heard."""
    outage = an_outage(
        Scope.COLLECTOR,
        Subject("collector", "collector"),
        "All 36 agents fell silent within 4 s: the way to the collector is out, not the services.",
        layer="silence",
    )
    return Scene({}, (outage,), dark=frozenset(REGIONS))


SCENES: Mapping[str, Callable[[], Scene]] = {
    "calm": calm,
    "regional": twitter_in_india,
    "global": twitter_everywhere,
    "blind": lost_contact,
}
