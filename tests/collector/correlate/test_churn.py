"""Agents that come and go: what is learned of it, and what their silence then says."""

import numpy as np

from faultline_collector.correlate.churn import LONGEST_US, MOST_NATS, SHAPE, TOGETHER_US, USUAL, Churn
from faultline_collector.outages import Scope
from tests.collector.correlate.worlds import World, lab_fleet

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
START_US = 1_000 * DAY_US


def lost(churn: Churn, agent: int, at_us: int, minutes: int) -> None:
    """One silence of one agent, over by now."""
    churn.note(np.array([agent]), np.array([at_us]), np.array([at_us + minutes * MINUTE_US]))


def watched(churn: Churn, days: int) -> Churn:
    """After so many days."""
    everyone = np.arange(churn.nats.size)
    churn.turn(everyone, START_US)
    churn.turn(everyone, START_US + days * DAY_US)
    return churn


def test_the_rate_is_the_mean_of_its_gamma_posterior() -> None:
    """Silences and days counted, with the fleet's mean as prior, as Robbins (1956) has it."""
    churn = watched(Churn(4), 10)
    for i in range(40):
        lost(churn, 0, START_US + i, 5)
    churn.turn(np.arange(4), START_US + 10 * DAY_US)
    fleet = (40 + SHAPE) / (40 * DAY_US + SHAPE / USUAL)
    expected = [(n + SHAPE) / (10 * DAY_US + SHAPE / fleet) for n in (40, 0)]
    assert np.allclose(churn.nats[:2], [min(-np.log(rate * TOGETHER_US), MOST_NATS) for rate in expected])
    assert churn.nats[0] < 6 < churn.nats[1]


def test_nothing_learned_is_what_was_measured_elsewhere() -> None:
    """An agent of a new fleet says the most, as one that is lost 0.022 times a day does."""
    assert set(watched(Churn(3), 1).nats) == {MOST_NATS}
    assert -np.log(USUAL * TOGETHER_US) > MOST_NATS


def test_what_an_outage_explains_is_no_churn() -> None:
    """Neither how often nor how long; the next silence of the same agent is."""
    churn = watched(Churn(2), 1)
    churn.explain(np.array([0]), np.array([START_US]))
    lost(churn, 0, START_US, 100)
    churn.turn(np.arange(2), START_US + DAY_US)
    assert (churn.nats[0], churn.long_us[0]) == (MOST_NATS, 0.0)
    lost(churn, 0, START_US + 1, 100)
    churn.turn(np.arange(2), START_US + DAY_US)
    assert churn.nats[0] < MOST_NATS
    assert churn.long_us[0] > 100 * MINUTE_US / 2


def test_a_long_silence_is_long_beside_the_usual_ones_and_bounded() -> None:
    """Four times the mean, little while few have been seen, an hour at most."""
    churn = watched(Churn(2), 1)
    for i in range(9):
        lost(churn, 0, START_US + i, 10)
        lost(churn, 1, START_US + i, 1000)
    churn.turn(np.arange(2), START_US + DAY_US)
    assert churn.long_us.tolist() == [4 * 9 * 10 * MINUTE_US / 10, LONGEST_US]


def test_another_fleet_keeps_what_was_learned_of_common_agents() -> None:
    """Also what has been noted and not yet learned."""
    old = watched(Churn(3), 1)
    lost(old, 2, START_US, 10)
    old.turn(np.arange(3), START_US + DAY_US)
    lost(old, 2, START_US + 1, 10)
    lost(old, 0, START_US + 1, 10)
    new = Churn(2)
    new.take_over(old, np.array([2, 1]))
    assert new.nats.tolist() == old.nats[[2, 1]].tolist()
    new.turn(np.arange(2), START_US + DAY_US)
    old.turn(np.arange(3), START_US + DAY_US)
    assert new.nats[0] < MOST_NATS
    assert new.long_us[0] == old.long_us[2]


def restless(agents: set[str]) -> World:
    """A fleet of which some agents were away four times within some minutes, each at its own time."""
    world = World(lab_fleet(), noise=0.0).run(60)
    for _ in range(4):
        for agent in sorted(agents):
            world.silent = {agent}
            world.run(30)
            world.silent = set()
            world.run(20)
    return world


def test_two_restless_agents_that_are_lost_together_are_no_network() -> None:
    """Two that never were lost before are: the same two seconds, another past."""
    pair = {"c0-r0-1", "c0-r1-1"}
    for past, told in ((pair, []), (set[str](), [(Scope.NETWORK, "101")])):
        world = restless(past)
        assert not world.told()
        world.silent = {"c0-r0-1"}
        world.run(8)
        world.silent = pair
        world.run(40)
        assert world.told() == told


def test_a_restless_agent_is_told_alone_only_when_it_is_away_for_longer_than_usual() -> None:
    """One that is never away is told after three minutes; one that often is for long, later."""
    world = World(lab_fleet(countries=1), noise=0.0).run(60)
    for _ in range(5):
        world.silent = {"c0-r0-1"}
        world.run(170)
        world.silent = set()
        world.run(20)
    assert not world.told()
    world.silent = {"c0-r0-1", "c0-r2-2"}
    world.run(200)
    assert world.told() == [(Scope.AGENT, "c0-r2-2")]
    world.run(500)
    assert world.told() == [(Scope.AGENT, "c0-r2-2"), (Scope.AGENT, "c0-r0-1")]
