"""Tiny worlds: one agent, two agents, three targets. What can be told is told, and no more."""

import pytest

from faultline.outcomes import Outcome
from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.worlds import Fault, World


def tiny(agents: int, *, interval_s: float = 2.0, one_network: bool = False) -> Fleet:
    """Agents in two regions, Twitter with two targets and News with one; everything has a name."""
    places = ("east", "west")
    return Fleet(
        regions=(Region("east", "East India", "IN", 0, 0), Region("west", "West India", "IN", 0, 0)),
        networks=(Network(100, "Jio"), Network(101, "AS101")),
        providers=(Provider("edge", "Edgeline"), Provider("other", "")),
        services=(Service("news", "News", ("web",)), Service("twitter", "Twitter", ("login", "web"))),
        agents=tuple(
            sorted(
                (
                    Agent(f"{places[n % 2]}-{n // 2}", places[n % 2], "IN", 100 if one_network else 100 + n)
                    for n in range(agents)
                ),
                key=lambda a: a.id,
            )
        ),
        targets=(
            Target("news-web", "news", "web", "other", "http", interval_s),
            Target("twitter-login", "twitter", "login", "edge", "http", interval_s),
            Target("twitter-web", "twitter", "web", "edge", "http", interval_s),
        ),
    )


def twitter(agent: Agent, target: Target, at: float) -> Outcome | None:
    """Both targets of Twitter fail."""
    return Outcome.HTTP if target.service == "twitter" else None


@pytest.mark.parametrize("agents", [1, 2, 4, 6])
@pytest.mark.parametrize("one_network", [True, False])
def test_a_service_is_not_taken_for_a_network(agents: int, one_network: bool) -> None:
    """While News is fine on the same agents, Twitter's failures are Twitter's, before and after a restart."""
    world = World(tiny(agents, one_network=one_network), noise=0.0).run(40).run(30, twitter)
    assert world.told() == [(Scope.GLOBAL, "twitter")]
    (before,) = world.open()
    assert (before.state, before.target_ids) == (State.CONFIRMED, ("twitter-login", "twitter-web"))
    other = World(world.fleet, noise=0.0)
    other.phase, other.now_s = world.phase, world.now_s - 20
    other.detector.restore([before])
    other.run(60, twitter)
    (after,) = other.detector.outages()
    assert (after.id, after.scope, after.target_ids) == (before.id, before.scope, before.target_ids)
    other.run(30)
    assert other.detector.outages() == ()


@pytest.mark.parametrize(
    ("agents", "words"),
    [(1, "Twitter fails from the only vantage"), (2, "Twitter fails from both"), (4, "Twitter fails every")],
)
def test_few_vantages_are_never_everywhere(agents: int, words: str) -> None:
    """The reason says from how few vantages a service was seen, by the service's name."""
    world = World(tiny(agents), noise=0.0).run(40).run(20, twitter)
    assert world.open()[0].why.startswith(words)


def everything(asn: int) -> Fault:
    """Everything fails through a network."""
    return lambda agent, target, at: Outcome.TIMEOUT if agent.asn == asn else None


def test_names_are_used_where_there_are_names() -> None:
    """A network is told by its name and number, a region by its name."""
    fleet = tiny(6)
    more = tuple(Agent(f"{a.id}{n}", a.region, "IN", a.asn) for a in fleet.agents for n in "bcd")
    fleet = Fleet(
        fleet.regions,
        fleet.networks,
        fleet.providers,
        fleet.services,
        tuple(sorted(fleet.agents + more, key=lambda a: a.id)),
        fleet.targets,
    )
    world = World(fleet, noise=0.0).run(40).run(20, everything(100))
    (outage,) = world.open()
    assert outage.subject.id == "100"
    assert "through Jio (AS100) in East India:" in outage.why
    world = World(fleet, noise=0.0).run(40)
    world.silent = {a.id for a in fleet.agents if a.asn == 100}
    world.run(30)
    assert "the network Jio (AS100) is out" in world.open()[0].why
