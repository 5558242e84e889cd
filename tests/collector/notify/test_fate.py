"""What becomes of a delivery after a try."""

from random import Random

import pytest

from faultline_collector.notify.fate import (
    LONGEST_PAUSE_S,
    Fate,
    NotDelivered,
    after_failed_repeat,
    after_failure,
    after_success,
)
from faultline_collector.notify.kinds import Kind

NOW_US = 1_700_000_000_000_000
REFUSED = NotDelivered("the receiver answered 503")


def test_a_repeat_that_fails_leaves_the_notice_sent_and_is_tried_again_soon() -> None:
    """It was told once: nothing is lost, but a receiver that forgets it must hear it again."""
    found = after_failed_repeat(REFUSED, NOW_US, Random(1))
    assert (found.fate, found.said) == (Fate.SENT, "the receiver answered 503")
    assert found.due_us is not None
    assert NOW_US < found.due_us <= NOW_US + 60_000_000


@pytest.mark.parametrize(("asked_s", "waits_s"), [(120.0, 120.0), (1e9, LONGEST_PAUSE_S)])
def test_a_receiver_that_asks_for_a_pause_gets_it(asked_s: float, waits_s: float) -> None:
    """At a first try and at a repeat; but nobody keeps a notice back for longer than an hour."""
    busy = NotDelivered("the receiver answered 429", pause_s=asked_s)
    repeat = after_failed_repeat(busy, NOW_US, Random(1))
    first = after_failure(busy, 0, NOW_US, NOW_US, 86_400.0, Random(1))
    assert repeat.due_us == first.due_us == NOW_US + round(waits_s * 1e6)
    assert (repeat.fate, first.fate) == (Fate.SENT, Fate.WAITING)


def test_what_a_receiver_will_never_take_is_given_up() -> None:
    """So is what could only be tried again after its deadline."""
    never = NotDelivered("the receiver answered 400", permanent=True)
    assert after_failure(never, 0, NOW_US, NOW_US, 3_600.0, Random(1)).fate is Fate.FAILED
    late = after_failure(REFUSED, 5, NOW_US - 3_600_000_000, NOW_US, 3_600.0, Random(1))
    assert (late.fate, late.due_us) == (Fate.FAILED, None)


def test_only_what_goes_on_is_told_again_and_only_where_that_is_wanted() -> None:
    """An end is told once."""
    assert after_success(Kind.CONFIRMED, NOW_US, 60.0).due_us == NOW_US + 60_000_000
    assert after_success(Kind.CONFIRMED, NOW_US, None).due_us is None
    assert after_success(Kind.RESOLVED, NOW_US, 60.0).due_us is None
