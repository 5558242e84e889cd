"""A backlog that comes while live results come: history, which neither alarms nor hides what is."""

import pytest

from faultline.outcomes import Outcome
from faultline_collector.outages import State
from tests.collector.correlate.test_scopes import service
from tests.collector.correlate.worlds import World, lab_fleet

WARM_S = 120


def deliver_backlog(world: World, outcome: Outcome, begun_ago_s: float) -> None:
    """Every agent delivers rounds of a minute that began so long ago."""
    begun_s = world.now_s - begun_ago_s
    rows = [
        (a.id, t.id, begun_s + t.interval_s * k, outcome)
        for a in world.fleet.agents
        for t in world.fleet.targets
        for k in range(12)
    ]
    world.detector.observe(world.batch(rows, delay_s=begun_ago_s))


@pytest.mark.parametrize("ago_s", [70, 115], ids=["which the cells remember", "older than they remember"])
def test_failures_of_a_backlog_are_neither_an_alarm_nor_the_present(ago_s: float) -> None:
    """Nothing is told, and every service stands as its newest rounds say."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    deliver_backlog(world, Outcome.TIMEOUT, ago_s)
    world.run(3)
    assert world.told() == []
    assert {s.agents_failing for s in world.detector.standings(world.now_us)} == {0}


@pytest.mark.parametrize("ago_s", [70, 115], ids=["which the cells remember", "older than they remember"])
def test_successes_of_a_backlog_end_no_outage(ago_s: float) -> None:
    """That a service worked a minute ago says nothing of now."""
    broken = service("s03", Outcome.HTTP)
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(20, broken)
    deliver_backlog(world, Outcome.OK, ago_s)
    world.run(5, broken)
    assert [o.state for o in world.last.values()] == [State.CONFIRMED]
    failing = [s.agents_failing for s in world.detector.standings(world.now_us) if s.service == "s03"]
    assert failing == [3] * 12
