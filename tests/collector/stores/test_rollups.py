"""Folding, adding up, and percentiles with a stated error."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline_collector.stores.counting import added, count_cells, count_results, without_regions
from faultline_collector.stores.places import PlacedResults, gathered, placed, places_of
from faultline_collector.stores.rollups import (
    FIVE_MINUTES_US,
    HOUR_US,
    PERCENTILE_ERROR,
    WIDTHS_US,
    bin_of,
    fold,
    merged,
    middle_us,
    percentile_us,
    timed,
)
from faultline_collector.stores.summary import Span, SummaryQuery, SummaryRow
from tests.collector.stores.rows import FLEET, NOON_US, Row, batch_of
from tests.collector.stores.test_same_answers import rows

MINUTE_US = 60_000_000
PLACES = places_of(FLEET)
timings = st.integers(0, 2**31 - 1)


def placed_rows(some: Sequence[Row]) -> PlacedResults:
    """Rows with the places of their agents."""
    return placed(batch_of(some), PLACES)


def everything(width_us: int, **more: Any) -> SummaryQuery:
    """A question about a week around noon, by as much as can be."""
    since_us = (NOON_US - 3 * 24 * HOUR_US) // HOUR_US * HOUR_US
    groups = {"web": "a", "login": "a", "bank": "b"}
    return SummaryQuery(since_us, since_us + 7 * 24 * HOUR_US, width_us, groups, timing="total", **more)


def rows_of(placed_results: PlacedResults, query: SummaryQuery) -> list[SummaryRow]:
    """What results give, row by row."""
    return list(count_results(placed_results, query, Span(query.since_us, query.until_us)).rows())


@given(timings)
def test_a_bin_is_no_further_from_its_timing_than_is_stated(timing: int) -> None:
    """Relative to the timing; below 64 us it is exact."""
    (middle,) = middle_us(bin_of(np.array([timing]))).tolist()
    assert abs(middle - timing) <= PERCENTILE_ERROR * timing
    assert timing >= 64 or middle == timing


@given(st.lists(timings, min_size=2, max_size=50))
def test_bins_keep_the_order_of_timings(some: list[int]) -> None:
    """So that ranks within them are ranks of timings; whole numbers of 16 bits hold them."""
    bins = bin_of(np.array(sorted(some)))
    assert (np.diff(bins) >= 0).all()
    assert bins.max() < 2**16


@given(st.lists(timings, min_size=1, max_size=200), st.sampled_from((0.01, 0.5, 0.9, 0.95, 0.99, 1.0)))
def test_percentiles_differ_from_the_exact_ones_by_the_stated_error(some: list[int], share: float) -> None:
    """Exact is by nearest rank, as the textbook has it."""
    found = placed_rows([Row(i, target="web", timings_us={"total": us}) for i, us in enumerate(some)])
    query = everything(0)
    summary = count_results(found, query, Span(query.since_us, query.until_us))
    exact = sorted(some)[ceil(round(share * len(some), 9)) - 1]
    (told,) = percentile_us(summary, share).tolist()
    assert timed(summary).tolist() == [len(some)]
    assert abs(told - exact) <= PERCENTILE_ERROR * exact


def test_percentiles_of_nothing_are_told_apart() -> None:
    """Beside rows that have some, whatever their order."""
    found = placed_rows(
        [
            Row(1, target="web", outcome=2),
            Row(2, target="bank", timings_us={"total": 7}),
            Row(3, target="bank", at_us=HOUR_US, flags=1),
            Row(4, target="bank", at_us=2 * HOUR_US, timings_us={"total": 9}),
        ]
    )
    query = everything(HOUR_US)
    summary = count_results(found, query, Span(query.since_us, query.until_us))
    assert percentile_us(summary, 0.5).tolist() == [-1, 7, -1, 9]
    assert timed(summary).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("width_us", WIDTHS_US, ids=["5m", "1h"])
@settings(deadline=None)
@given(some=st.lists(rows, max_size=30), at=st.integers(0, 30), by=st.booleans())
def test_cells_in_any_parts_give_what_results_give(width_us: int, some: list[Row], at: int, by: bool) -> None:
    """Partial cells add up: side by side, merged, or made of one part."""
    whole = placed_rows(some)
    parts = [fold(placed_rows(part), width_us) for part in (some[:at], some[at:])]
    query = everything(HOUR_US, by_region=by, by_network=by, by_family=by)
    span = Span(query.since_us, query.until_us)
    expected = rows_of(whole, query)
    assert list(count_cells(merged(parts), query, span).rows()) == expected
    assert list(count_cells(fold(whole, width_us), query, span).rows()) == expected
    assert list(count_cells(merged([merged(parts)]), query, span).rows()) == expected


@settings(deadline=None)
@given(some=st.lists(rows, max_size=30))
def test_hours_are_the_sum_of_their_five_minutes(some: list[Row]) -> None:
    """Counts, known minutes and bins alike, so that it does not matter which are read."""
    whole = placed_rows(some)
    query = everything(24 * HOUR_US, by_region=True)
    span = Span(query.since_us, query.until_us)
    five, hours = (count_cells(fold(whole, width), query, span) for width in (FIVE_MINUTES_US, HOUR_US))
    assert list(five.rows()) == list(hours.rows())


@settings(deadline=None)
@given(some=st.lists(rows, max_size=30), cut=st.integers(-2 * 24 * 60, 2 * 24 * 60))
def test_summaries_of_two_stretches_add_up(some: list[Row], cut: int) -> None:
    """Where they share no minute."""
    whole = placed_rows(some)
    query = everything(0, by_region=True)
    at_us = NOON_US // MINUTE_US * MINUTE_US + cut * MINUTE_US
    parts = [
        count_results(whole, query, span)
        for span in (Span(query.since_us, at_us), Span(at_us, query.until_us))
    ]
    assert list(added(parts).rows()) == rows_of(whole, query)


@settings(deadline=None)
@given(some=st.lists(rows, max_size=30))
def test_without_regions_all_but_known_time_is_the_same(some: list[Row]) -> None:
    """Known time is that of every region together, the denominator of coverage likewise."""
    whole = placed_rows(some)
    query = everything(HOUR_US, by_region=True)
    found = without_regions(count_results(whole, query, Span(query.since_us, query.until_us)))
    expected = rows_of(whole, everything(HOUR_US))
    assert [replace(row, known_us=0) for row in found.rows()] == [replace(r, known_us=0) for r in expected]
    assert all(a.known_us >= b.known_us for a, b in zip(found.rows(), expected, strict=True))


def test_a_result_keeps_the_place_of_its_storing() -> None:
    """Gathered from batches that knew their agents elsewhere."""
    before = placed(batch_of([Row(1)]), PLACES)
    after = placed(batch_of([Row(2)]), {})
    both = gathered([before, after])
    assert [both.places[place].region for place in both.place] == ["in-west", ""]
    assert len(gathered([])) == 0
