"""Results that the collector asked for beyond the schedule."""

import numpy as np
import pytest

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.correlate.arrivals import Intake
from faultline_collector.correlate.cells import OUTCOME, Cells
from faultline_collector.correlate.clocks import Clocks
from faultline_collector.correlate.layout import lay_out
from faultline_collector.correlate.paces import Paces
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import State
from tests.collector.correlate.worlds import World, lab_fleet

INTERVAL_S = 30.0


def world() -> World:
    """A world without noise, in which everybody probes every half minute."""
    return World(lab_fleet(interval_s=INTERVAL_S), noise=0.0)


@pytest.mark.parametrize("after_s", [0.5, 14.0, 16.0, 29.5])
def test_an_asked_result_belongs_to_the_round_that_comes(after_s: float) -> None:
    """The round before it stays what it was, however soon it was asked for."""
    made = world()
    layout = lay_out(made.fleet)
    cells = Cells(*layout.shape, layout.interval_us)
    intake = Intake(layout, cells, Clocks(layout.shape[0]), Paces(cells.head.size, 1e6), 6e6)
    for start_s, outcome, flags in ((0.0, Outcome.OK, 0), (after_s, Outcome.HTTP, int(Flag.ASKED))):
        row = ("c0-r0-0", "s00-0", start_s, outcome)
        read = intake.read(made.batch([row], delay_s=0.0, flags=flags), made.now_us, 1)
        cells.put(read.cell, read.slot, read.outcome, read.attempt, read.late, read.slow)
    seen = cells.rounds[read.cell[0]] & OUTCOME
    assert np.bincount(seen, minlength=8)[[Outcome.OK, Outcome.HTTP]].tolist() == [1, 1]
    assert cells.last_us(read.cell).tolist() == [made.now_us + INTERVAL_S * 1e6]


def test_good_answers_that_were_asked_for_end_an_outage_before_the_next_round() -> None:
    """They count at once, though the round before them failed."""

    def fails(agent: Agent, target: Target, at_s: float) -> Outcome | None:
        return Outcome.HTTP if target.service == "s01" else None

    plain, asking = world(), world()
    for one in (plain, asking):
        one.run(300).run(120, fails)
        assert one.states() == {State.CONFIRMED}
    rows = [(agent.id, "s01-0", asking.now_s, Outcome.OK) for agent in asking.fleet.agents]
    asking.detector.observe(asking.batch(rows, flags=int(Flag.ASKED)))
    assert plain.run(6).states() == {State.CONFIRMED}
    assert asking.run(6).states() == {State.RESOLVED}
