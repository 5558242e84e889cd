"""Blips that follow each other are no outage: a calm between them is seen, and each must hold by itself."""

import numpy as np
import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.calm import CALM_US, calm_us
from faultline_collector.correlate.cells import SLOW, Cells
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import State
from tests.collector.correlate.worlds import Fault, World, lab_fleet

SECOND_US = 1_000_000
WARM_S = 1000
"""Rounds are a minute apart: this is a little more than a ring of them."""


def out(service: str, *spells: tuple[float, float]) -> Fault:
    """A service fails everywhere in each of these spells, seconds."""

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        failing = target.service == service and any(a <= at < b for a, b in spells)
        return Outcome.HTTP if failing else None

    return fault


def slow_world() -> World:
    """Eighteen agents that probe four services once a minute."""
    fleet = lab_fleet(countries=2, services=4, interval_s=60, components=2)
    return World(fleet, settings=EngineSettings(), noise=0.0).run(WARM_S)


def test_two_blips_of_one_service_within_a_minute_are_no_outage() -> None:
    """The second begins before the first could be withdrawn, and lasts beyond the first one's hold."""
    world = slow_world().run(160, out("s01", (WARM_S, WARM_S + 20), (WARM_S + 38, WARM_S + 60)))
    assert world.states() == {State.WITHDRAWN}


def test_what_never_stops_is_confirmed_though_probes_are_a_minute_apart() -> None:
    """Without a calm the same suspicion holds from its beginning on."""
    world = slow_world().run(60, out("s01", (WARM_S, WARM_S + 60)))
    assert [o.state for o in world.open()] == [State.CONFIRMED]


def test_blips_again_and_again_are_told_at_last() -> None:
    """After three calms within one suspicion nobody waits for the next."""
    spells = tuple((WARM_S + at, WARM_S + at + 20) for at in range(0, 400, 40))
    world = slow_world().run(400, out("s01", *spells))
    assert [o.state for o in world.open()] == [State.CONFIRMED]


def rounds(codes: list[int], every_s: float) -> Cells:
    """One cell's agent after another has one round with this code, so many seconds apart."""
    cells = Cells(len(codes), 1, np.array([3_600 * SECOND_US], np.int64))
    cell = np.arange(len(codes))
    started = (1e12 + cell * every_s * SECOND_US).astype(np.int64)
    cells.begin(cell, started)
    cells.head[:] = 0
    cells.rounds[:, 0] = codes
    return cells


BAD, FINE = int(Outcome.HTTP), int(Outcome.OK)


@pytest.mark.parametrize(
    ("codes", "every_s", "ends_after"),
    [
        pytest.param([], 1.0, None, id="no rounds"),
        pytest.param([BAD] * 20, 1.0, None, id="failing all the time"),
        pytest.param([BAD] * 10 + [FINE] * 12 + [BAD] * 8, 1.0, 21, id="a calm between"),
        pytest.param([BAD] * 10 + [FINE] * 12 + [BAD] * 8, 0.5, None, id="too short a calm"),
        pytest.param([BAD] * 3 + [FINE] * 60 + [BAD] * 3, 1.0, 62, id="mostly calm"),
        pytest.param([BAD, FINE, FINE] * 20, 1.0, None, id="a third fails all the time"),
        pytest.param([FINE] * 30, 1.0, None, id="nothing failed"),
    ],
)
def test_a_calm_is_seen_where_all_was_well_for_a_while(
    codes: list[int], every_s: float, ends_after: int | None
) -> None:
    """It ends with its last good round, or there is none."""
    cells = rounds(codes, every_s)
    everything = np.ones(len(codes), bool)
    began = 10**12
    expected = began if ends_after is None else began + int(ends_after * every_s * SECOND_US) + 1
    assert calm_us(everything, cells, began, slow=False) == expected
    assert CALM_US == 8 * SECOND_US


def test_a_calm_of_slowness_goes_by_slow_rounds() -> None:
    """What went well but slowly has failed, as far as slowness goes."""
    cells = rounds([FINE | SLOW] * 10 + [FINE] * 12 + [FINE | SLOW] * 8, 1.0)
    everything = np.ones(30, bool)
    assert calm_us(everything, cells, 10**12, slow=True) > 10**12
    assert calm_us(everything, cells, 10**12, slow=False) == 10**12
