"""Worlds drawn at random: every kind of fault hits somebody, and the truth says whom."""

import json
from pathlib import Path

import numpy as np
import pytest

from faultline.outcomes import Outcome
from faultline_collector.outages import Scope
from faultline_collector.worlds.draw import FAULTS, draw_scenario
from faultline_collector.worlds.making import World, make_world
from faultline_collector.worlds.scenario import Scenario, Truth
from faultline_collector.worlds.writing import write_truth


def drawn(seed: int, *faults: str) -> Scenario:
    """A scenario of fewer results than a bench wants."""
    return draw_scenario(seed, faults, interval_s=120, regions=8)


def quiet(scenario: Scenario) -> Scenario:
    """The same without noise."""
    return scenario.model_copy(update={"noise": scenario.noise.model_copy(update={"level": 0.0})})


def test_a_drawn_scenario_is_always_the_same() -> None:
    """By its seed alone; another seed breaks something else."""
    assert drawn(1, *FAULTS) == drawn(1, *FAULTS)
    assert drawn(1, *FAULTS).truth != drawn(2, *FAULTS).truth
    scopes = {truth.scope for truth in drawn(1, *FAULTS).truth}
    assert scopes == set(Scope)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_shows_where_its_truth_says(name: str) -> None:
    """In its time it is seen from most of its regions, if it is seen at all from there and not elsewhere."""
    for seed in (3, 4):
        scenario = quiet(drawn(seed, name))
        required = [truth for truth in scenario.truth if not truth.optional]
        assert len(required) == 1
        only = scenario.model_copy(update={"faults": scenario.faults[:1], "truth": scenario.truth[:1]})
        world = make_world(only)
        calm = make_world(scenario.model_copy(update={"faults": ()}))
        assert shows(world, calm, required[0]), (name, seed)


def shows(world: World, calm: World, truth: Truth) -> bool:
    """Whether something is missing, fails or is slow in the truth's time beside a calm world, not before."""
    begin_us, end_us = (round(at.timestamp() * 1e6) for at in (truth.began[0], truth.ended[0]))
    signs = []
    for one in (world, calm):
        received = one.results.received_us
        inside = (received >= begin_us) & (received < end_us)
        failed = inside & (one.results.outcome != Outcome.OK)
        slow = float(one.results.timings_us["first_byte"][inside].mean())
        signs.append((int(failed.sum()), int(inside.sum()), slow))
        assert not (one.results.outcome != Outcome.OK)[received < begin_us - 30e6].any()
    (failed, heard, slow), (_, usual, fast) = signs
    return failed > 3 or heard < 0.97 * usual or slow > 1.02 * fast


def test_the_truth_is_written_as_scorers_read_it(tmp_path: Path) -> None:
    """Targets and regions by the fleet, times as text, blips as optional."""
    world = make_world(drawn(5, "component", "network", "cohort", "agent"))
    facts = json.loads(write_truth(world, tmp_path / "truth.json").read_text())
    component, network, cohort, agent, *blips = facts
    assert component["targets"] == [f"{component['subject']['id']}-{world.scenario.truth[0].components[0]}"]
    assert len(component["regions"]) == 8
    assert network["targets"] == cohort["targets"] == []
    stands = {a.region for a in world.fleet.agents if str(a.asn) == network["subject"]["id"]}
    assert set(network["regions"]) == stands
    assert (len(agent["regions"]), cohort["subject"]["kind"]) == (1, "cohort")
    assert blips
    assert all(blip["optional"] for blip in blips)
    assert np.all([fact["start_s"] < fact["end_s"] for fact in facts])
