"""Batches of the wire become columns, or one sentence."""

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from faultline.columns import MAX_BATCH_RESULTS
from faultline.v1 import results_pb2
from faultline_collector.ingest.decode import Arrival, claimed, decode, decode_all
from faultline_collector.ingest.wire import BadBatch
from faultline_collector.results import ResultBatch, Source, concatenate
from tests.collector.ingest.worlds import NOW_US, SOURCE, batch

TIMING = results_pb2.Timing

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(-(10**9), 10**9),
        st.integers(0, 255),
        st.integers(1, 8),
        st.integers(0, 65_535),
        st.sampled_from([0, 4, 6]),
        st.integers(-1, 2**31 - 1),
        st.integers(0, 255),
        st.integers(0, 2),
    ),
    min_size=3,
    max_size=40,
)


@given(ROWS, st.integers(1, 2**62))
def test_every_value_arrives_in_its_column(rows: list[tuple[int, ...]], first: int) -> None:
    """What an agent packs is what the collector reads, value by value."""
    target, delta, attempt, outcome, status, family, total, flags, detail = map(list, zip(*rows, strict=True))
    message = results_pb2.Batch(
        first_sequence=first,
        count=len(rows),
        target_ids=["a", "b", "c"],
        target=target,
        started_delta_us=delta,
        attempt=attempt,
        outcome=outcome,
        status=status,
        family=family,
        flags=flags,
        details=["x", "y"],
        detail=detail,
        timings=[results_pb2.Timing(name="total", us=total)],
    )
    read = decode(results_pb2.Batch.FromString(message.SerializeToString()), SOURCE, 7, NOW_US)
    assert read.target.tolist() == target
    assert read.started_us.tolist() == np.cumsum(delta).tolist()
    assert read.judged_us.tolist() == (np.cumsum(delta) + 7).tolist()
    assert read.attempt.tolist() == attempt
    assert read.outcome.tolist() == outcome
    assert read.status.tolist() == status
    assert read.family.tolist() == family
    assert read.flags.tolist() == flags
    assert read.timings_us["total"].tolist() == total
    assert read.detail.tolist() == [d - 1 for d in detail]
    assert read.sequence.tolist() == list(range(first, first + len(rows)))
    assert set(read.received_us.tolist()) == {NOW_US}
    assert (read.sources, read.target_ids, read.details) == ((SOURCE,), ("a", "b", "c"), ("x", "y"))


WHOLE = results_pb2.Batch(
    target_ids=["web", "api"],
    target=[0, 1, 1],
    started_delta_us=[NOW_US, 5, -3],
    attempt=[0, 1, 0],
    outcome=[results_pb2.OUTCOME_OK, results_pb2.OUTCOME_DNS, results_pb2.OUTCOME_CONNECT],
    status=[200, 0, 500],
    family=[4, 6, 0],
    flags=[1, 0, 2],
    details=["fine", "late"],
    detail=[0, 2, 1],
    timings=[TIMING(name="total", us=[1, 2, -1]), TIMING(name="dns", us=[0, 7, 9])],
)
"""All columns; each test batch has some of them."""


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(["target", "attempt", "status", "family", "flags", "detail"])),
            st.sampled_from([("total",), ("dns",), ("total", "dns"), ()]),
            st.booleans(),
            st.integers(1, 2**62),
            st.integers(1, 40),
        ),
        min_size=2,
        max_size=6,
    )
)
def test_many_batches_are_read_as_each_alone(
    parts: list[tuple[set[str], tuple[str, ...], bool, int, int]],
) -> None:
    """Read end to end, in whatever mixture of columns and sizes, every batch says what it says alone."""
    arrivals = []
    for number, (absent, timings, other, first, times) in enumerate(parts):
        message = results_pb2.Batch(first_sequence=first, count=3 * times, details=WHOLE.details)
        message.target_ids.extend(reversed(WHOLE.target_ids) if other else WHOLE.target_ids)
        for name in {
            "target",
            "started_delta_us",
            "attempt",
            "outcome",
            "status",
            "family",
            "flags",
            "detail",
        }:
            if name not in absent:
                getattr(message, name).extend(list(getattr(WHOLE, name)) * times)
        for timing in WHOLE.timings:
            if timing.name in timings:
                message.timings.append(TIMING(name=timing.name, us=list(timing.us) * times))
        arrivals.append(Arrival(message, Source(f"agent-{number % 2}", "spool"), number, NOW_US + number))
    whole = decode_all(arrivals)
    alone = concatenate([decode_all([arrival]) for arrival in arrivals])
    assert said(whole) == said(alone)


def said(results: ResultBatch) -> list[tuple[Any, ...]]:
    """Every result as a row of its meanings, whatever stands in the dictionaries."""
    detail = results.detail if len(results.detail) else np.full(len(results), -1)
    columns = (
        "sequence",
        "started_us",
        "offset_us",
        "received_us",
        "attempt",
        "outcome",
        "status",
        "family",
        "flags",
    )
    return list(
        zip(
            [results.sources[i] for i in results.source],
            [results.target_ids[i] for i in results.target],
            [(*results.details, None)[i] for i in detail],
            *[getattr(results, name).tolist() for name in columns],
            *[results.timings_us[name].tolist() for name in sorted(results.timings_us)],
            strict=True,
        )
    )


def test_absent_columns_are_defaults() -> None:
    """A column that is not sent means its default in every row, and a total that was not measured."""
    read = decode(batch(timings=[results_pb2.Timing(name="dns")]), SOURCE, 0, NOW_US)
    assert read.target.tolist() == read.attempt.tolist() == read.status.tolist() == [0, 0, 0]
    assert read.timings_us["dns"].tolist() == [0, 0, 0]
    assert read.timings_us["total"].tolist() == [-1, -1, -1]
    assert len(read.detail) == 0


def test_outcomes_outside_of_the_set_become_zero() -> None:
    """An outcome that no column could hold is a bad outcome, not another one modulo 256."""
    message = batch()
    message.outcome[:] = [257, -1, 1]  # type: ignore[list-item]
    assert decode(message, SOURCE, 0, NOW_US).outcome.tolist() == [0, 0, 1]


def test_absent_outcomes_are_bad_outcomes() -> None:
    """A batch without outcomes says nothing of its targets."""
    assert decode(batch(outcome=[]), SOURCE, 0, NOW_US).outcome.tolist() == [0, 0, 0]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "short": ({"outcome": [1, 1]}, "column outcome has 2 entries for 3 results"),
    "long": ({"status": [200] * 4}, "column status has 4 entries for 3 results"),
    "starts": ({"started_delta_us": []}, "column started_delta_us has 0 entries for 3 results"),
    "target": ({"target": [0, 1, 0]}, "column target holds 1, at most 0 is allowed"),
    "detail": ({"detail": [0, 2, 0], "details": ["x"]}, "column detail holds 2, at most 1 is allowed"),
    "attempt": ({"attempt": [0, 256, 0]}, "column attempt holds 256, at most 255 is allowed"),
    "status": ({"status": [0, 70_000, 0]}, "column status holds 70000, at most 65535 is allowed"),
    "no-targets": ({"target_ids": []}, "0 target ids for 3 results"),
    "more-targets": ({"target_ids": ["a"] * 4}, "4 target ids for 3 results"),
    "more-details": ({"details": ["a"] * 4}, "4 details for 3 results"),
    "timings": ({"timings": [TIMING(name=f"t_{'x' * i}") for i in range(17)]}, "17 timings are more than 16"),
    "timing-name": ({"timings": [TIMING(name="First")]}, "timing 'First' is not a name like first_byte"),
    "timing-short": ({"timings": [TIMING(name="dns", us=[1])]}, "column dns has 1 entries for 3 results"),
    "timing-low": (
        {"timings": [TIMING(name="dns", us=[1, -2, 1])]},
        "timing dns holds -2, at least -1 is allowed",
    ),
}


@pytest.mark.parametrize(("columns", "sentence"), BAD.values(), ids=BAD.keys())
def test_bad_columns_get_a_sentence(columns: dict[str, Any], sentence: str) -> None:
    """Columns that cannot be read are refused as a whole, saying what is wrong."""
    with pytest.raises(BadBatch) as caught:
        decode(batch(**columns), SOURCE, 0, NOW_US)
    assert (str(caught.value), caught.value.reason) == (sentence, "bad_columns")


def test_too_many_results_are_oversize() -> None:
    """The bound of a batch holds before anything of it is read."""
    with pytest.raises(BadBatch, match="10001 results are more than 10000") as caught:
        decode(results_pb2.Batch(first_sequence=1, count=MAX_BATCH_RESULTS + 1), SOURCE, 0, NOW_US)
    assert caught.value.reason == "oversize"


@pytest.mark.parametrize(("first", "count"), [(0, 3), (1, 0), (2**63 - 2, 3), (2**64 - 1, 5)])
def test_sequences_that_cannot_be_are_refused(first: int, count: int) -> None:
    """A batch must name sequences from 1 to what a store can keep."""
    with pytest.raises(BadBatch, match="names no results"):
        claimed(results_pb2.Batch(first_sequence=first, count=count))


def test_sequences_up_to_the_highest_are_taken() -> None:
    """The highest sequence that a store can keep is a good one."""
    assert claimed(results_pb2.Batch(first_sequence=2**63 - 3, count=3)) == (2**63 - 3, 2**63 - 1)


@given(st.binary(max_size=300))
def test_no_bytes_bring_decoding_down(noise: bytes) -> None:
    """Whatever protobuf can read is decoded or refused, and nothing else happens."""
    message = results_pb2.Batch()
    with suppress(BadBatch, DecodeError):
        message.MergeFromString(noise)
        claimed(message)
        assert len(decode(message, SOURCE, 0, NOW_US)) == message.count
