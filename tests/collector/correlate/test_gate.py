"""The gate: which failures make for a look."""

from dataclasses import replace

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.gate import LOOKS_AGENT, Gate
from faultline_collector.correlate.groups import Groups
from faultline_collector.correlate.layout import Index, Layout, lay_out
from faultline_collector.correlate.settings import EngineSettings
from tests.collector.correlate.worlds import lab_fleet

SETTINGS = EngineSettings()
LAYOUT = lay_out(lab_fleet(countries=4, services=12, interval_s=30.0))
GROUPS = Groups(LAYOUT)
TARGETS = LAYOUT.shape[1]
SECOND_US = 1_000_000
START_US = 1_000_000 * SECOND_US
NATS = 9.0
"""What a failure says: not enough by itself for any group."""


def gate_of(layout: Layout = LAYOUT) -> Gate:
    """A gate of failures, with nothing learned."""
    return Gate(Groups(layout), SETTINGS, Baselines(*layout.shape, SETTINGS))


def fails(
    gate: Gate,
    agent: int,
    target: int,
    at_s: float,
    outcome: Outcome = Outcome.TIMEOUT,
    targets: int = TARGETS,
) -> Index:
    """The groups that one more failure raises."""
    cell, nats = np.array([agent * targets + target]), np.array([NATS])
    return gate.add(cell, nats, np.array([outcome], np.uint8), START_US + int(at_s * SECOND_US))


def kinds(raised: Index) -> set[str]:
    """The kinds of these groups."""
    return GROUPS.kinds_of(raised)


MIXED = (Outcome.TIMEOUT, Outcome.CONNECT, Outcome.TIMEOUT, Outcome.DNS, Outcome.TIMEOUT, Outcome.HTTP)


def test_a_bad_minute_of_one_agent_makes_for_few_looks() -> None:
    """Failures of all layers on all services; none at all for its network, its region, or what it probes."""
    gate = gate_of()
    raised = [fails(gate, 0, i % TARGETS, 2.0 * i, MIXED[i % len(MIXED)]) for i in range(30)]
    assert kinds(np.concatenate(raised)) <= {"agent"}
    assert sum(groups.size for groups in raised[:10]) == 0


def test_an_agent_that_goes_on_failing_makes_for_one_now_and_then() -> None:
    """Not before it has more to say, nor too often; its network and region need others."""
    gate = gate_of()
    times = []
    for i in range(120):
        raised = fails(gate, 0, i % TARGETS, 2.5 * i, Outcome.DNS)
        if raised.size:
            assert {"agent"} <= kinds(raised) <= {"agent", "spot"}
            gate.settle(raised, np.full(GROUPS.size, 10.0), START_US + int(2.5 * i * SECOND_US))
            times.append(2.5 * i)
    assert times[0] > 5
    assert 10 < len(times) < 80
    assert np.diff(times).min() >= 30.0 / LOOKS_AGENT


def test_an_agent_that_one_service_refuses_makes_for_none() -> None:
    """It is no trouble of the agent's; with a second service it may be."""
    gate = gate_of()
    raised = [fails(gate, 0, 3, 10.0 * i, Outcome.HTTP) for i in range(60)]
    assert "agent" not in kinds(np.concatenate(raised))
    assert "agent" in kinds(fails(gate, 0, 4, 600.0, Outcome.HTTP))


def test_agents_of_a_network_that_fail_together_do_at_once() -> None:
    """Each adds what it says first."""
    gate = gate_of()
    mine = np.flatnonzero(LAYOUT.network == 0)
    raised = [fails(gate, agent, 0, 0.5 * i, Outcome.DNS) for i, agent in enumerate(mine.tolist())]
    assert "network" in kinds(raised[-1])


def test_failures_of_one_second_count_together() -> None:
    """As they do one after the other: an agent's bad minute is one."""
    gate = gate_of()
    cell = np.arange(8)
    raised = gate.add(cell, np.full(8, NATS), np.full(8, Outcome.TIMEOUT, np.uint8), START_US)
    assert not kinds(raised) & {"network", "region", "spot"}


def test_a_lone_agent_has_nobody_to_compare_with() -> None:
    """All that it fails counts."""
    fleet = lab_fleet(countries=1, services=2, interval_s=30.0)
    gate = gate_of(lay_out(replace(fleet, agents=fleet.agents[:1])))
    assert [fails(gate, 0, 0, 30.0 * i, targets=2).size > 0 for i in range(3)][-1]


def test_a_service_in_several_places_is_looked_at_in_all_of_them() -> None:
    """One place that says little is no news; two that say little each are, together."""
    gate = gate_of()
    service = int(LAYOUT.service[0])
    places = GROUPS.numbers("place").reshape(GROUPS.regions, -1)[:, service]
    here = np.flatnonzero(LAYOUT.region == 0)
    there = np.flatnonzero(LAYOUT.region == 1)
    assert not np.isin(places, fails(gate, here[0], 0, 0.0)).any()
    assert not np.isin(places, fails(gate, here[1], 0, 0.0)).any()
    assert not np.isin(places, fails(gate, there[0], 0, 0.0)).any()
    raised = fails(gate, there[1], 0, 0.0)
    assert np.flatnonzero(np.isin(places, raised)).tolist() == [0, 1]


def test_levels_fall_as_probes_go_well() -> None:
    """What several places said long ago is no news."""
    gate = gate_of()
    for agent in np.flatnonzero(LAYOUT.region == 0)[:2]:
        fails(gate, agent, 0, 0.0)
    raised = [fails(gate, agent, 0, 3600.0) for agent in np.flatnonzero(LAYOUT.region == 1)[:2]]
    places = GROUPS.numbers("place")
    assert not np.isin(places, np.concatenate(raised)).any()
