"""An outage while it lasts: it is not learned as usual, no blip widens it, it ends when most are well."""

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.cells import ROUNDS
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.paced import PacedWorld
from tests.collector.correlate.test_scopes import provider, service
from tests.collector.correlate.worlds import Fault, World, lab_fleet

WARM_S = 90
SECOND_US = 1_000_000
HERE = ("c0-r0", "c0-r1", "c1-r2")


def both(*faults: Fault) -> Fault:
    """The first of these that says anything."""

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        said = [one(agent, target, at) for one in faults]
        return next((outcome for outcome in said if outcome is not None), None)

    return fault


def test_what_fails_for_long_is_not_learned() -> None:
    """Nothing is learned of an open outage's cells, nor of their last rings after its end."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    base = world.detector._failing.base
    world.run(3 * ROUNDS * 5, service("s03", Outcome.HTTP))
    assert base.failed.sum() == 0
    learned = base.ok.copy()
    world.run(20)
    assert world.states() == {State.RESOLVED}
    s03 = np.array([t.service == "s03" for t in world.fleet.targets])
    world.run(ROUNDS * 5 - 20)
    assert (base.ok == learned).reshape(36, -1)[:, s03].all()
    world.run(2 * ROUNDS * 5)
    assert (base.ok > learned).reshape(36, -1)[:, s03].all()
    assert base.failed.sum() == 0


def test_what_is_slow_for_an_hour_is_how_it_is() -> None:
    """Slowness that lasts becomes usual: its cells are kept from learning for an hour only."""
    world = PacedWorld(lab_fleet(), noise=0.0).run(WARM_S)
    world.takes = lambda agent, target, at: 0.5 if target.service == "s03" else 0.1
    world.run(30)
    (outage,) = world.open()
    assert outage.layer == "latency"
    book, base = world.detector._book, world.detector._slowness.base
    until_us = base.frozen_until_us.max()
    book.freeze(world.now_us + 3_000 * SECOND_US)
    later_us = base.frozen_until_us.max()
    assert later_us > until_us
    book.freeze(world.now_us + 4_000 * SECOND_US)
    assert base.frozen_until_us.max() == later_us


def test_a_blip_elsewhere_does_not_widen_an_outage() -> None:
    """A service that is out in three regions fails everywhere for moments: scope and regions stay."""
    regional = service("s03", Outcome.CONNECT, *HERE)
    world = World(lab_fleet(), noise=0.0, settings=EngineSettings(hold_s=20)).run(WARM_S).run(60, regional)
    (before,) = world.open()
    for _ in range(3):
        world.run(12, service("s03", Outcome.CONNECT)).run(30, regional)
    (after,) = world.open()
    assert (after.id, after.scope, after.state) == (before.id, Scope.REGIONAL, State.CONFIRMED)
    assert after.regions == HERE
    assert State.RESOLVED not in world.states()


def test_an_outage_that_grows_for_long_covers_more() -> None:
    """A provider fails in three regions, then in a fourth too: it is said once that has lasted."""

    def fails(*regions: str) -> Fault:
        return lambda agent, target, at: (
            provider("p1")(agent, target, at) if agent.region in regions else None
        )

    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(30, fails(*HERE))
    assert [(o.scope, o.regions) for o in world.open()] == [(Scope.PROVIDER, HERE)]
    world.run(6, fails(*HERE, "c3-r0"))
    assert [o.regions for o in world.open()] == [HERE]
    world.run(30, fails(*HERE, "c3-r0"))
    assert [o.regions for o in world.open()] == [(*HERE, "c3-r0")]


def test_an_outage_does_not_end_while_many_go_on_failing() -> None:
    """Two thirds of the world are well again, one third is not: it goes on."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(40, service("s03", Outcome.HTTP))
    country = service("s03", Outcome.HTTP, "c0-r0", "c0-r1", "c0-r2", "c1-r0")
    for _ in range(30):
        world.run(1, country)
        assert all(o.state.is_open for o in world.last.values()), world.now_s
    world.run(30)
    assert world.open() == []


def test_one_service_that_goes_on_failing_is_not_its_provider() -> None:
    """Two services of a provider fail for moments, then one goes on: the provider is never confirmed."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.run(4, both(service("s01", Outcome.HTTP), service("s05", Outcome.HTTP)))
    for _ in range(40):
        world.run(1, service("s05", Outcome.HTTP))
        told = [(o.scope, o.state) for o in world.open()]
        assert (Scope.PROVIDER, State.CONFIRMED) not in told, world.now_s
    assert [(o.scope, o.subject.id, o.state) for o in world.open()] == [
        (Scope.GLOBAL, "s05", State.CONFIRMED)
    ]


def test_half_of_the_regions_are_not_everywhere() -> None:
    """A provider that fails in six of twelve regions fails there, and not everywhere."""
    half = tuple(f"c{c}-r{r}" for c in range(2) for r in range(3))
    fails: Fault = lambda agent, target, at: (  # noqa: E731
        provider("p1")(agent, target, at) if agent.region in half else None
    )
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(30, fails)
    assert [(o.scope, o.subject.id, o.regions) for o in world.open()] == [(Scope.PROVIDER, "p1", half)]


def test_a_region_with_one_failing_agent_belongs_to_those_with_more() -> None:
    """A part of three regions' agents is hit, in one of them a single one: it is not everywhere."""
    hit = {"c0-r0-0", "c0-r0-1", "c1-r1-1", "c1-r1-2", "c2-r2-0"}
    fails: Fault = lambda agent, target, at: (  # noqa: E731
        Outcome.TLS if target.service == "s03" and agent.id in hit else None
    )
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(40, fails)
    (outage,) = world.open()
    assert (outage.scope, outage.regions) == (Scope.REGIONAL, ("c0-r0", "c1-r1", "c2-r2"))
