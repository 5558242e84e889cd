"""The picture of one moment: what the fleet, the standings and the outages say together. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from faultline_collector.api.answers import (
    AgentAnswer,
    ComponentState,
    NetworkState,
    ProviderState,
    RegionState,
    ServiceAnswer,
    ServiceState,
    StandingAnswer,
)
from faultline_collector.correlate.engine import Health, Standing
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Outage, Scope, State, iso
from faultline_collector.presence import AgentState, Presence

_GRAVITY = {health: rank for rank, health in enumerate(
    (Health.UNKNOWN, Health.LEARNING, Health.OK, Health.SUSPECTED, Health.DEGRADED, Health.DOWN)
)}  # fmt: skip


def worst(healths: Iterable[Health]) -> Health:
    """The gravest of what is known; unknown only where nothing is."""
    return max(healths, key=_GRAVITY.__getitem__, default=Health.UNKNOWN)


def overall(healths: Iterable[Health]) -> Health:
    """One word for a service: down only when it is down wherever anything is known of it."""
    known = [health for health in healths if health is not Health.UNKNOWN]
    gravest = worst(known)
    partly = gravest is Health.DOWN and any(health is not Health.DOWN for health in known)
    return Health.DEGRADED if partly else gravest


def health_of(outage: Outage) -> Health:
    """What an open outage makes of its subject."""
    if outage.state is State.SUSPECTED:
        return Health.SUSPECTED
    return Health.DEGRADED if outage.severity == "degraded" else Health.DOWN


def probed_pairs(fleet: Fleet) -> set[tuple[str, str]]:
    """Every service with every region from which it is probed, whether an agent stands there or not."""
    return {
        (target.service, region.id)
        for target in fleet.targets
        for region in fleet.regions
        if not target.regions or region.id in target.regions
    }


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that was last published."""

    fleet: Fleet = field(default_factory=Fleet)
    standings: tuple[Standing, ...] = ()
    open_outages: tuple[Outage, ...] = ()
    live: frozenset[str] = frozenset()

    def regions(self) -> list[RegionState]:
        """Every region of the fleet with every service; what is not probed from there is unknown."""
        services = [service.id for service in self.fleet.services]
        seen = {region.id: dict.fromkeys(services, Health.UNKNOWN) for region in self.fleet.regions}
        for standing in self.standings:
            if standing.region in seen:
                seen[standing.region][standing.service] = standing.health
        agents = _by(self.fleet.agents, "region")
        return [
            RegionState(
                id=region.id,
                name=region.name,
                country=region.country,
                latitude=region.latitude,
                longitude=region.longitude,
                agents=len(agents.get(region.id, ())),
                live=self._live(agents.get(region.id, ())),
                health=worst(seen[region.id].values()),
                services=seen[region.id],
            )
            for region in self.fleet.regions
        ]

    def services(self) -> list[ServiceState]:
        """Every service with its components."""
        return list(self._services())

    def services_by_region(self) -> list[ServiceAnswer]:
        """Every service with its components and its standing in every region from which it is probed."""
        known = {(s.service, s.region): s for s in self.standings}
        probed = sorted(probed_pairs(self.fleet))
        regions: dict[str, list[StandingAnswer]] = {service.id: [] for service in self.fleet.services}
        for pair in probed:
            regions[pair[0]].append(_standing(known.get(pair) or Standing(*pair, Health.UNKNOWN, 0, 0)))
        return [ServiceAnswer(**dict(state), regions=regions[state.id]) for state in self._services()]

    def networks(self) -> list[NetworkState]:
        """Every network; unknown while no agent in it is live."""
        out = {o.subject.id: health_of(o) for o in self.open_outages if o.subject.kind == "asn"}
        agents = _by(self.fleet.agents, "asn")
        return [
            NetworkState(
                asn=network.asn,
                name=network.name,
                agents=len(agents.get(network.asn, ())),
                live=(live := self._live(agents.get(network.asn, ()))),
                health=out.get(str(network.asn), Health.OK if live else Health.UNKNOWN),
            )
            for network in self.fleet.networks
        ]

    def providers(self) -> list[ProviderState]:
        """Every provider; unknown while nothing is known of any service that stands on it."""
        out = {o.subject.id: health_of(o) for o in self.open_outages if o.subject.kind == "provider"}
        known = {s.service for s in self.standings if s.health is not Health.UNKNOWN}
        carried = {target.provider for target in self.fleet.targets if target.service in known}
        return [
            ProviderState(
                id=provider.id,
                name=provider.name,
                health=out.get(provider.id, Health.OK if provider.id in carried else Health.UNKNOWN),
            )
            for provider in self.fleet.providers
        ]

    def _live(self, agents: Iterable[Agent]) -> int:
        return sum(agent.id in self.live for agent in agents)

    def _services(self) -> Iterator[ServiceState]:
        healths, targets = defaultdict(list), defaultdict(list)
        for standing in self.standings:
            healths[standing.service].append(standing.health)
        for target in self.fleet.targets:
            targets[target.service].append(target)
        for service in self.fleet.services:
            health, own = overall(healths[service.id]), targets[service.id]
            providers = {target.provider for target in own} - {""}
            yield ServiceState(
                id=service.id,
                name=service.name,
                provider=providers.pop() if len(providers) == 1 else "",
                health=health,
                components=[self._component(name, own, health) for name in service.components],
            )

    def _component(self, name: str, own: list[Target], health: Health) -> ComponentState:
        targets = {target.id for target in own if target.component == name}
        hit = [o for o in self.open_outages if targets.intersection(o.target_ids)]
        blamed = [_component_health(outage, health) for outage in hit if outage.scope not in _OWN]
        quiet = health if health in (Health.UNKNOWN, Health.LEARNING) else Health.OK
        return ComponentState(id=name, health=worst([quiet, *blamed]))


_OWN = (Scope.AGENT, Scope.COLLECTOR)


def _component_health(outage: Outage, service: Health) -> Health:
    health = health_of(outage)
    everywhere = service is Health.DOWN or outage.scope in (Scope.GLOBAL, Scope.PROVIDER)
    return Health.DEGRADED if health is Health.DOWN and not everywhere else health


def _by(agents: Iterable[Agent], name: str) -> dict[object, list[Agent]]:
    groups: dict[object, list[Agent]] = {}
    for agent in agents:
        groups.setdefault(getattr(agent, name), []).append(agent)
    return groups


def _standing(standing: Standing) -> StandingAnswer:
    return StandingAnswer.model_validate(standing, from_attributes=True)


def live_agents(presences: Mapping[str, Presence], now_us: int) -> frozenset[str]:
    """The agents that are there and well."""
    return frozenset(p.agent_id for p in presences.values() if p.state(now_us) is AgentState.LIVE)


def agent_answer(agent: Agent, presence: Presence, now_us: int) -> AgentAnswer:
    """An agent and the last that was heard of it."""
    return AgentAnswer(
        id=agent.id,
        region=agent.region,
        country=agent.country,
        asn=agent.asn,
        site=agent.site,
        state=presence.state(now_us).value,
        connected=presence.connected,
        last_seen=iso(presence.last_seen_us or None),
        version=presence.version or agent.version,
        ca_bundle=presence.ca_bundle or agent.ca_bundle,
        condition=presence.condition,
        spool_results=presence.spool_results,
        spool_age_s=presence.spool_age_us / 1e6,
        clock_offset_s=presence.clock_offset_us / 1e6,
        shed_runs=presence.shed_runs,
        dropped_results=presence.dropped_results,
    )
