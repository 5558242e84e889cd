"""Outages of agents after a restart: of one agent, and of a cohort with the same software."""

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.test_kinships import old_bundles
from tests.collector.correlate.test_scopes import lone
from tests.collector.correlate.worlds import Fault, World, lab_fleet

WARM_S = 90


def expired(agent: Agent, target: Target, at: float) -> Outcome | None:
    """Agents with the old bundle cannot reach a third of the services."""
    hit = agent.ca_bundle == "2014" and target.service in ("s01", "s04", "s06", "s11")
    return Outcome.TLS if hit else None


def goes_on(world: World, fault: Fault) -> None:
    """After a restart in an outage it goes on under its id, nothing else is confirmed, and it ends."""
    world.run(40, fault)
    (before,) = world.open()
    assert before.state is State.CONFIRMED
    world.detector = Detector(world.fleet, world.settings)
    world.detector.restore([before])
    world.run(30, fault)
    assert [(o.id, o.scope, o.state) for o in world.detector.outages()] == [
        (before.id, before.scope, State.CONFIRMED)
    ]
    world.run(60)
    told = [(o.id, o.state) for o in world.last.values() if o.confirmed_us is not None]
    assert told == [(before.id, State.RESOLVED)]


def test_an_outage_of_one_agent_goes_on_after_a_restart() -> None:
    """Its neighbours in network and region are none of it."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    goes_on(world, lone("c1-r1-1"))


def test_an_outage_of_a_cohort_goes_on_after_a_restart() -> None:
    """Its agents are found again by what they have in common."""
    world = World(old_bundles(lab_fleet()), noise=0.0).run(WARM_S)
    goes_on(world, expired)
    outage = next(iter(world.last.values()))
    assert (outage.scope, outage.subject.kind, outage.subject.id) == (Scope.AGENT, "cohort", "2014")
