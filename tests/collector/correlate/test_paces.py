"""When a probe that went well was slow."""

import numpy as np
import pytest

from faultline_collector.correlate.paces import LEARNING, Paces

USUAL_US, LATER_US = 10_000, 110_000


@pytest.mark.parametrize(("least_us", "slow"), [(99_000.0, True), (101_000.0, False)], ids=["over", "under"])
def test_slow_is_what_takes_so_much_longer_than_usual(least_us: float, slow: bool) -> None:
    """Whoever knows that a short delay means nothing, sets what the least is."""
    paces, cell, well = Paces(1, least_us), np.zeros(1, np.intp), np.ones(1, bool)
    for _ in range(LEARNING):
        assert not paces.slow(cell, np.array([USUAL_US], np.int32), well).any()
        paces.turn(np.zeros(1, np.int64), 1)
    assert paces.slow(cell, np.array([LATER_US], np.int32), well).tolist() == [slow]
