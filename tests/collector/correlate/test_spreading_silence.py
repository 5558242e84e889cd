"""Silence that spreads, and what stays away: one outage that widens, and nothing told twice."""

from faultline.outcomes import Outcome
from faultline_collector.outages import Scope, State
from tests.collector.correlate.test_spreading import crowd
from tests.collector.correlate.worlds import Fault, World, lab_fleet

WARM_S = 90


def unwell(*agents: str) -> Fault:
    """These agents do not trust their own measurements."""
    return lambda agent, target, at: Outcome.INCONCLUSIVE if agent.id in agents else None


def test_a_silent_region_becomes_the_collector_when_all_fall_silent() -> None:
    """What began as one region's access goes on under its id as the collector's isolation."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.silent = {a.id for a in world.fleet.agents if a.region == "c1-r2"}
    world.run(25)
    (before,) = world.open()
    assert (before.scope, before.subject.id) == (Scope.NETWORK, "c1-r2")
    world.silent = {a.id for a in world.fleet.agents}
    world.run(30)
    assert [(o.id, o.scope) for o in world.last.values()] == [(before.id, Scope.COLLECTOR)]


def test_unwell_agents_become_their_network_when_all_of_it_is_unwell() -> None:
    """Two of a large network are told by themselves; the older one widens, the other becomes a part of it.

    No target is blamed meanwhile: that rounds are inconclusive does not make them overdue.
    """
    fleet = crowd(lab_fleet(countries=2), 4)
    world = World(fleet, noise=0.0).run(WARM_S)
    world.run(10, unwell("c0-r0-1a")).run(10, unwell("c0-r0-1a", "c0-r1-1a"))
    older, newer = world.open()
    assert {older.scope, newer.scope} == {Scope.AGENT}
    world.run(20, unwell(*(a.id for a in fleet.agents if a.asn == 101)))
    (outage,) = world.open()
    assert (outage.id, outage.scope, outage.subject.id) == (older.id, Scope.NETWORK, "101")
    assert world.last[newer.id].evidence["parent"] == older.id
    assert {o.layer for o in world.last.values()} == {"silence"}


def test_agents_that_stay_away_longer_than_their_network_are_not_told_one_by_one() -> None:
    """While the network's silence is open its agents are explained; somebody else's is told beside it."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    gone, *rest = [a.id for a in world.fleet.agents if a.asn == 101]
    world.silent = {gone, *rest}
    world.run(40)
    world.silent = {*rest, "c3-r0-0"}
    world.run(220)
    assert {o.subject.id for o in world.last.values()} == {"101", "c3-r0-0"}
    world.silent = set()
    world.run(20)
    assert world.states() == {State.RESOLVED}


def test_a_region_within_a_silent_collector_is_not_told_besides() -> None:
    """Once two regions have fallen silent together it is the collector, and neither region is an outage."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.silent = {a.id for a in world.fleet.agents if a.region in ("c1-r2", "c0-r1")}
    world.run(30)
    world.silent = {a.id for a in world.fleet.agents}
    world.run(30)
    assert world.told() == [(Scope.COLLECTOR, "collector")]
