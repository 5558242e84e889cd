"""Packed days give what their cells give, whatever is asked, before and after they were bytes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline_collector.stores.counting import added, count_cells
from faultline_collector.stores.order import DAY_US, FOREVER_US, LONG_AGO_US
from faultline_collector.stores.packed import decoded, decoded_bins, encoded, encoded_bins, packed
from faultline_collector.stores.packed_counting import Packed, count_piece
from faultline_collector.stores.places import placed, places_of
from faultline_collector.stores.plan import Piece
from faultline_collector.stores.rollups import FIVE_MINUTES_US, WIDTHS_US, Cells, fold
from faultline_collector.stores.summary import Span, Summary, SummaryQuery, SummaryRow
from tests.collector.stores.rows import FLEET, NOON_US, Row, batch_of
from tests.collector.stores.test_same_answers import questions, rows

TODAY = NOON_US // DAY_US


class Shelf:
    """Packs of some days of cells, as bytes; says of others that it has them, and has not."""

    def __init__(self, cells: Cells, days: frozenset[int], gone: frozenset[int]) -> None:
        self._packs = {day: packed(cells, day) for day in days}
        self._gone = gone

    def days(self, width_us: int) -> Sequence[int]:
        """See `Packs`."""
        return sorted(self._packs)

    def read(self, width_us: int, days: Sequence[int], timing: str) -> Mapping[int, Packed]:
        """See `Packs`."""
        found = {}
        for day in set(days) - self._gone:
            cells, bins = self._packs[day]
            own = decoded_bins(encoded_bins(bins[timing])) if timing in bins else None
            found[day] = Packed(decoded(encoded(cells)), own)
        return found


def counted(cells: Cells, query: SummaryQuery, span: Span, shelf: Shelf) -> list[SummaryRow]:
    """What a piece comes to: packed days as packs, the rest as cells."""

    def rest(part: Span) -> Summary:
        return count_cells(cells, query, part)

    return list(added(list(count_piece(query, Piece(span, cells.width_us), shelf, rest))).rows())


@pytest.mark.parametrize("width_us", WIDTHS_US, ids=["5m", "1h"])
@settings(deadline=None, max_examples=200)
@given(
    some=st.lists(rows, min_size=1, max_size=30),
    query=questions,
    days=st.frozensets(st.integers(TODAY - 4, TODAY + 4)),
    gone=st.frozensets(st.integers(TODAY - 4, TODAY + 4), max_size=2),
)
def test_packed_days_give_what_their_cells_give(
    width_us: int, some: list[Row], query: SummaryQuery, days: frozenset[int], gone: frozenset[int]
) -> None:
    """Any days may be packed, beside others that are not; some vanish while they are asked for."""
    cells = fold(placed(batch_of(some), places_of(FLEET)), width_us)
    shelf = Shelf(cells, days, gone)
    for span in (Span(query.since_us, query.until_us), Span(LONG_AGO_US, FOREVER_US)):
        expected = list(count_cells(cells, query, span).rows())
        assert counted(cells, query, span, shelf) == expected


def test_a_day_is_few_bytes() -> None:
    """A cell of a usual day takes about two."""
    random = np.random.default_rng(1)
    some = [
        Row(i, target=target, agent=agent, at_us=i * 60_000_000, outcome=1 + 2 * int(random.random() < 0.01))
        for agent in ("in-1", "us-1")
        for target in ("web", "login", "bank")
        for i in range(720)
    ]
    cells = fold(placed(batch_of(some), places_of(FLEET)), FIVE_MINUTES_US)
    day, _ = packed(cells, TODAY)
    assert len(encoded(day)) < 2 * len(cells)
