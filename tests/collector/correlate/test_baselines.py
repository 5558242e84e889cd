"""What is usual: shares of failures, learned from rounds that left the rings."""

import numpy as np
import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate import baselines
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.cells import Evicted
from faultline_collector.correlate.settings import EngineSettings

AGENTS, TARGETS = 4, 5
EVERY = np.arange(AGENTS * TARGETS)


def rounds(cell: int, outcome: Outcome, times: int) -> Evicted:
    """So many rounds of one cell."""
    return Evicted(np.full(times, cell, np.intp), np.full(times, outcome, np.uint8), np.zeros(times, bool))


def learned(*parts: Evicted, slow: bool = False) -> Baselines:
    """After an epoch with these."""
    base = Baselines(AGENTS, TARGETS, EngineSettings(), slow=slow)
    for part in parts:
        base.learn(part)
    base.turn(1)
    return base


def test_what_fails_is_shrunk_towards_its_agent_and_the_fleet() -> None:
    """Most for the cell itself, less for its agent's others, least for another's."""
    base = learned(rounds(0, Outcome.OK, 900), rounds(0, Outcome.TIMEOUT, 100))
    p0 = base.p0(EVERY)
    assert 0.1 > p0[0] > p0[1] > p0[TARGETS] > EngineSettings().p0_prior
    assert np.allclose(base.surprise(EVERY), -np.log(p0))


def test_nothing_counts_before_the_epoch_ends() -> None:
    """So that every second of an epoch is judged by the same."""
    base = Baselines(AGENTS, TARGETS, EngineSettings())
    before = base.p0(EVERY)
    base.learn(rounds(0, Outcome.TIMEOUT, 1000))
    base.advance()
    assert (base.p0(EVERY) == before).all()
    base.turn(1)
    assert base.p0(EVERY)[0] > before[0]


def test_frozen_cells_teach_nothing_and_the_others_do() -> None:
    """Neither a share nor the layers that failures usually have."""
    base = Baselines(AGENTS, TARGETS, EngineSettings())
    usual = base.layer_share.copy()
    base.freeze(np.array([0]), 10)
    base.learn(rounds(0, Outcome.TLS, 500))
    base.turn(5)
    assert (base.layer_share == usual).all()
    base.learn(rounds(0, Outcome.TLS, 500))
    base.learn(rounds(1, Outcome.HTTP, 500))
    base.turn(6)
    assert base.layer_share[Outcome.HTTP] > 0.9 > base.layer_share[Outcome.TLS]
    assert base.failed.tolist() == [0.0, 500.0, *[0.0] * (EVERY.size - 2)]


def test_much_is_counted_second_after_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as a part of the epoch asks for, all of it in the end, before the next epoch at the latest."""
    monkeypatch.setattr(baselines, "AT_ONCE", 10)
    parts = [rounds(0, Outcome.OK, 10) for _ in range(4)]
    base = learned(*parts)
    assert base.ok[0] == 10
    base.advance()
    assert base.ok[0] == 20
    base.turn(2)
    assert base.ok[0] == 40


def test_slow_rounds_are_counted_among_those_that_went_well() -> None:
    """What failed is neither."""
    slow = Evicted(np.array([0, 0, 0]), np.array([1, 1, 6], np.uint8), np.array([True, False, False]))
    base = learned(slow, slow=True)
    assert (base.ok[0], base.failed[0]) == (1.0, 1.0)
    assert (base.layer_share == 1.0).all()


def test_another_fleet_takes_over_what_was_counted_and_what_was_not_yet() -> None:
    """Of the agents that both have."""
    old = learned(rounds(0, Outcome.OK, 900), rounds(0, Outcome.TIMEOUT, 50))
    old.learn(rounds(0, Outcome.TIMEOUT, 50))
    new = Baselines(2, TARGETS, EngineSettings())
    here = np.arange(TARGETS)
    new.take_over(old, here + TARGETS, here)
    assert (new.ok[TARGETS], new.failed[TARGETS]) == (900, 100)
    p0 = new.p0(np.arange(2 * TARGETS))
    assert p0[TARGETS] > p0[TARGETS + 1] > p0[0]
