"""The ledger: exactly-once, without a store around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.ranges import Ranges
from faultline_collector.results import Source, empty_batch
from faultline_collector.stores.ledger import Ledger, merged
from faultline_collector.stores.store import ReceivedRange, StoreError
from tests.collector.stores.rows import Row, batch_of, ranges_of, rows_of

WEST = Source("in-west-1", "s1")


def test_admitting_changes_nothing_before_it_is_noted() -> None:
    """What did not become durable must be admitted again."""
    ledger = Ledger()
    batch, ranges = batch_of([Row(1), Row(2)]), [ReceivedRange(WEST, 1, 2)]
    assert len(ledger.admit(batch, ranges)[0]) == 2
    assert len(ledger.admit(batch, ranges)[0]) == 2
    ledger.note(ranges)
    admitted, fresh = ledger.admit(batch, ranges)
    assert (len(admitted), fresh) == (0, [])


def test_ranges_are_split_around_what_is_held() -> None:
    """Only the gaps are new; fate and reason stay with each piece."""
    ledger = Ledger([ReceivedRange(WEST, 3, 4), ReceivedRange(WEST, 8, 8)])
    _, fresh = ledger.admit(empty_batch(), [ReceivedRange(WEST, 1, 10, "dropped", "age")])
    assert fresh == [
        ReceivedRange(WEST, first, last, "dropped", "age") for first, last in ((1, 2), (5, 7), (9, 10))
    ]


def test_results_in_rejected_ranges_are_refused() -> None:
    """A result is stored or rejected, never both."""
    with pytest.raises(StoreError, match="1 results, but the ranges say 0 stored"):
        Ledger().admit(batch_of([Row(1)]), [ReceivedRange(WEST, 1, 1, "rejected", "bad_outcome")])


def test_merged_ranges_are_as_few_as_can_be() -> None:
    """Neighbours of one fate and reason become one; others stay apart."""
    east = Source("us-east-1", "s1")
    ranges = [
        ReceivedRange(east, 1, 1), ReceivedRange(WEST, 3, 4), ReceivedRange(WEST, 1, 2),
        ReceivedRange(WEST, 5, 5, "dropped", "age"), ReceivedRange(WEST, 6, 6, "dropped", "bytes"),
    ]  # fmt: skip
    assert merged(ranges) == [
        ReceivedRange(WEST, 5, 5, "dropped", "age"), ReceivedRange(WEST, 6, 6, "dropped", "bytes"),
        ReceivedRange(WEST, 1, 4), ReceivedRange(east, 1, 1),
    ]  # fmt: skip


rows = st.builds(Row, sequence=st.integers(1, 30), agent=st.sampled_from(("a", "b")))


@given(st.lists(st.lists(rows, max_size=20, unique_by=lambda r: (r.source, r.sequence))))
def test_every_sequence_is_admitted_exactly_once(parts: list[list[Row]]) -> None:
    """Whatever comes again in whatever pieces, the first one is kept and no other."""
    ledger = Ledger()
    kept: list[tuple[Source, int]] = []
    for part in parts:
        admitted, fresh = ledger.admit(batch_of(part), ranges_of(part))
        ledger.note(fresh)
        kept += [(row.source, row.sequence) for row in rows_of(admitted)]
    wanted = {(row.source, row.sequence) for part in parts for row in part}
    assert sorted(kept) == sorted(wanted)
    assert ledger.received() == {
        source: Ranges((n, n) for s, n in wanted if s == source) for source, _ in wanted
    }
