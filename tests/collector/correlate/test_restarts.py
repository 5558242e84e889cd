"""After a restart: outages that were kept go on under their ids while the past is read again."""

from dataclasses import replace

import pytest

from faultline.outcomes import Outcome
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Outage, Scope, State
from tests.collector.correlate.worlds import Fault, World, lab_fleet


def broken(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One service fails everywhere."""
    return Outcome.HTTP if target.service == "s01" else None


def fine(agent: Agent, target: Target, at: float) -> Outcome | None:
    """Nothing fails."""
    return None


def again(world: World, outages: list[Outage], from_s: float) -> World:
    """The same world before a new detector, at an earlier time, with these outages restored."""
    other = World(world.fleet, noise=0.0)
    other.phase, other.now_s = world.phase, from_s
    other.detector.restore(outages)
    return other


def dark(silent: set[str], *, warm_s: int = 60) -> World:
    """A world in which these agents have been silent for half a minute."""
    world = World(lab_fleet(), noise=0.0).run(warm_s)
    world.silent = silent
    return world.run(30)


REGION = {a.id for a in lab_fleet().agents if a.region == "c1-r2"}


def test_a_past_in_which_they_were_heard_does_not_end_a_silence() -> None:
    """A silence is not resolved by the past being read again, in which its agents were heard."""
    world = dark(REGION)
    (before,) = world.open()
    other = again(world, [before], 30)
    other.run(30)
    other.silent = REGION
    other.run(60)
    assert [(o.id, o.state) for o in other.detector.outages()] == [(before.id, State.CONFIRMED)]
    assert set(other.last) <= {before.id}


def test_agents_that_the_past_does_not_hold_stay_silent() -> None:
    """Agents that were silent for all of the past are still silent, until they are heard."""
    world = dark(REGION)
    (before,) = world.open()
    other = again(world, [before], world.now_s)
    other.silent = REGION
    other.run(60)
    assert other.detector.outages() == (before,)
    other.silent = set()
    other.run(20)
    assert other.last[before.id].state is State.RESOLVED


def test_the_ones_that_still_speak_do_not_end_a_partial_silence() -> None:
    """Of a network only some fell silent; that its other agents go on speaking does not resolve it."""
    silent = {a.id for a in lab_fleet(countries=2).agents if a.asn == 101 and a.region != "c0-r2"}
    fleet = lab_fleet(countries=2)
    more = tuple(Agent(f"{a.id}b", a.region, a.country, a.asn) for a in fleet.agents)
    fleet = replace(fleet, agents=tuple(sorted(fleet.agents + more, key=lambda a: a.id)))
    world = World(fleet, noise=0.0).run(60)
    world.silent = silent | {"c0-r2-1"}
    world.run(30)
    (before,) = world.open()
    assert before.subject.id == "101"
    other = again(world, [before], world.now_s)
    other.silent = world.silent
    other.run(60)
    assert other.detector.outages() == (before,)


def test_a_suspicion_outlives_the_past_that_is_read_again() -> None:
    """What was only suspected is neither withdrawn nor opened again by the minutes before it began."""
    world = World(lab_fleet(), noise=0.0).run(60)
    world.run(4, broken)
    (before,) = world.open()
    assert before.state is State.SUSPECTED
    other = again(world, [before], 20)
    other.run(40).run(30, broken)
    (after,) = other.detector.outages()
    assert (after.id, after.state) == (before.id, State.CONFIRMED)
    assert list(other.last) == [before.id]


def test_an_earlier_wider_failure_does_not_widen_what_was_restored() -> None:
    """A failure of the same service that ended before is not counted to the outage that was restored."""
    world = World(lab_fleet(), noise=0.0).run(100)
    some: Fault = lambda agent, target, at: (  # noqa: E731
        Outcome.HTTP if target.service == "s01" and agent.region in ("c0-r0", "c0-r1") else None
    )
    wide: Fault = lambda agent, target, at: (  # noqa: E731
        Outcome.HTTP if target.service == "s01" and agent.country != "C3" else None
    )
    world.run(25, some)
    (before,) = world.open()
    other = again(world, [before], 0)
    other.run(30).run(20, wide).run(50).run(40, some)
    (after,) = other.detector.outages()
    assert (after.id, after.scope, after.regions) == (before.id, Scope.REGIONAL, ("c0-r0", "c0-r1"))


@pytest.mark.parametrize("back_s", [0, 15, 40])
def test_a_restored_outage_ends_when_its_service_recovers(back_s: int) -> None:
    """However much of the past is read again, a restored outage is resolved by successes after it."""
    world = World(lab_fleet(), noise=0.0).run(60).run(25, broken)
    (before,) = world.open()
    other = again(world, [before], world.now_s - back_s)
    other.run(max(back_s - 25, 0)).run(min(back_s, 25) + 10, broken).run(60, fine)
    assert other.last[before.id].state is State.RESOLVED
    assert other.detector.outages() == ()


def test_a_fleet_without_the_named_agents_ends_the_silence() -> None:
    """When the fleet no longer has the silent agents, the restored outage about them ends."""
    world = dark(REGION)
    (before,) = world.open()
    fleet = replace(world.fleet, agents=tuple(a for a in world.fleet.agents if a.id not in REGION))
    other = World(fleet, noise=0.0, now_s=world.now_s)
    other.detector.restore([before])
    other.run(10)
    assert before.id not in {o.id for o in other.detector.outages()}
