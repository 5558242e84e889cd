"""Cells, colours and times."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from faultline_collector.commands.asking import given, when
from faultline_collector.commands.tables import clean, drawn


def test_a_drawn_table_folds_its_last_column_into_the_width() -> None:
    """And colours the words that say how something stands."""
    out = StringIO()
    console = Console(file=out, width=40, force_terminal=True, color_system="standard")
    console.print(drawn(("STATE", "WHY"), [("down", "a long story " * 9), ("plain", "")]))
    text = out.getvalue()
    assert "\x1b[31mdown" in text
    assert len(text.splitlines()) > 5


@pytest.mark.parametrize(("text", "said"), [("a\tb\nc", "a b c"), ("\x1b[2J", " [2J"), ("über ☂", "über ☂")])
def test_a_cell_holds_nothing_that_steers(text: str, said: str) -> None:
    """Letters of all languages stay."""
    assert clean(text) == said


def test_parameters_that_were_not_given_are_left_out() -> None:
    """Zero is given, none and no are not."""
    assert given(a=None, b="", c=False, d=True, e=0, f="x") == {"d": "True", "e": "0", "f": "x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, ""),
        ("2027-01-15T07:59:00.000+00:00", "07:59:00"),
        ("2027-01-14T07:59:00.000+00:00", "Jan 14 07:59"),
        ("2026-01-14T07:59:00.000+00:00", "2026-01-14 07:59"),
    ],
)
def test_on_a_terminal_a_time_of_today_has_no_date(text: str | None, said: str) -> None:
    """An older one has no seconds, one of this year no year."""
    now = datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert when(text, utc=True, in_full=False, now=now) == said
