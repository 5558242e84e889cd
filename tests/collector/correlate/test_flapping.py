"""An outage that comes back again and again is one outage, which flaps and stays open."""

from faultline.outcomes import Outcome
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import State
from tests.collector.correlate.worlds import World, lab_fleet

WARM_S = 40.0


def broken(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One service fails everywhere."""
    return Outcome.HTTP if target.service == "s02" else None


def flap(world: World, times: int) -> World:
    """Out for forty seconds and back for a minute, again and again."""
    for _ in range(times):
        world.run(40, broken).run(60)
    return world


def test_what_returns_once_is_the_same_outage() -> None:
    """It is over in between, and confirmed again under its own id; that is not flapping yet."""
    world = flap(World(lab_fleet(), noise=0.0).run(WARM_S), 1)
    (first,) = world.last.values()
    assert first.state is State.RESOLVED
    world.run(40, broken)
    (again,) = world.last.values()
    assert (again.id, again.state, again.detected_us) == (first.id, State.CONFIRMED, first.detected_us)


def test_what_returns_again_and_again_flaps_and_stays_open() -> None:
    """When it is back for the third time it is flapping: a minute of quiet does not end it, five do."""
    world = flap(World(lab_fleet(), noise=0.0).run(WARM_S), 4)
    (outage,) = world.open()
    assert outage.state is State.FLAPPING
    flap(world, 1)
    assert [o.id for o in world.last.values()] == [outage.id]
    world.run(300)
    assert world.open() == []
    assert world.states() == {State.RESOLVED}


def test_one_that_was_only_suspected_thrice_is_confirmed_as_flapping() -> None:
    """A service that fails for moments, soon again, and then for long, has a time of confirmation too."""
    world = World(lab_fleet(), noise=0.0, settings=EngineSettings(hold_s=14)).run(WARM_S)
    for _ in range(3):
        world.run(5, broken).run(20)
    assert world.states() == {State.WITHDRAWN}
    world.run(40, broken)
    (outage,) = world.open()
    assert outage.state is State.FLAPPING
    assert outage.confirmed_us is not None


def test_what_never_fails_for_as_long_as_the_hold_is_told_when_it_does_not_cease() -> None:
    """Twenty seconds out, twenty seconds well, and no end of it: nobody can work with such a service."""
    world = World(lab_fleet(), noise=0.0, settings=EngineSettings()).run(WARM_S)
    for _ in range(3):
        world.run(20, broken).run(20)
    assert State.CONFIRMED not in world.states() | {o.state for o in world.open()}
    for _ in range(3):
        world.run(20, broken).run(20)
    (outage,) = world.last.values()
    assert outage.state is State.FLAPPING
    world.run(400)
    assert world.states() == {State.RESOLVED}


def test_what_comes_minutes_after_a_blip_is_not_the_blip() -> None:
    """The blip was only suspected and is forgotten: what fails later has its own id and its own times."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(5, broken).run(60)
    (blip,) = world.last.values()
    world.run(40, broken)
    (outage,) = world.open()
    assert (blip.state, outage.state) == (State.WITHDRAWN, State.CONFIRMED)
    assert outage.id != blip.id
    assert outage.detected_us > blip.changed_us


def test_a_return_that_is_only_suspected_leaves_the_outage_as_it_was() -> None:
    """What fails again for moments is suspected under the old id; then the old end stands again."""
    world = flap(World(lab_fleet(), noise=0.0).run(WARM_S), 1)
    (first,) = world.last.values()
    world.run(6, broken)
    assert [(o.id, o.state) for o in world.open()] == [(first.id, State.SUSPECTED)]
    world.run(60)
    (again,) = world.last.values()
    assert (again.state, again.resolved_us, again.scope) == (State.RESOLVED, first.resolved_us, first.scope)
