"""A suspicion of what goes on failing is not lost while the hold of 40 s lasts."""

import pytest

from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import State
from tests.collector.correlate.test_scopes import lone, network, region
from tests.collector.correlate.worlds import Fault, World, lab_fleet


@pytest.mark.parametrize("fault", [lone("c1-r1-1"), network(201), region("c2-r1")])
def test_what_goes_on_failing_is_confirmed_when_the_hold_is_over(fault: Fault) -> None:
    """Never withdrawn meanwhile: it lost its support after 33 s, closed as stale and opened again."""
    world = World(lab_fleet(), settings=EngineSettings(), noise=0.002).run(181)
    for _ in range(44):
        world.run(1, fault)
        assert State.WITHDRAWN not in world.states(), world.now_s
    assert [o.state for o in world.open()] == [State.CONFIRMED]
