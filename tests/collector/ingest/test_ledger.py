"""What has come, what is durable, and what is a resend."""

from hypothesis import given
from hypothesis import strategies as st

from faultline.ranges import Ranges
from faultline_collector.ingest.ledger import Ledger
from faultline_collector.results import Source
from tests.collector.ingest.worlds import SOURCE

RUN = st.integers(1, 60).flatmap(lambda first: st.tuples(st.just(first), st.integers(first, first + 12)))


def numbers(ranges: Ranges) -> set[int]:
    """All numbers of the ranges."""
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(st.lists(st.tuples(RUN, st.booleans())))
def test_the_ledger_is_two_sets(steps: list[tuple[tuple[int, int], bool]]) -> None:
    """Taken and durable behave like plain sets of sequences."""
    ledger, taken, durable = Ledger({}), set[int](), set[int]()
    for (first, last), settles in steps:
        run = set(range(first, last + 1))
        assert numbers(ledger.missing(SOURCE, first, last)) == run - taken
        ledger.take(SOURCE, first, last)
        taken |= run
        if settles:
            ledger.settle(SOURCE, first, last)
            durable |= run
    assert numbers(ledger.held(SOURCE, Ranges([(1, 80)]))) == durable
    assert ledger.highest(SOURCE) == max(taken, default=0)


def test_what_is_on_its_way_is_not_held() -> None:
    """An agent must keep what is not durable, though a resend of it is recognised."""
    ledger = Ledger({})
    ledger.take(SOURCE, 1, 10)
    assert ledger.missing(SOURCE, 5, 12) == Ranges([(11, 12)])
    assert ledger.held(SOURCE, Ranges([(1, 10)])) == Ranges()


def test_the_store_is_remembered() -> None:
    """What was received before a restart is a resend after it."""
    received = {SOURCE: Ranges([(1, 4), (8, 9)])}
    ledger = Ledger(received)
    assert ledger.missing(SOURCE, 1, 10) == Ranges([(5, 7), (10, 10)])
    assert ledger.held(SOURCE, Ranges([(3, 8)])) == Ranges([(3, 4), (8, 8)])
    ledger.take(SOURCE, 1, 10)
    assert received[SOURCE] == Ranges([(1, 4), (8, 9)])


def test_another_spool_is_another_source() -> None:
    """A replaced disk is not taken for a resend."""
    ledger = Ledger({SOURCE: Ranges([(1, 100)])})
    other = Source(SOURCE.agent_id, "spool-2")
    assert ledger.missing(other, 1, 3) == Ranges([(1, 3)])
    assert ledger.highest(other) == 0
