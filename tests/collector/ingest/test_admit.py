"""What is taken, and what is not and why."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.outcomes import Outcome
from faultline_collector.ingest.admit import Admission, Refusal, admit
from faultline_collector.ingest.decode import decode
from tests.collector.ingest.worlds import NOW_US, SOURCE, batch

HOUR_US = 3600 * 1_000_000
KNOWN = frozenset({"web", "api"})


def judged(offset_us: int = 0, received_us: int = NOW_US, **columns: Any) -> Admission:
    """What becomes of a batch with these columns."""
    return admit(decode(batch(**columns), SOURCE, offset_us, received_us), KNOWN)


def test_good_results_pass_untouched() -> None:
    """Nothing is copied where nothing is refused."""
    good = decode(batch(), SOURCE, 0, NOW_US)
    assert admit(good, KNOWN) == Admission(good)


def test_no_results_are_no_refusals() -> None:
    """An empty batch is admitted as it is."""
    nothing = decode(batch(), SOURCE, 0, NOW_US).select(slice(0))
    assert admit(nothing, KNOWN) == Admission(nothing)


def test_unknown_targets_are_refused_by_runs() -> None:
    """Neighbours with the same fault make one run, and the rest is taken."""
    found = judged(count=5, target_ids=["web", "mine"], target=[0, 1, 1, 0, 1])
    sentence = "'mine' is not a target of this fleet"
    assert found.refusals == (
        Refusal("unknown_target", 2, 3, sentence),
        Refusal("unknown_target", 5, 5, sentence),
    )
    assert found.results.sequence.tolist() == [1, 4]


def test_a_name_that_is_not_used_refuses_nothing() -> None:
    """Only what a result names counts, not what lies in the dictionary."""
    assert judged(target_ids=["web", "mine"]).refusals == ()


def test_bad_outcomes_are_refused() -> None:
    """An outcome outside of the closed set is no result."""
    found = judged(outcome=[1, 0, 9])
    assert found.refusals == (Refusal("bad_outcome", 2, 3, "the outcome of 'web' is not one of 1 to 8"),)


def test_long_details_are_oversize() -> None:
    """A sentence has a bound; a result without detail is not touched by another's."""
    found = judged(details=["x" * 501, "fine"], detail=[0, 1, 2])
    sentence = "a detail of 501 characters is longer than 500"
    assert found.refusals == (Refusal("oversize", 2, 2, sentence),)


def test_long_target_ids_are_oversize() -> None:
    """An id has a bound, and the sentence does not repeat what is too long."""
    found = judged(target_ids=["web", "y" * 201], target=[0, 0, 1])
    assert found.refusals == (Refusal("oversize", 3, 3, "a target id of 201 characters is longer than 200"),)


@pytest.mark.parametrize(
    ("ahead_us", "sentence"),
    [
        pytest.param(24 * HOUR_US, None, id="a-day-ahead"),
        pytest.param(24 * HOUR_US + 1, "the start lies 24.0 h after its receipt", id="more-than-a-day-ahead"),
        pytest.param(-29 * 24 * HOUR_US, None, id="weeks-in-the-spool"),
        pytest.param(-31 * 24 * HOUR_US, "the start lies 744.0 h before its receipt", id="older-than-spools"),
    ],
)
def test_impossible_times_are_refused(ahead_us: int, sentence: str | None) -> None:
    """A result may be old, for it waited honestly, but never from tomorrow."""
    found = judged(count=1, started_delta_us=[NOW_US + ahead_us])
    assert [refusal.example for refusal in found.refusals] == ([] if sentence is None else [sentence])


def test_the_clock_is_corrected_before_it_is_judged() -> None:
    """An agent whose clock is two days ahead, and known to be, is believed."""
    ahead = [NOW_US + 48 * HOUR_US]
    assert judged(count=1, started_delta_us=ahead).refusals != ()
    assert judged(count=1, started_delta_us=ahead, offset_us=-48 * HOUR_US).refusals == ()


def test_times_that_overflow_are_impossible() -> None:
    """A sum of deltas beyond 64 bits is refused, not wrapped into the present."""
    found = judged(count=2, started_delta_us=[2**62, 2**62], outcome=[1, 1])
    assert [(r.reason, r.first, r.last) for r in found.refusals] == [("impossible_time", 1, 2)]


def test_one_result_has_one_reason() -> None:
    """Of several faults the first of the list is told, so that counts add up."""
    found = judged(count=1, outcome=[0], target_ids=["mine"], started_delta_us=[0])
    assert [r.reason for r in found.refusals] == ["bad_outcome"]


ROW = st.tuples(st.integers(0, 9), st.integers(0, 2), st.sampled_from([0, 1, 2]), st.booleans())


def _faulty(row: tuple[int, int, int, bool]) -> bool:
    outcome, target, detail, future = row
    return outcome not in list(Outcome) or target == 2 or detail == 2 or future


def _expected(rows: list[tuple[int, int, int, bool]]) -> Iterator[int]:
    return (sequence for sequence, row in enumerate(rows, 1) if not _faulty(row))


@given(st.lists(ROW, min_size=3, max_size=50))
def test_kept_and_refused_are_everything_once(rows: list[tuple[int, int, int, bool]]) -> None:
    """Every sequence is either kept or in exactly one refusal."""
    outcome, target, detail, future = map(list, zip(*rows, strict=True))
    starts = [NOW_US + 30 * HOUR_US * late for late in future]
    deltas = [b - a for a, b in zip([0, *starts], starts, strict=False)]
    found = judged(
        count=len(rows),
        outcome=outcome,
        target_ids=["web", "api", "mine"],
        target=target,
        details=["fine", "z" * 600],
        detail=detail,
        started_delta_us=deltas,
    )
    refused = [s for r in found.refusals for s in range(r.first, r.last + 1)]
    assert found.results.sequence.tolist() == list(_expected(rows))
    assert sorted([*refused, *found.results.sequence.tolist()]) == list(range(1, len(rows) + 1))
