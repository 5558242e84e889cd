"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from faultline.config import BadConfig, parse_data
from faultline.durations import Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1.5s", 1.5), ("5m", 300), ("2h", 7_200), ("7d", 604_800), (" 1s ", 1)],
)
def test_duration_is_read(text: str, seconds: float) -> None:
    """A number and a unit."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1 s", "1w", "1h30m", ".5s", "1e3s", "٣s x"])
def test_anything_else_gets_a_sentence(text: str) -> None:
    """With what is allowed."""
    with pytest.raises(ValueError, match="is not a duration like 500ms, 30s, 5m, 2h or 7d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", "99999999999d", "9" * 400 + "s"], ids=["d", "C int", "inf"])
def test_what_no_clock_can_add_gets_a_sentence(text: str) -> None:
    """A hundred years are enough for everything that is configured or asked."""
    assert parse_duration("36500d") == timedelta(days=36_500)
    with pytest.raises(ValueError, match="is longer than 36500d"):
        parse_duration(text)


@given(st.integers(0, 10**10))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    """In the largest unit that keeps it whole."""
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.25, "250ms"), (60, "1m"), (90, "90s"), (3_600, "1h"), (172_800, "2d")],
)
def test_largest_unit_is_chosen(seconds: float, text: str) -> None:
    """People read it more easily."""
    assert format_duration(timedelta(seconds=seconds)) == text


class Timed(BaseModel):
    """A model with a duration."""

    every: Duration


def test_field_reads_and_writes_text() -> None:
    """In a file and back."""
    timed = parse_data({"every": "90s"}, Timed, "x")
    assert timed.every == timedelta(seconds=90)
    assert timed.model_dump() == {"every": "90s"}
    assert Timed(every=timedelta(seconds=5)).every == timedelta(seconds=5)
    assert Timed.model_json_schema()["properties"]["every"]["type"] == "string"


@pytest.mark.parametrize("value", [30, 1.5, True, None, "soon"])
def test_field_of_anything_else_gets_a_sentence(value: object) -> None:
    """A bare number has no unit."""
    with pytest.raises(BadConfig) as raised:
        parse_data({"every": value}, Timed, "x")
    assert raised.value.problems == (f"every: {value!r} is not a duration like 500ms, 30s, 5m, 2h or 7d",)
