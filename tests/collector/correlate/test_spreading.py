"""What spreads: which outage becomes part of which, and how often one may change."""

from dataclasses import replace

import numpy as np
import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.causes import Cause
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Scope, State, Subject
from tests.collector.correlate.test_scopes import lone, network, provider, service
from tests.collector.correlate.test_tiny import tiny, twitter
from tests.collector.correlate.worlds import Fault, World, lab_fleet

WARM_S = 90


def crowd(fleet: Fleet, times: int) -> Fleet:
    """So many agents at each place where there is one."""
    agents = [replace(a, id=f"{a.id}{letter}") for a in fleet.agents for letter in "abcd"[:times]]
    return replace(fleet, agents=tuple(agents))


def both(*faults: Fault) -> Fault:
    """Several faults at once."""

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        return next((found for one in faults if (found := one(agent, target, at)) is not None), None)

    return fault


def parts(world: World) -> list[tuple[Scope, str, State, bool]]:
    """Scope, subject and state of all that was told, and whether it turned out to be part of another."""
    return [(o.scope, o.subject.id, o.state, "parent" in o.evidence) for o in world.last.values()]


def test_an_agent_is_part_of_its_network_once_that_is_confirmed() -> None:
    """An agent that fails minutes before all of its network is told first, and then as a part of that."""
    world = World(crowd(lab_fleet(countries=2), 2), settings=EngineSettings(), noise=0.0).run(WARM_S)
    first = lone("c0-r1-1a")
    world.run(60, first)
    agent = (Scope.AGENT, "c0-r1-1a")
    assert parts(world) == [(*agent, State.CONFIRMED, False)]
    world.run(10, both(first, network(101, "c0-r0"))).run(10, network(101))
    assert parts(world) == [(*agent, State.CONFIRMED, False), (Scope.NETWORK, "101", State.SUSPECTED, False)]
    world.run(50, network(101))
    assert parts(world) == [(*agent, State.RESOLVED, True), (Scope.NETWORK, "101", State.CONFIRMED, False)]


@pytest.mark.parametrize(
    ("apart_s", "scopes"),
    [
        pytest.param(30, {Scope.NETWORK}, id="together"),
        pytest.param(200, {Scope.AGENT}, id="one by one"),
    ],
)
def test_agents_of_one_network_are_its_outage_when_they_fell_out_together(
    apart_s: int, scopes: set[Scope]
) -> None:
    """All three fail in the end; when minutes lay between them, each has a trouble of its own."""
    one, two = lone("c0-r0-1"), lone("c0-r1-1")
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.run(apart_s, one).run(40, both(one, two)).run(40, network(101))
    assert {o.scope for o in world.open()} == scopes


def test_what_an_outage_leaves_for_moments_after_its_end_is_nothing_new() -> None:
    """A service that stumbles once more while its provider comes back is not told."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(25, provider("p1"))
    while world.open():
        world.run(1)
    world.run(4, service("s01", Outcome.HTTP, "c0-r0", "c0-r1")).run(30)
    assert world.told() == [(Scope.PROVIDER, "p1")]


def test_a_recovery_is_taken_back_when_the_failing_goes_on() -> None:
    """From one vantage a round that goes well begins a recovery; when the next fails it was none."""
    world = World(tiny(1), noise=0.0).run(WARM_S).run(30, twitter)
    assert world.states() == {State.CONFIRMED}
    world.run(3)
    assert world.states() == {State.RECOVERING}
    world.run(3, twitter)
    assert world.states() == {State.CONFIRMED}


def test_the_onset_of_what_never_went_well_lies_within_an_interval_of_its_first_failure() -> None:
    """Nobody knows a success before it, so that it may have begun a round earlier and no sooner."""
    world = World(lab_fleet(interval_s=30.0), noise=0.0).run(60, service("s03", Outcome.HTTP))
    (outage,) = world.open()
    assert (outage.scope, outage.subject.id) == (Scope.GLOBAL, "s03")
    assert outage.onset_us - outage.onset_after_us == 30_000_000


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_half_of_all_regions_are_not_everywhere(seed: int) -> None:
    """A provider that fails a fifth of all probes in nine of eighteen regions is never confirmed in more."""
    fleet = lab_fleet(countries=6, interval_s=20.0)
    world = World(fleet, settings=EngineSettings(), seed=seed).run(200)
    half, chance = {region.id for region in fleet.regions[:9]}, np.random.default_rng(seed)

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        hit = agent.region in half and target.provider == "p1" and chance.random() < 0.2
        return Outcome.HTTP if hit else None

    confirmed = False
    for _ in range(300):
        world.run(1, fault)
        for outage in world.open():
            confirmed |= outage.state is State.CONFIRMED
            assert outage.state is State.SUSPECTED or set(outage.regions) <= half
    assert confirmed


def cause(world: World, name: str) -> Cause:
    """That a provider fails a sixth of all probes everywhere, as the last forty seconds seem to say."""
    agents = np.arange(len(world.fleet.agents))
    return Cause(
        family="provider",
        scope=Scope.PROVIDER,
        subject=Subject("provider", name),
        agents=agents,
        targets=np.array([row for row, target in enumerate(world.fleet.targets) if target.provider == name]),
        gain=50.0,
        fit=50.0,
        cost=12.5,
        rate=0.16,
        window_us=40e6,
        layers=np.eye(8)[Outcome.HTTP],
        voices=np.full(agents.size, 2.0),
    )


@pytest.mark.parametrize(("well_s", "told"), [(1, 1), (15, 0)], ids=["failing", "well again"])
def test_what_the_newest_rounds_say_is_over_is_not_opened(well_s: int, told: int) -> None:
    """However much the older ones in its window say, and though a stray round fails."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.run(4, provider("p1")).run(well_s).run(1, lone("c1-r1-1"))
    book = world.detector._book
    book.live.clear()
    book.take(cause(world, "p1"), [], world.now_us)
    assert len(world.detector.outages()) == told


def test_a_confirmed_outage_does_not_grow_to_where_nothing_fails() -> None:
    """That a provider might as well be out everywhere is no reason to say so."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    here = ("c0-r0", "c0-r1")
    broken = provider("p1")
    world.run(30, lambda agent, target, at: broken(agent, target, at) if agent.region in here else None)
    (outage,) = world.open()
    assert (outage.state, outage.regions) == (State.CONFIRMED, here)
    everywhere = cause(world, "p1")
    book = world.detector._book
    book.take(everywhere, [], world.now_us)
    assert [o.regions for o in world.detector.outages()] == [here]
