"""Figures of history: what they are divided by, their means, their worst, and what is known of them."""

import pytest

from faultline.outcomes import Outcome
from faultline_collector.api.figures import AvailabilityRow, LatencyRow
from faultline_collector.api.history import Answer, History
from faultline_collector.api.questions import (
    AvailabilityQuestion,
    BadQuestion,
    LatencyQuestion,
    read_question,
)
from faultline_collector.stores.rollups import PERCENTILE_ERROR
from tests.collector.api.worlds import MINUTE_US, NOW_US, World, results

OK, HTTP, INCONCLUSIVE = Outcome.OK, Outcome.HTTP, Outcome.INCONCLUSIVE
DAY_US = 24 * 60 * MINUTE_US
WEIGHTS = {"in-west": 3.0, "us-west": 1.0}


def history(world: World) -> History:
    """The world's history, where West India weighs three times as much as the others."""
    world.publish()
    return History(world.board, world.store, world.registry, weights=lambda: WEIGHTS, clock=lambda: NOW_US)


def availability(world: World, **asked: str) -> Answer[AvailabilityRow]:
    """The answer to a question about availability."""
    return history(world).availability(read_question(AvailabilityQuestion, asked))


def latency(world: World, **asked: str) -> Answer[LatencyRow]:
    """The answer to a question about latency."""
    return history(world).latency(read_question(LatencyQuestion, asked))


def seen_from_two_regions(world: World) -> None:
    """Twitter: half good from West India, all good from West US, nothing known from East India."""
    world.keep(
        results(OK, HTTP, apart_us=MINUTE_US),
        results(OK, OK, agent="us-1", apart_us=MINUTE_US),
        results(INCONCLUSIVE, agent="east-1"),
    )


def test_the_mean_has_its_worst_region_and_its_weighted_mean_beside_it(world: World) -> None:
    """The mean counts results, the weighted one regions by their weights; the dark region is in neither."""
    seen_from_two_regions(world)
    (row,) = availability(world, by="service", service="twitter").rows
    assert (row.ok, row.failed, row.unknown, row.availability) == (3, 1, 1, 0.75)
    assert row.weighted == pytest.approx((3 * 0.5 + 1 * 1.0) / 4)
    assert (row.worst, row.worst_region) == (0.5, "in-west")


def test_a_dark_region_lowers_coverage_and_nothing_else(world: World) -> None:
    """Of three regions two are known for two of sixty minutes each."""
    seen_from_two_regions(world)
    (row,) = availability(world, by="service", service="twitter").rows
    assert row.coverage == pytest.approx((2 + 2 + 0) / (3 * 60))
    dark = availability(world, service="twitter", region="in-east").rows[0]
    assert (dark.availability, dark.coverage, dark.unknown) == (None, 0.0, 1)


def test_a_row_of_one_region_is_compared_with_no_other(world: World) -> None:
    """It is its own worst."""
    seen_from_two_regions(world)
    rows = availability(world, service="twitter").rows
    assert [(row.weighted, row.worst, row.worst_region) for row in rows] == [(None, None, "")] * 3


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("service", {"bank", "rail", "twitter"}),
        ("component", {("bank", "web"), ("rail", "web"), ("twitter", "login"), ("twitter", "web")}),
        ("target", {"bank-web", "rail-web", "twitter-login", "twitter-web"}),
        ("provider", {"", "edgeline"}),
        ("region", {"in-east", "in-west", "us-west"}),
        ("network", {7018, 55836}),
        ("family", {4}),
        ("", {""}),
    ],
)
def test_rows_are_divided_by_what_is_asked(world: World, by: str, keys: set[object]) -> None:
    """By everything that can be known of a result, or by nothing."""
    seen_from_two_regions(world)
    rows = availability(world, by=by).rows
    names = {"component": ("service", "component"), "": ("service",)}.get(by, (by,))
    found = {tuple(getattr(row.key, name) for name in names) for row in rows}
    assert found == {key if isinstance(key, tuple) else (key,) for key in keys}
    assert sum(row.ok for row in rows) == 3


@pytest.mark.parametrize(
    ("asked", "oks"),
    [
        ({"target": "twitter-web"}, 3),
        ({"component": "login"}, 0),
        ({"provider": "edgeline"}, 3),
        ({"network": "AS7018"}, 2),
        ({"region": "in-west"}, 1),
        ({"family": "4"}, 3),
        ({"family": "6"}, 0),
        ({"service": "bank"}, 0),
    ],
    ids=str,
)
def test_only_what_is_selected_counts(world: World, asked: dict[str, str], oks: int) -> None:
    """By any of the same."""
    seen_from_two_regions(world)
    assert sum(row.ok for row in availability(world, **asked).rows) == oks


def test_a_result_stays_where_its_agent_stood(world: World) -> None:
    """An agent that moves takes nothing of its past along."""
    seen_from_two_regions(world)
    world.registry.remove_agent("us-1")
    world.registry.add_agent("us-1", region="in-east", asn=55836)
    rows = {row.key.region: row for row in availability(world, service="twitter").rows}
    assert (rows["us-west"].ok, rows["in-east"].ok) == (2, 0)


def test_latency_is_of_good_results_with_its_worst_region(world: World) -> None:
    """Within the stated error; failed results have no part in it."""
    seen_from_two_regions(world)
    row = {r.key.service: r for r in latency(world, by="service").rows}["twitter"]
    assert row.count == 3
    assert row.p50_us == pytest.approx(1500, rel=PERCENTILE_ERROR)
    assert row.weighted_p50_us == row.worst_p95_us == row.p99_us == row.p50_us
    assert row.worst_region in ("in-west", "us-west")


def test_latency_says_where_there_is_none(world: World) -> None:
    """For a timing that nobody measured, and for a region in the dark."""
    seen_from_two_regions(world)
    assert {row.p50_us for row in latency(world, timing="tls").rows} == {-1}
    rows = {row.key.region: row for row in latency(world, service="twitter").rows}
    assert (rows["in-east"].count, rows["in-east"].p50_us, rows["in-east"].coverage) == (0, -1, 0.0)


def test_many_steps_of_latency_are_asked_some_at_a_time(world: World) -> None:
    """With the same rows in the same order as at once."""
    seen_from_two_regions(world)
    fine = latency(world, since="6h", step="1s", service="twitter", region="in-west").rows
    assert len(fine) == 6 * 3600
    assert [row.start_us for row in fine] == sorted(row.start_us for row in fine)
    assert sum(row.count for row in fine) == 1


def test_an_answer_says_where_only_roll_ups_are_left(world: World) -> None:
    """In a sentence with both ends, because edges are rounded there."""
    world.keep(results(OK, start_us=NOW_US - 3 * DAY_US))
    world.store.upkeep(NOW_US - DAY_US, 0)
    rounded = availability(world, since="4d", step="1m", until="3d", service="twitter", region="in-west")
    (note,) = rounded.notes
    assert note.endswith("only roll-ups of 5 minutes are left: each counts where it begins")
    assert availability(world, since="4d", step="1h", service="twitter", region="in-west").notes == ()


def test_too_many_rows_are_refused(world: World) -> None:
    """With how many it would be."""
    with pytest.raises(BadQuestion, match="step: would make 252288000 rows, at most 200000 are allowed"):
        availability(world, since="365d", step="1s")
