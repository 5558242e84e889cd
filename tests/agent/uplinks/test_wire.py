"""Results as columns, and back as a collector reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.columns import MAX_DETAIL_LENGTH, MAX_TIMINGS, NOT_REACHED, TIMING_NAME, TOTAL
from faultline.outcomes import Outcome
from faultline.ranges import Ranges
from faultline.v1 import results_pb2, session_pb2
from faultline_agent.probes import PROBES
from faultline_agent.results import Result
from faultline_agent.uplinks.uplink import Ack, Assignment, LostRange, UplinkError
from faultline_agent.uplinks.wire import batch_bounds, batch_message, encode_batch, read_order, read_welcome
from tests.agent.stage import NOW_US, result

RESULTS = st.builds(
    Result,
    target_id=st.sampled_from(["web", "api", "login"]),
    started_us=st.integers(NOW_US - 10**9, NOW_US + 10**9),
    attempt=st.integers(0, 1),
    outcome=st.sampled_from(Outcome),
    detail=st.text(max_size=20),
    status=st.integers(0, 599),
    family=st.sampled_from([0, 4, 6]),
    timings_us=st.dictionaries(st.sampled_from(["dns", "connect", "tls"]), st.integers(0, 10**7)).map(
        lambda timings: {TOTAL: 5, **timings}
    ),
    flags=st.integers(0, 3),
)


def column(values: list[int], count: int) -> list[int]:
    """A column that is left out holds the default everywhere."""
    return values or [0] * count


def read_back(batch: results_pb2.Batch) -> list[Result]:
    """The results of a batch, read as the comments in the .proto file say."""
    n, started, back = batch.count, 0, []
    details = ["", *batch.details]
    for at in range(n):
        started += batch.started_delta_us[at]
        timings = {t.name: t.us[at] for t in batch.timings if t.us[at] != NOT_REACHED}
        back.append(
            Result(
                target_id=batch.target_ids[batch.target[at]],
                started_us=started,
                attempt=column(list(batch.attempt), n)[at],
                outcome=Outcome(batch.outcome[at]),
                detail=details[column(list(batch.detail), n)[at]],
                status=column(list(batch.status), n)[at],
                family=column(list(batch.family), n)[at],
                timings_us=timings,
                flags=column(list(batch.flags), n)[at],
            )
        )
    return back


@given(st.lists(RESULTS, min_size=1, max_size=20), st.integers(1, 2**60))
def test_columns_hold_exactly_the_results(results: list[Result], first: int) -> None:
    """Whatever was measured comes out again."""
    encoded = encode_batch(results, first)
    batch = results_pb2.Batch.FromString(encoded)
    assert read_back(batch) == results
    assert batch_bounds(encoded) == (first, first + len(results) - 1)


def test_columns_of_defaults_are_left_out() -> None:
    """Most batches are short."""
    batch = results_pb2.Batch.FromString(encode_batch([result(status=0, family=0)] * 50, 1))
    assert not any((batch.attempt, batch.status, batch.family, batch.flags, batch.detail, batch.details))


def test_lane_is_set_when_the_batch_is_sent() -> None:
    """The spool does not know yet when that will be."""
    encoded = encode_batch([result()], 9)
    assert batch_message(encoded, live=True).batch.lane == results_pb2.LANE_LIVE
    backlog = batch_message(encoded, live=False).batch
    assert backlog.lane == results_pb2.LANE_BACKLOG
    assert backlog.first_sequence == 9


def test_long_details_and_long_timings_are_cut_to_what_the_wire_takes() -> None:
    """One odd result must not cost a batch."""
    odd = result(detail="x" * 2 * MAX_DETAIL_LENGTH, timings_us={TOTAL: 2**40})
    batch = results_pb2.Batch.FromString(encode_batch([odd], 1))
    assert len(batch.details[0]) == MAX_DETAIL_LENGTH
    assert batch.timings[0].us[0] == 2**31 - 1


def test_more_timings_than_the_wire_takes_leave_out_the_last() -> None:
    """The total is always there."""
    many = {f"phase_{chr(97 + i)}": i for i in range(MAX_TIMINGS + 4)}
    batch = results_pb2.Batch.FromString(encode_batch([result(timings_us=many | {TOTAL: 9})], 1))
    assert len(batch.timings) == MAX_TIMINGS
    assert batch.timings[0].name == TOTAL


def test_timings_of_all_probe_kinds_fit_into_one_batch() -> None:
    """And are called as the wire allows."""
    names = {name for kind in PROBES.values() for name in kind.timings}
    assert len(names) <= MAX_TIMINGS
    assert all(TIMING_NAME.fullmatch(name) for name in names)


def test_settings_that_are_no_object_are_kept_for_the_refusal() -> None:
    """A broken assignment must not break the session."""
    for text in ("[1]", "{", "5"):
        target = session_pb2.Target(target_id="web", kind="tcp", settings_json=text, interval_us=1)
        message = session_pb2.CollectorMessage(
            assignment=session_pb2.Assignment(version="v", targets=[target])
        )
        order = read_order(message)
        assert getattr(order, "targets")[0].settings == {"settings": text}  # noqa: B009 - a union of orders


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, '{"a":' * 500 + "1" + "}" * 500])
def test_settings_nested_without_end_are_kept_as_text(deep: str) -> None:
    """For the refusal; a collector that says such a thing must not end the agent."""
    target = session_pb2.Target(target_id="web", kind="tcp", settings_json=deep, interval_us=10**6)
    order = read_order(session_pb2.CollectorMessage(assignment=session_pb2.Assignment(targets=[target])))
    assert isinstance(order, Assignment)
    assert order.targets[0].settings == {"settings": deep}


def test_sequences_that_cannot_be_are_passed_over() -> None:
    """They would neither go into the spool's file nor leave it a number to go on with."""
    impossible, possible = results_pb2.Range(first=1, last=2**64 - 1), results_pb2.Range(first=3, last=4)
    lost = [
        results_pb2.LostRange(spool_id=name, range=run) for name, run in (("x", impossible), ("y", possible))
    ]
    ack = session_pb2.Ack(durable=[impossible, possible], lost=lost)
    order = read_order(session_pb2.CollectorMessage(ack=ack))
    assert order == Ack(Ranges([(3, 4)]), lost=(LostRange("y", 3, 4),))
    welcome = session_pb2.Welcome(highest_sequence=2**63)
    with pytest.raises(UplinkError, match="sequence 9223372036854775808, which cannot be") as raised:
        read_welcome(session_pb2.CollectorMessage(welcome=welcome))
    assert not raised.value.permanent
