"""Whose answers tell most of a suspicion. Pure, and the same for the same question."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import chain, zip_longest

from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Outage


def spread(agents: Iterable[Agent], salt: str) -> list[Agent]:
    """The same agents such that each of the first stands in another region and network.

    Agents of one place take turns by `salt`, so that no agent is always the one who is asked.
    """
    groups: dict[tuple[str, int], list[Agent]] = {}
    for agent in sorted(agents, key=lambda agent: _turn(salt, agent.id)):
        groups.setdefault((agent.region, agent.asn), []).append(agent)
    rounds = zip_longest(*groups.values())
    return [agent for turn in rounds for agent in turn if agent is not None]


def telling(outage: Outage, others: Iterable[Agent]) -> list[Agent]:
    """Agents that are not known to fail, those first who separate what it could be.

    In turn: of its regions through other networks, or of its networks in other regions (is it the place or
    the network?); neither (is it wider?); both (is it all of it?).
    """
    regions, asns = frozenset(outage.regions), frozenset(outage.asns)
    classes: tuple[list[Agent], ...] = ([], [], [])
    for agent in others:
        common = (agent.region in regions) + (agent.asn in asns)
        classes[(1, 0, 2)[common]].append(agent)
    turns = zip_longest(*(spread(agents, outage.id) for agents in classes))
    return [agent for agent in chain.from_iterable(turns) if agent is not None]


def representative(targets: Sequence[Target], most: int) -> list[Target]:
    """At most so many of the targets: each of the first of another provider, service and component."""
    chosen: list[Target] = []
    for key in _APART:
        seen = {key(target) for target in chosen}
        for target in targets:
            if key(target) not in seen:
                seen.add(key(target))
                chosen.append(target)
    return chosen[:most]


_APART: tuple[Callable[[Target], tuple[str, ...]], ...] = (
    lambda target: (target.provider or target.service,),
    lambda target: (target.service,),
    lambda target: (target.service, target.component),
    lambda target: (target.id,),
)


def _turn(salt: str, agent_id: str) -> bytes:
    return blake2b(f"{salt}\0{agent_id}".encode(), digest_size=8).digest()
