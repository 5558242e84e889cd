"""What is answered from results, and what from roll-ups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline_collector.stores.order import FOREVER_US, LONG_AGO_US
from faultline_collector.stores.plan import RAW, plan
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US
from faultline_collector.stores.summary import SummaryQuery

MINUTE_US = 60_000_000
DAY_US = 24 * HOUR_US
FIVE, HOUR = FIVE_MINUTES_US, HOUR_US

Pieces = list[tuple[int, int, int]]


def pieces(
    since_us: int,
    until_us: int,
    step_us: int = 0,
    raw_from_us: int = LONG_AGO_US,
    rollups_from_us: int = LONG_AGO_US,
    hours_until_us: int = FOREVER_US,
) -> tuple[Pieces, Pieces]:
    """The plan, flat: begin, end, width; and what is rounded."""
    found = plan(SummaryQuery(since_us, until_us, step_us, {}), raw_from_us, rollups_from_us, hours_until_us)
    return [(*p.span, p.width_us) for p in found.pieces], [(*span, 0) for span in found.rounded]


def test_a_window_is_cut_at_whole_hours_and_five_minutes() -> None:
    """Results at both ends, cells of an hour in the middle."""
    since, until = HOUR - 7 * MINUTE_US, 3 * HOUR + 12 * MINUTE_US
    assert pieces(since, until) == (
        [
            (since, HOUR - FIVE, RAW),
            (HOUR - FIVE, HOUR, FIVE),
            (HOUR, 3 * HOUR, HOUR),
            (3 * HOUR, 3 * HOUR + 2 * FIVE, FIVE),
            (3 * HOUR + 2 * FIVE, until, RAW),
        ],
        [],
    )


@pytest.mark.parametrize(
    ("step_us", "width_us"),
    [(HOUR, HOUR), (6 * HOUR, HOUR), (FIVE, FIVE), (18 * FIVE, FIVE), (FIVE // 5, RAW), (FIVE + 1, RAW)],
)
def test_the_widest_cells_that_no_step_cuts_are_taken(step_us: int, width_us: int) -> None:
    """Or results, where every cell would be cut."""
    assert pieces(0, DAY_US, step_us) == ([(0, DAY_US, width_us)], [])


def test_steps_that_begin_within_a_cell_are_counted_from_results() -> None:
    """However wide they are."""
    assert pieces(MINUTE_US, DAY_US, HOUR) == ([(MINUTE_US, DAY_US, RAW)], [])


def test_where_no_results_are_left_cells_are_rounded_and_it_is_said() -> None:
    """Only the edges of one step; all of it where steps cut cells."""
    assert pieces(MINUTE_US, DAY_US + MINUTE_US, 0, raw_from_us=2 * DAY_US) == (
        [(MINUTE_US, HOUR, FIVE), (HOUR, DAY_US, HOUR), (DAY_US, DAY_US + MINUTE_US, FIVE)],
        [(0, FIVE, 0), (DAY_US, DAY_US + FIVE, 0)],
    )
    assert pieces(0, DAY_US, MINUTE_US, raw_from_us=DAY_US) == ([(0, DAY_US, FIVE)], [(0, DAY_US, 0)])


def test_results_and_roll_ups_meet_where_results_begin() -> None:
    """Fine steps are exact from there on."""
    assert pieces(0, 2 * DAY_US, MINUTE_US, raw_from_us=DAY_US) == (
        [(0, DAY_US, FIVE), (DAY_US, 2 * DAY_US, RAW)],
        [(0, DAY_US, 0)],
    )


def test_hours_end_where_days_are_not_closed() -> None:
    """From there on there are cells of 5 minutes only."""
    assert pieces(0, 2 * DAY_US, hours_until_us=DAY_US) == (
        [(0, DAY_US, HOUR), (DAY_US, 2 * DAY_US, FIVE)],
        [],
    )


def test_what_is_older_than_all_roll_ups_is_not_looked_for() -> None:
    """And an empty window has no pieces."""
    assert pieces(0, 2 * DAY_US, raw_from_us=3 * DAY_US, rollups_from_us=DAY_US) == (
        [(DAY_US, 2 * DAY_US, HOUR)],
        [],
    )
    assert pieces(0, DAY_US, rollups_from_us=2 * DAY_US) == ([], [])
    assert pieces(DAY_US, DAY_US) == ([], [])
    assert pieces(DAY_US, 0) == ([], [])


times = st.integers(0, 5 * 24 * 60).map(lambda minutes: minutes * MINUTE_US + minutes % 3)
days = st.integers(0, 5).map(lambda day: day * DAY_US)


@given(times, times, st.sampled_from((0, MINUTE_US, FIVE, HOUR, 7 * HOUR)), days, days, days)
def test_pieces_follow_each_other_without_gap(
    since: int, until: int, step: int, raw: int, rollups: int, hours: int
) -> None:
    """Every moment of the window that is kept lies in one piece; cells are cut only where it is said."""
    rollups = min(raw, rollups)
    found, rounded = pieces(since, until, step, raw, rollups, hours)
    begin = max(since, rollups)
    assert [p[0] for p in found] == ([begin, *(p[1] for p in found[:-1])] if begin < until else [])
    assert not found or found[-1][1] == until
    for first, last, width in found:
        if width != RAW and not rounded:
            assert first % width == last % width == 0
        assert width != RAW or first >= raw
        assert width != HOUR or last <= hours
