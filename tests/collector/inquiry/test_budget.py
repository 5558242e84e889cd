"""How many probes may be asked for."""

from hypothesis import given
from hypothesis import strategies as st

from faultline_collector.inquiry.budget import AGENT_SHARE, FLEET_SHARE, Budget, hourly_probes
from tests.collector.inquiry.scenes import FLEET, HOUR_US, NOW_US, SECOND_US

HOURLY = {"one": 600.0, "two": 1200.0, "three": 1200.0}
STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(HOURLY)), st.integers(1, 40), st.integers(0, 900), st.integers(0, 600)),
    max_size=120,
)


@given(STEPS)
def test_no_hour_holds_more_than_its_share(steps: list[tuple[str, int, int, int]]) -> None:
    """Whenever the probes run between order and end, and whichever hour one looks at; of each agent too."""
    budget, now_us = Budget(NOW_US - 2 * HOUR_US), NOW_US
    ran: list[tuple[int, str, int]] = []
    for agent, probes, wait_s, lasts_s in steps:
        now_us += wait_s * SECOND_US
        if budget.left_of(agent, HOURLY, now_us) >= probes:
            until_us = now_us + lasts_s * SECOND_US
            budget.grant(agent, probes, until_us)
            ran += [(now_us, agent, probes)] if probes % 2 else [(until_us, agent, probes)]
    for begin_us, _, _ in ran:
        hour = [(agent, probes) for at_us, agent, probes in ran if 0 <= at_us - begin_us < HOUR_US]
        assert sum(probes for _, probes in hour) <= FLEET_SHARE * sum(HOURLY.values())
        for agent, usual in HOURLY.items():
            assert sum(probes for name, probes in hour if name == agent) <= AGENT_SHARE * usual


def test_what_was_granted_comes_back_after_its_hour() -> None:
    """And not a microsecond earlier."""
    budget = Budget(NOW_US - HOUR_US)
    assert budget.left(HOURLY, NOW_US) == 150
    budget.grant("two", 100, NOW_US + SECOND_US)
    assert budget.left(HOURLY, NOW_US) == 50
    assert budget.left(HOURLY, NOW_US + SECOND_US + HOUR_US) == 50
    assert budget.left(HOURLY, NOW_US + SECOND_US + HOUR_US + 1) == 150


def test_a_collector_that_has_just_begun_has_earned_nothing() -> None:
    """Of the hour before it began it knows nothing, so that restarts do not multiply what is asked."""
    budget = Budget(NOW_US)
    assert budget.left(HOURLY, NOW_US) == 0
    assert budget.left(HOURLY, NOW_US + HOUR_US // 2) == 75


def test_who_is_not_there_earns_nothing_and_is_not_asked() -> None:
    """The share is of what the agents that are there probe."""
    budget = Budget(NOW_US - HOUR_US)
    assert budget.left({"one": 600.0}, NOW_US) == 30
    assert budget.left_of("two", {"one": 600.0}, NOW_US) == 0


def test_regular_probes_are_counted_by_region() -> None:
    """A target that is probed from one region counts there alone."""
    assert hourly_probes(FLEET) == {"east": 600.0, "north": 480.0, "south": 480.0, "west": 480.0}
