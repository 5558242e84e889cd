"""Whose answers tell most."""

from faultline_collector.fleet import Agent
from faultline_collector.inquiry.vantages import representative, spread, telling
from tests.collector.inquiry.scenes import AGENTS, TARGETS, outage


def test_rivals_are_separated_first() -> None:
    """Another network of the place, elsewhere without either, the same place and network: in turn."""
    found = telling(outage(), (agent for agent in AGENTS if agent.id != "east-64500"))
    common = [(agent.region == "east") + (agent.asn == 64500) for agent in found]
    assert common[:4] == [1, 0, 1, 0]
    assert sorted(agent.id for agent in found) == sorted({a.id for a in AGENTS} - {"east-64500"})


def test_agents_beside_those_that_fail_are_asked_too() -> None:
    """Whether all of a place fails is told by those of it that are not known to."""
    beside = Agent("east-64500-b", "east", "IN", 64500)
    assert beside in telling(outage(), [*AGENTS[1:], beside])[:3]


def test_the_first_stand_apart_and_take_turns() -> None:
    """No two of one region and network before each place has spoken; another question begins with others."""
    crowd = [Agent(f"{agent.id}-{i}", agent.region, "IN", agent.asn) for agent in AGENTS for i in range(5)]
    first = spread(crowd, "o-1")[: len(AGENTS)]
    assert len({(agent.region, agent.asn) for agent in first}) == len(AGENTS)
    assert first == spread(reversed(crowd), "o-1")[: len(AGENTS)]
    assert set(first) != set(spread(crowd, "o-2")[: len(AGENTS)])


def test_few_targets_stand_for_many() -> None:
    """One of each provider first, then of each service, then the rest."""
    assert [t.id for t in representative(TARGETS, 2)] == ["a-web", "c-web"]
    assert [t.id for t in representative(TARGETS, 4)] == ["a-web", "c-web", "d-web", "b-web"]
    assert [t.id for t in representative(TARGETS, 9)] == ["a-web", "c-web", "d-web", "b-web", "a-api"]
