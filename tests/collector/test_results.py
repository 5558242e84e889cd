"""Batches of results: selecting and joining columns."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faultline_collector.results import concatenate, empty_batch
from tests.collector.stores.rows import Row, batch_of, rows_of

rows = st.builds(
    Row,
    sequence=st.integers(1, 2**64 - 1),
    agent=st.sampled_from(("a", "b", "ü")),
    spool=st.sampled_from(("s1", "s2")),
    target=st.sampled_from(("web", "bank")),
    offset_us=st.integers(-(2**40), 2**40),
    detail=st.sampled_from(("", "refused", "timed out")),
    timings_us=st.dictionaries(st.sampled_from(("total", "dns", "tls")), st.integers(0, 2**31 - 1)),
)


def test_nothing_is_a_batch_too() -> None:
    """Of the same types as any other."""
    nothing = empty_batch()
    assert len(nothing) == 0
    assert rows_of(nothing) == []
    assert nothing.sequence.dtype == np.uint64
    assert len(concatenate((nothing, nothing))) == 0


def test_judged_time_is_start_plus_offset() -> None:
    """Where the agent's clock is behind, the offset is positive."""
    batch = batch_of([Row(1, at_us=70, offset_us=50)])
    assert batch.judged_us[0] - batch.started_us[0] == 50


@given(st.lists(st.lists(rows, max_size=5), max_size=5))
def test_concatenated_batches_hold_all_rows_in_order(parts: list[list[Row]]) -> None:
    """Dictionaries are merged: each word once, whatever each batch called it."""
    joined = concatenate([batch_of(part) for part in parts])
    assert rows_of(joined) == [row for part in parts for row in part]
    for words in (joined.sources, joined.target_ids, joined.details):
        assert len(set(words)) == len(words)


@given(st.lists(rows, max_size=8), st.data())
def test_selection_keeps_whole_rows(some: list[Row], data: st.DataObject) -> None:
    """By mask, by index and by slice."""
    mask = data.draw(st.lists(st.booleans(), min_size=len(some), max_size=len(some)))
    batch = batch_of(some)
    kept = [row for row, keep in zip(some, mask, strict=True) if keep]
    assert rows_of(batch.select(np.array(mask, np.bool_))) == kept
    assert rows_of(batch.select(np.flatnonzero(mask))) == kept
    assert rows_of(batch.select(slice(1, 3))) == some[1:3]


def test_details_may_be_left_out() -> None:
    """No column of details says that no result has any; it survives selecting and joining."""
    plain = replace(batch_of([Row(1), Row(2)]), detail=np.empty(0, np.int32))
    told = batch_of([Row(3, detail="refused")])
    assert rows_of(plain.select(slice(1))) == [Row(1)]
    assert rows_of(concatenate([plain, told])) == [Row(1), Row(2), Row(3, detail="refused")]
