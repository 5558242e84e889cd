"""The gate: which failures make for a look, and how often."""

import numpy as np

from faultline_collector.correlate.gate import LOOKS_AGENT, Gate
from faultline_collector.correlate.groups import Groups
from faultline_collector.correlate.layout import Index, lay_out
from faultline_collector.correlate.screen import BARS
from tests.collector.correlate.worlds import lab_fleet

LAYOUT = lay_out(lab_fleet(countries=4, services=12, interval_s=30.0))
GROUPS = Groups(LAYOUT)
AGENTS, TARGETS = LAYOUT.shape
SECOND_US = 1_000_000
START_US = 1_000_000 * SECOND_US
MUCH, LITTLE = 40.0, 9.0
"""Nats that are enough for any group at once, and that are not enough for any by themselves."""


def fails(gate: Gate, agent: int, target: int, at_s: float, nats: float = MUCH) -> Index:
    """The groups that one more failure raises."""
    return gate.add(np.array([agent * TARGETS + target]), np.array([nats]), START_US + int(at_s * SECOND_US))


def looked(gate: Gate, groups: Index, at_s: float) -> None:
    """A look that finds them worth nearly what they must be."""
    gate.settle(groups, np.full(GROUPS.size, 11.0), START_US + int(at_s * SECOND_US))


def test_one_agent_makes_for_a_look_only_so_often() -> None:
    """However much fails; another agent is heard at once."""
    gate = Gate(GROUPS, BARS)
    rest_s = 30.0 / LOOKS_AGENT
    first = fails(gate, 0, 0, 0.0)
    assert first.size
    looked(gate, first, 0.0)
    assert not fails(gate, 0, 1, rest_s - 1).size
    assert fails(gate, 1, 1, rest_s - 1).size
    assert fails(gate, 0, 2, rest_s).size


def test_what_was_not_looked_at_rests_nobody() -> None:
    """While the collector is cut off nothing is judged: the next failure asks again."""
    gate = Gate(GROUPS, BARS)
    assert fails(gate, 0, 0, 0.0).size
    assert fails(gate, 0, 1, 1.0).size


def test_a_service_in_several_places_is_looked_at_in_all_of_them() -> None:
    """One place that says little is no news; two that say little each are, together."""
    gate = Gate(GROUPS, BARS)
    service = int(LAYOUT.service[0])
    places = GROUPS.numbers("place").reshape(GROUPS.regions, -1)[:, service]
    here = np.flatnonzero(LAYOUT.region == 0)
    there = np.flatnonzero(LAYOUT.region == 1)
    assert not np.isin(places, fails(gate, here[0], 0, 0.0, LITTLE)).any()
    assert not np.isin(places, fails(gate, here[1], 0, 0.0, LITTLE)).any()
    assert not np.isin(places, fails(gate, there[0], 0, 0.0, LITTLE)).any()
    raised = fails(gate, there[1], 0, 0.0, LITTLE)
    assert np.flatnonzero(np.isin(places, raised)).tolist() == [0, 1]


def test_levels_fall_as_probes_go_well() -> None:
    """What several places said long ago is no news."""
    gate = Gate(GROUPS, BARS)
    for agent in np.flatnonzero(LAYOUT.region == 0)[:2]:
        fails(gate, agent, 0, 0.0, LITTLE)
    raised = [fails(gate, agent, 0, 3600.0, LITTLE) for agent in np.flatnonzero(LAYOUT.region == 1)[:2]]
    places = GROUPS.numbers("place")
    assert not np.isin(places, np.concatenate(raised)).any()
