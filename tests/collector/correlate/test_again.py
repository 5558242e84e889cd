"""The same service fails again and again, each time differently: what the lab's bench does for an hour."""

from faultline.outcomes import Outcome
from faultline_collector.outages import Scope, State
from tests.collector.correlate.test_scopes import service
from tests.collector.correlate.worlds import World, lab_fleet


def test_what_fails_again_is_not_confirmed_by_what_failed_before() -> None:
    """What was out everywhere a minute ago and now is in one country is never told as confirmed global."""
    world = World(lab_fleet()).run(40)
    world.run(20, service("s03", Outcome.HTTP)).run(60)
    assert world.states() == {State.RESOLVED}
    regional = service("s03", Outcome.HTTP, "c0-r0", "c0-r1", "c0-r2")
    for _ in range(20):
        world.run(1, regional)
        told = [(o.scope, o.state) for o in world.open()]
        assert (Scope.GLOBAL, State.CONFIRMED) not in told, world.now_s
    assert [(o.scope, o.state) for o in world.open()] == [(Scope.REGIONAL, State.CONFIRMED)]


def test_every_return_of_an_outage_ends() -> None:
    """However often a service fails, and for whom: soon after it works only what flaps is open."""
    world = World(lab_fleet()).run(40)
    extents: tuple[tuple[str, ...], ...] = (
        (),
        ("c0-r0", "c0-r1", "c0-r2"),
        ("c0-r0", "c0-r1"),
        (),
        ("c1-r0",),
        ("c1-r0", "c2-r2"),
    )
    for turn, regions in enumerate(extents * 2):
        world.run(12 + turn, service("s03", Outcome.HTTP, *regions)).run(25)
        world.run(7, service("s03", Outcome.TIMEOUT, *regions)).run(65)
        steady = [o for o in world.open() if o.state is not State.FLAPPING]
        assert steady == [], (turn, [(o.scope, o.state, o.why) for o in steady])
    assert world.run(300).open() == []
