"""Parameters: what is understood, and the sentence that anything else gets."""

from datetime import timedelta

import pytest

from faultline_collector.api.questions import (
    AvailabilityQuestion,
    BadQuestion,
    Moment,
    OutagesQuestion,
    Question,
    ResultsQuestion,
    known_id,
    parse_moment,
    read_question,
)
from tests.collector.api.worlds import NOW_US, SECOND_US


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("now", NOW_US),
        ("90s", NOW_US - 90 * SECOND_US),
        ("2027-01-15T08:00:00Z", NOW_US),
        ("2027-01-15T09:00:00+01:00", NOW_US),
        ("2027-01-15T09:00:00 01:00", NOW_US),
        ("2027-01-15T08:00:00", NOW_US),
        ("2027-01-15", NOW_US - 8 * 3600 * SECOND_US),
    ],
)
def test_a_time_is_iso_or_a_duration_ago(text: str, us: int) -> None:
    """Without a zone it is UTC; a plus that was not escaped is understood."""
    assert parse_moment(text).us(NOW_US) == us


@pytest.mark.parametrize(
    ("model", "parameters", "said"),
    [
        (ResultsQuestion, {"limit": "abc"}, "limit: 'abc' is not a whole number"),
        (ResultsQuestion, {"limit": "0"}, "limit: '0' is not between 1 and 10000000"),
        (
            ResultsQuestion,
            {"since": "yesterday"},
            "since: 'yesterday' is not a time like 2026-01-31T12:00:00Z, nor a duration ago like 10m",
        ),
        (
            ResultsQuestion,
            {"since": "99999-01-01"},
            "since: '99999-01-01' is not a time like 2026-01-31T12:00:00Z, nor a duration ago like 10m",
        ),
        *(
            (
                ResultsQuestion,
                {"since": at},
                f"since: '{at}' is not a time like 2026-01-31T12:00:00Z, nor a duration ago like 10m",
            )
            for at in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "99999999999d")
        ),
        (AvailabilityQuestion, {"step": "99999999999d"}, "step: '99999999999d' is longer than 36500d"),
        (
            AvailabilityQuestion,
            {"network": "9" * 5000},
            f"network: '{'9' * 40}' is not the number of a network like 55836 or AS55836",
        ),
        (OutagesQuestion, {"open": "maybe"}, "open: 'maybe' is not true or false"),
        (OutagesQuestion, {"opne": "true"}, "opne is not a known parameter; known are open, since, limit"),
        (
            AvailabilityQuestion,
            {"step": "5"},
            "step: '5' is not a duration like 500ms, 30s, 5m, 2h or 7d",
        ),
    ],
)
def test_a_bad_parameter_is_named_with_its_value_and_what_is_allowed(
    model: type[Question], parameters: dict[str, str], said: str
) -> None:
    """In one sentence."""
    with pytest.raises(BadQuestion) as caught:
        read_question(model, parameters)
    assert str(caught.value) == said


def test_an_empty_window_is_refused() -> None:
    """Since must lie before until."""
    with pytest.raises(BadQuestion, match="since must lie before until"):
        read_question(ResultsQuestion, {"since": "5m", "until": "10m"}).window(NOW_US)


def test_a_step_shorter_than_a_second_is_refused() -> None:
    """It would make rows without end."""
    with pytest.raises(BadQuestion, match="step: 500ms is shorter than 1s, the least allowed"):
        read_question(AvailabilityQuestion, {"step": "500ms"}).window(NOW_US)


def test_a_window_relative_to_now_begins_at_a_whole_step() -> None:
    """So that asking twice gives the same steps; a given begin is kept."""
    now_us = NOW_US + 67 * SECOND_US
    relative = AvailabilityQuestion(since=Moment(ago=timedelta(hours=1)), step=timedelta(minutes=5))
    assert relative.window(now_us) == (NOW_US - 3600 * SECOND_US, now_us)
    absolute = AvailabilityQuestion(since=Moment(at_us=NOW_US - 7), step=timedelta(minutes=5))
    assert absolute.window(now_us) == (NOW_US - 7, now_us)


def test_an_unknown_id_is_refused_with_those_that_are_known() -> None:
    """The first ten of them."""
    with pytest.raises(BadQuestion, match=r"service: 'x' is not known; known are a, b$"):
        known_id("service", "x", ["b", "a"])
    with pytest.raises(BadQuestion, match=r"known are t0, t1, t10, .*, t7 and 2 more$"):
        known_id("target", "x", [f"t{number}" for number in range(12)])
    with pytest.raises(BadQuestion, match="known are none yet"):
        known_id("target", "x", [])
    known_id("target", "", [])
