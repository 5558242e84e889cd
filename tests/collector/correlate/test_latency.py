"""Slowness: told by group like failing, but never by one agent or one path alone."""

import pytest

from faultline.outcomes import Outcome
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.paced import PacedWorld
from tests.collector.correlate.test_scopes import service
from tests.collector.correlate.worlds import lab_fleet

WARM_S = 90
"""More rounds than a cell must have had before any is called slow."""


@pytest.fixture
def world() -> PacedWorld:
    """A fleet that knows how long its probes take."""
    return PacedWorld(lab_fleet(), noise=0.0).run(WARM_S)


def run_slow(world: PacedWorld, seconds: int, **where: object) -> PacedWorld:
    """Probes of these targets from these agents take half a second instead of a tenth."""

    def takes(agent: Agent, target: Target, at: float) -> float:
        fields = {"service": target.service, "asn": agent.asn, "agent": agent.id}
        return 0.5 if all(fields[name] == value for name, value in where.items()) else 0.1

    world.takes = takes
    world.run(seconds)
    world.takes = lambda agent, target, at: 0.1
    return world


@pytest.mark.parametrize(
    ("where", "scope", "subject"),
    [
        pytest.param({"service": "s03"}, Scope.GLOBAL, "s03", id="a service"),
        pytest.param({"asn": 201}, Scope.NETWORK, "201", id="a network"),
    ],
)
def test_a_group_that_becomes_slow_is_degraded(
    world: PacedWorld, where: dict[str, object], scope: Scope, subject: str
) -> None:
    """One latency outage of its scope, confirmed, and resolved when it is quick again."""
    run_slow(world, 30, **where)
    (outage,) = world.open()
    assert (outage.scope, outage.subject.id, outage.state) == (scope, subject, State.CONFIRMED)
    assert (outage.layer, outage.severity) == ("latency", "degraded")
    assert "answers are slow" in outage.why
    world.run(60)
    assert [o.state for o in world.last.values()] == [State.RESOLVED]


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({"agent": "c1-r1-1"}, id="an agent"),
        pytest.param({"agent": "c1-r1-1", "service": "s03"}, id="a path"),
    ],
)
def test_what_only_one_agent_finds_slow_is_not_told(world: PacedWorld, where: dict[str, object]) -> None:
    """A slow vantage or a slow route is no outage of anybody."""
    run_slow(world, 60, **where)
    assert world.told() == []


def test_what_fails_is_not_told_as_slow_besides(world: PacedWorld) -> None:
    """When half of a service's answers are errors, that the others become slow is no second outage."""
    broken, rng = service("s03", Outcome.HTTP), world.rng

    def half_broken(agent: Agent, target: Target, at: float) -> Outcome | None:
        return broken(agent, target, at) if rng.random() < 0.5 else None

    world.run(30, half_broken)
    world.takes = lambda agent, target, at: 0.5 if target.service == "s03" else 0.1
    world.run(40, half_broken)
    assert [(o.subject.id, o.layer, o.state) for o in world.last.values()] == [
        ("s03", "http", State.CONFIRMED)
    ]
