"""How an outage may change: at will while it is suspected, once after it is confirmed."""

from dataclasses import replace

import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Scope, State
from tests.collector.correlate.test_scopes import provider, service
from tests.collector.correlate.worlds import World, lab_fleet

WARM_S = 90


@pytest.mark.parametrize("lasting_s", [2, 3])
def test_a_suspicion_narrows_to_what_goes_on_failing(lasting_s: int) -> None:
    """A provider that stumbles and leaves one service out is confirmed as that service, under one id."""
    world = World(lab_fleet(), settings=EngineSettings(), noise=0.0).run(WARM_S)
    world.run(lasting_s, provider("p1"))
    assert world.told() == [(Scope.PROVIDER, "p1")]
    world.run(70, service("s01", Outcome.HTTP))
    (outage,) = world.last.values()
    assert (outage.scope, outage.subject.id, outage.state) == (Scope.GLOBAL, "s01", State.CONFIRMED)
    assert outage.target_ids == ("s01-0",)


def test_a_confirmed_outage_changes_once_and_what_else_fails_is_told_beside_it() -> None:
    """A service is out in two regions, then everywhere; that its provider's others fail too is not hidden.

    The second widening is another outage, of which the first becomes a part when it is confirmed.
    """
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.run(20, service("s01", Outcome.HTTP, "c0-r0", "c0-r1")).run(40, service("s01", Outcome.HTTP))
    (first,) = world.open()
    assert (first.scope, first.subject.id) == (Scope.GLOBAL, "s01")
    world.run(4, provider("p1"))
    assert [(o.scope, o.subject.id, o.state) for o in world.open()] == [
        (Scope.GLOBAL, "s01", State.CONFIRMED),
        (Scope.PROVIDER, "p1", State.SUSPECTED),
    ]
    world.run(30, provider("p1"))
    (second,) = world.open()
    assert (second.scope, second.subject.id, second.state) == (Scope.PROVIDER, "p1", State.CONFIRMED)
    assert world.last[first.id].scope is Scope.GLOBAL
    assert world.last[first.id].evidence["parent"] == second.id


def without_providers(fleet: Fleet) -> Fleet:
    """Services that have nothing in common."""
    return replace(fleet, targets=tuple(replace(t, provider="") for t in fleet.targets))


def test_nine_services_that_fail_at_once_are_all_told_and_nothing_else() -> None:
    """No more than eight are named in one second, the rest in the next; no network is blamed for them."""
    world = World(without_providers(lab_fleet(services=27)), noise=0.0).run(WARM_S)
    broken = {f"s{n:02d}" for n in range(9)}
    world.run(20, lambda agent, target, at: Outcome.HTTP if target.service in broken else None)
    assert sorted(world.told()) == [(Scope.GLOBAL, service) for service in sorted(broken)]
    assert world.states() == {State.CONFIRMED}
