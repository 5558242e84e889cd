"""The fleet: who probes what."""

from faultline_collector.fleet import Agent, Fleet, Target


def target(name: str, *regions: str) -> Target:
    """A target that is probed from some regions."""
    return Target(name, "twitter", "web", "", "http", 30.0, regions=regions)


def test_agent_probes_the_targets_of_its_region_and_of_everywhere() -> None:
    """A target without regions is for all."""
    west, east = Agent("w", "in-west", "IN", 1), Agent("e", "us-east", "US", 2)
    fleet = Fleet(
        agents=(east, west),
        targets=(target("all"), target("both", "in-west", "us-east"), target("west", "in-west")),
    )
    assert [t.id for t in fleet.targets_of(west)] == ["all", "both", "west"]
    assert [t.id for t in fleet.targets_of(east)] == ["all", "both"]
