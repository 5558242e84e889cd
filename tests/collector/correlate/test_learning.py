"""While little is known it is said that it is being learned, and only what most of a region says is told."""

import numpy as np
import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.cells import ROUNDS
from faultline_collector.correlate.engine import Health
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.test_scopes import lone, region, service
from tests.collector.correlate.worlds import Fault, World, lab_fleet

INTERVAL_S = 5.0
LEARNED_S = ROUNDS * INTERVAL_S + INTERVAL_S


def healths(world: World) -> set[Health]:
    """What is said of all services from all regions."""
    return {standing.health for standing in world.detector.standings(world.now_us)}


def test_it_says_learning_until_a_ring_of_rounds_is_known() -> None:
    """Unknown before the first result, learning for sixteen rounds, fine from then on."""
    world = World(lab_fleet(), noise=0.0)
    assert healths(world) == {Health.UNKNOWN}
    assert healths(world.run(INTERVAL_S)) == {Health.LEARNING}
    assert healths(world.run(LEARNED_S - 3 * INTERVAL_S)) == {Health.LEARNING}
    assert healths(world.run(3 * INTERVAL_S)) == {Health.OK}


def test_what_is_out_while_it_is_learned_is_down() -> None:
    """An outage says more than learning does."""
    world = World(lab_fleet(), noise=0.0).run(25).run(20, service("s03", Outcome.HTTP))
    down = {s.service for s in world.detector.standings(world.now_us) if s.health is Health.DOWN}
    assert down == {"s03"}
    assert healths(world) == {Health.LEARNING, Health.DOWN}


@pytest.mark.parametrize(
    ("fault", "scope", "subject"),
    [
        pytest.param(service("s03", Outcome.HTTP), Scope.GLOBAL, "s03", id="everywhere"),
        pytest.param(service("s03", Outcome.HTTP, "c0-r0", "c0-r1"), Scope.REGIONAL, "s03", id="regions"),
        pytest.param(region("c2-r1"), Scope.NETWORK, "c2-r1", id="a region's access"),
        pytest.param(lone("c1-r1-1"), Scope.AGENT, "c1-r1-1", id="an agent"),
    ],
)
def test_an_outage_that_begins_while_it_is_learned_is_found(fault: Fault, scope: Scope, subject: str) -> None:
    """Most of a region says so."""
    world = World(lab_fleet(), noise=0.0).run(25).run(25, fault)
    assert [(o.scope, o.subject.id, o.state) for o in world.open()] == [(scope, subject, State.CONFIRMED)]


def a_third(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One agent of each region has never reached a service: how it always was, for all that anybody knows."""
    return Outcome.CONNECT if target.service == "s03" and agent.id.endswith("-0") else None


def test_pairs_that_have_never_worked_are_no_outage_while_it_is_learned() -> None:
    """A third of every region fails from the first round on: nothing is told before it is known."""
    world = World(lab_fleet(), noise=0.0)
    for _ in range(int(ROUNDS * INTERVAL_S)):
        world.run(1, a_third)
        assert world.open() == []


def a_stray(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One agent of that third fails alone."""
    return Outcome.CONNECT if target.service == "s03" and agent.id == "c1-r1-0" else None


@pytest.mark.parametrize("over_s", [60, 68, 72])
def test_what_was_over_before_it_was_known_is_not_told_afterwards(over_s: int) -> None:
    """A third of every region fails for moments while it is learned; a stray failure later tells nothing."""
    world = World(lab_fleet(), noise=0.0).run(over_s - 6).run(6, a_third).run(LEARNED_S + 1 - over_s)
    world.run(INTERVAL_S, a_stray).run(3 * INTERVAL_S)
    assert world.told() == []


def test_the_same_third_is_told_once_it_is_known_to_be_unusual() -> None:
    """After a ring of good rounds nobody has to wait for most of a region."""
    world = World(lab_fleet(), noise=0.0).run(LEARNED_S).run(25, a_third)
    assert [o.subject.id for o in world.open()] == ["s03"]


def test_cells_that_were_never_probed_are_not_learning() -> None:
    """Neither is one that has had its rounds."""
    world = World(lab_fleet(), noise=0.0)
    cells = world.detector._cells
    assert not cells.learning(np.arange(4)).any()
    world.run(INTERVAL_S)
    assert cells.learning(np.arange(4)).all()


def four(agent: Agent, target: Target, at: float) -> Outcome | None:
    """A service of each provider is out everywhere."""
    return Outcome.HTTP if target.service in {"s03", "s06", "s09", "s12"} else None


def test_what_is_not_sure_yet_is_no_network_instead() -> None:
    """Until most of a region has failed, several services at once are nothing else."""
    world = World(lab_fleet(services=20, interval_s=30.0), noise=0.0).run(65).run(30, four)
    assert sorted(world.told()) == [(Scope.GLOBAL, s) for s in ("s03", "s06", "s09", "s12")]
