"""What of the fleet a question about history is about, and how its answer is divided. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from faultline_collector.api.questions import BadQuestion, HistoryQuestion, ScopedQuestion, known_id
from faultline_collector.fleet import Fleet, Target
from faultline_collector.stores.summary import SummaryQuery

_BETWEEN = "\x1f"


class Key(NamedTuple):
    """What a row is about; empty and 0 where the question does not divide by it."""

    service: str = ""
    component: str = ""
    target: str = ""
    provider: str = ""
    region: str = ""
    network: int = 0
    family: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """How targets are grouped, what is selected of agents, and the rows that an answer has in any case."""

    groups: Mapping[str, str]
    regions: frozenset[str] | None
    asns: frozenset[int] | None
    families: frozenset[int] | None
    by: frozenset[str]
    expected: frozenset[Key]

    def query(self, since_us: int, until_us: int, step_us: int, timing: str = "") -> SummaryQuery:
        """What the store is asked; always by region, for no answer is without its worst."""
        return SummaryQuery(
            since_us=since_us,
            until_us=until_us,
            step_us=step_us,
            target_groups=self.groups,
            regions=self.regions,
            asns=self.asns,
            families=self.families,
            by_region=True,
            by_network="network" in self.by,
            by_family="family" in self.by,
            timing=timing,
        )


def scope_of(fleet: Fleet, question: HistoryQuestion) -> Scope:
    """What the question is about; raises BadQuestion for what the fleet does not know."""
    targets = selected_targets(fleet, question)
    by = frozenset(question.by)
    return Scope(
        groups={target.id: _group(target, by) for target in targets},
        regions=frozenset((question.region,)) if question.region else None,
        asns=frozenset((question.network,)) if question.network else None,
        families=frozenset((question.family,)) if question.family else None,
        by=by,
        expected=frozenset(key for target in targets for key in _expected(fleet, question, target, by)),
    )


def key_of(group: str, region: str, network: int, family: int) -> Key:
    """The key of a row of a summary."""
    service, component, target, provider = group.split(_BETWEEN)
    return Key(service, component, target, provider, region, network, family)


def selected_targets(fleet: Fleet, question: ScopedQuestion) -> list[Target]:
    """The targets that the question selects; raises BadQuestion for ids that nobody knows."""
    known_id("service", question.service, (service.id for service in fleet.services))
    known_id("target", question.target, (target.id for target in fleet.targets))
    known_id("provider", question.provider, (provider.id for provider in fleet.providers))
    known_id("region", question.region, (region.id for region in fleet.regions))
    networks = {network.asn for network in fleet.networks} | {agent.asn for agent in fleet.agents}
    if question.network and question.network not in networks:
        shown = ", ".join(str(asn) for asn in sorted(networks))
        raise BadQuestion(f"network: {question.network} is not known; known are {shown or 'none yet'}")
    own = [target for target in fleet.targets if question.service in ("", target.service)]
    known_id("component", question.component, (target.component for target in own))
    return [
        target
        for target in own
        if question.component in ("", target.component)
        and question.target in ("", target.id)
        and question.provider in ("", target.provider)
    ]


def _group(target: Target, by: frozenset[str]) -> str:
    return _BETWEEN.join(
        (
            target.service if by & {"service", "component"} else "",
            target.component if "component" in by else "",
            target.id if "target" in by else "",
            target.provider if "provider" in by else "",
        )
    )


def _expected(fleet: Fleet, question: HistoryQuestion, target: Target, by: frozenset[str]) -> Iterator[Key]:
    """A key for each region from which the target is probed, whether an agent stands there or not."""
    places = {(region.id, 0) for region in fleet.regions}
    if question.network or "network" in by:
        own = [agent for agent in fleet.agents if question.network in (0, agent.asn)]
        places = {(agent.region, agent.asn if "network" in by else 0) for agent in own}
    for region, network in places:
        if question.region in ("", region) and (not target.regions or region in target.regions):
            yield key_of(_group(target, by), region, network, 0)
