"""Sets of sequence numbers, against Python's own sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.ranges import Ranges

RUNS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda r: (r[0], r[0] + r[1])), max_size=12
)
BOUNDS = st.tuples(st.integers(0, 70), st.integers(0, 70))


def numbers(runs: list[tuple[int, int]]) -> set[int]:
    """The plain set of the same numbers."""
    return {number for first, last in runs for number in range(first, last + 1)}


@given(RUNS)
def test_runs_are_sorted_disjoint_and_never_adjacent(runs: list[tuple[int, int]]) -> None:
    """So equal sets look alike."""
    ranges = Ranges(runs)
    flat = [end for run in ranges for end in run]
    assert flat == sorted(flat)
    assert all(following[0] > run[1] + 1 for run, following in zip(ranges, list(ranges)[1:], strict=False))
    assert numbers(list(ranges)) == numbers(runs)
    assert ranges.count() == len(numbers(runs))
    assert ranges.highest == max(numbers(runs), default=0)
    assert bool(ranges) is bool(runs)


@given(RUNS, RUNS)
def test_order_of_adding_does_not_matter(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    """Nor does adding twice."""
    ranges = Ranges(one)
    ranges.update(Ranges(other))
    assert ranges == Ranges([*other, *one, *other])


@given(RUNS, BOUNDS)
def test_missing_and_within_split_what_is_asked(runs: list[tuple[int, int]], bounds: tuple[int, int]) -> None:
    """Every number of the bounds is in exactly one of the two."""
    first, last = bounds
    ranges, held = Ranges(runs), numbers(runs)
    asked = set(range(first, last + 1))
    assert numbers(list(ranges.missing(first, last))) == asked - held
    assert numbers(list(ranges.within(first, last))) == asked & held


@given(RUNS, BOUNDS)
def test_covers_all_or_says_no(runs: list[tuple[int, int]], bounds: tuple[int, int]) -> None:
    """A part is not enough."""
    first, last = min(bounds), max(bounds)
    assert Ranges(runs).covers(first, last) is (set(range(first, last + 1)) <= numbers(runs))
    assert (first in Ranges(runs)) is (first in numbers(runs))


def test_copy_goes_its_own_way() -> None:
    """Adding to it leaves the first alone."""
    ranges = Ranges([(1, 3)])
    other = ranges.copy()
    other.add(5, 6)
    assert list(ranges) == [(1, 3)]
    assert list(other) == [(1, 3), (5, 6)]
    assert ranges != other


def test_empty_run_is_refused() -> None:
    """It would hide a mistake."""
    with pytest.raises(ValueError, match="a range from 5 to 4 holds nothing"):
        Ranges().add(5, 4)


def test_ranges_show_their_runs_and_are_no_keys() -> None:
    """They change."""
    assert repr(Ranges([(1, 2)])) == "Ranges([(1, 2)])"
    assert Ranges() != [(1, 2)]
    with pytest.raises(TypeError):
        hash(Ranges())
