"""Many batches are read at once, and one that is bad spoils only itself."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from faultline.ranges import Ranges
from faultline_collector.ingest.decode import Arrival
from faultline_collector.ingest.reading import Claim, read
from tests.collector.ingest.worlds import NOW_US, SOURCE, batch

TARGETS = frozenset({"web"})
KINDS: dict[str, dict[str, Any]] = {
    "good": {},
    "unreadable": {"status": [1]},
    "unknown": {"target_ids": ["mine"]},
    "half": {"outcome": [1, 0, 1]},
}
REASONS = {
    "good": [],
    "unreadable": [("bad_columns", 0, 2)],
    "unknown": [("unknown_target", 0, 2)],
    "half": [("bad_outcome", 1, 1)],
}
TAKEN = {"good": [0, 1, 2], "unreadable": [], "unknown": [], "half": [0, 2]}


def claim(
    first: int, missing: list[tuple[int, int]], targets: frozenset[str] = TARGETS, **columns: Any
) -> Claim:
    """A batch of three results of which some are missing."""
    return Claim(Arrival(batch(first, 3, **columns), SOURCE, 0, NOW_US), Ranges(missing), targets)


@given(st.lists(st.sampled_from(list(KINDS)), max_size=12))
def test_every_batch_is_judged_as_if_alone(kinds: list[str]) -> None:
    """Whoever stands beside it: what is good of a batch is taken, and what is bad is refused by its name."""
    claims = [claim(1 + 3 * i, [(1 + 3 * i, 3 + 3 * i)], **KINDS[kind]) for i, kind in enumerate(kinds)]
    found = read(claims)
    assert found.results.sequence.tolist() == [
        1 + 3 * i + place for i, kind in enumerate(kinds) for place in TAKEN[kind]
    ]
    assert [[(r.reason, r.first, r.last) for r in refusals] for refusals in found.refusals] == [
        [(reason, 1 + 3 * i + low, 1 + 3 * i + high) for reason, low, high in REASONS[kind]]
        for i, kind in enumerate(kinds)
    ]


def test_only_what_is_missing_is_read() -> None:
    """Of batches that came in part before, the other part is taken."""
    claims = [claim(1, [(2, 3)]), claim(4, [(4, 4), (6, 6)]), claim(7, [(7, 9)])]
    assert read(claims).results.sequence.tolist() == [2, 3, 4, 6, 7, 8, 9]
    assert read(claims).refusals == ((), (), ())


def test_each_batch_is_judged_by_the_fleet_of_its_time() -> None:
    """A change of the fleet between two batches of a group touches only the later."""
    found = read([claim(1, [(1, 3)]), claim(4, [(4, 6)], frozenset({"api"}))])
    assert found.results.sequence.tolist() == [1, 2, 3]
    assert [[r.reason for r in refusals] for refusals in found.refusals] == [[], ["unknown_target"]]
