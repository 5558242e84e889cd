"""The fleet changes while outages are open: what is common goes on, what is gone ends."""

from dataclasses import replace

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.paced import PacedWorld
from tests.collector.correlate.test_scopes import network, service
from tests.collector.correlate.worlds import Fault, World, lab_fleet

WARM_S = 90


def without(world: World, *, agents: set[str] | None = None, targets: set[str] | None = None) -> World:
    """The same world after these have been removed from the configuration."""
    stays = [a.id not in (agents or ()) for a in world.fleet.agents]
    probed = [t.id not in (targets or ()) for t in world.fleet.targets]
    world.fleet = replace(
        world.fleet,
        agents=tuple(a for a, here in zip(world.fleet.agents, stays, strict=True) if here),
        targets=tuple(t for t, here in zip(world.fleet.targets, probed, strict=True) if here),
    )
    world.phase = world.phase[stays][:, probed]
    world.detector.refit(world.fleet)
    return world


def fine(agent: Agent, target: Target, at: float) -> Outcome | None:
    """Nothing fails."""
    return None


def test_an_outage_of_a_service_that_is_removed_ends() -> None:
    """Nobody probes it any more, so that nothing could ever end it otherwise."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(20, service("s01", Outcome.HTTP))
    assert [o.state for o in world.open()] == [State.CONFIRMED]
    without(world, targets={"s01-0"}).run(5)
    assert [o.state for o in world.last.values()] == [State.RESOLVED]
    assert world.detector.outages() == ()


def test_an_outage_of_a_service_that_was_removed_during_a_restart_ends() -> None:
    """What was kept of it finds nothing in the new configuration."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(20, service("s01", Outcome.HTTP))
    (before,) = world.open()
    without(world, targets={"s01-0"})
    world.fleet = replace(world.fleet, services=tuple(s for s in world.fleet.services if s.id != "s01"))
    world.detector = Detector(world.fleet, world.settings)
    world.detector.restore([before])
    world.run(5)
    assert [(o.id, o.state) for o in world.last.values()] == [(before.id, State.RESOLVED)]


def test_an_outage_of_a_network_without_agents_ends() -> None:
    """When all agents of a network leave, nothing is left that could say how it is."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(20, network(201))
    assert [(o.scope, o.state) for o in world.open()] == [(Scope.NETWORK, State.CONFIRMED)]
    without(world, agents={a.id for a in world.fleet.agents if a.asn == 201}).run(5)
    assert [o.state for o in world.last.values()] == [State.RESOLVED]


def test_an_outage_goes_on_with_the_agents_that_stay() -> None:
    """A service that fails does not recover by some of its witnesses leaving; then it ends as ever."""
    broken: Fault = service("s01", Outcome.HTTP)
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(20, broken)
    (before,) = world.open()
    without(world, agents={a.id for a in world.fleet.agents if a.country == "C0"}).run(30, broken)
    assert [(o.id, o.state) for o in world.last.values()] == [(before.id, State.CONFIRMED)]
    world.run(40, fine)
    assert [(o.id, o.state) for o in world.last.values()] == [(before.id, State.RESOLVED)]


def test_a_silence_goes_on_in_another_fleet() -> None:
    """Agents that are silent stay so, whatever else leaves; heard again, they end it."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.silent = {a.id for a in world.fleet.agents if a.region == "c1-r2"}
    world.run(40)
    (before,) = world.open()
    without(world, agents={"c0-r0-0"}, targets={"s03-0"}).run(30)
    assert [(o.id, o.layer, o.state) for o in world.open()] == [(before.id, "silence", State.CONFIRMED)]
    world.silent = set()
    world.run(20)
    assert [(o.id, o.state) for o in world.last.values()] == [(before.id, State.RESOLVED)]


def test_what_is_usual_is_known_in_another_fleet() -> None:
    """A service that becomes slow just after a target has left is told: its pace is not learned anew."""
    world = PacedWorld(lab_fleet(), noise=0.0).run(WARM_S)
    without(world, targets={"s11-0"})
    world.takes = lambda agent, target, at: 0.5 if target.service == "s03" else 0.1
    world.run(20)
    assert [(o.scope, o.subject.id, o.layer) for o in world.open()] == [(Scope.GLOBAL, "s03", "latency")]
