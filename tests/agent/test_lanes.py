"""What is on its way within one session."""

from faultline.ranges import Ranges
from faultline_agent.lanes import BACKLOG_WINDOW, FRESH_US, LIVE_WINDOW, OVERTAKEN_S, PATIENCE_S, Lanes
from faultline_agent.spool import Parcel
from tests.agent.stage import NOW_US


def parcel(first: int, count: int = 10) -> Parcel:
    """A batch."""
    return Parcel(first, count, NOW_US, b"")


def test_live_is_what_came_within_the_session_or_the_last_moments() -> None:
    """A session that lasts keeps calling its own results live, also when the collector lags."""
    lanes = Lanes(NOW_US)
    assert lanes.live_since_us(NOW_US + 1) == NOW_US + 1 - FRESH_US
    assert lanes.live_since_us(NOW_US + 10 * FRESH_US) == NOW_US


def test_each_lane_has_its_own_window() -> None:
    """A backlog without end does not hold up what is live, nor the other way round."""
    lanes = Lanes(NOW_US)
    for i in range(LIVE_WINDOW):
        assert lanes.has_room(live=True)
        lanes.send(parcel(1 + 10 * i), 0.0, live=True)
    assert not lanes.has_room(live=True)
    for i in range(BACKLOG_WINDOW):
        assert lanes.has_room(live=False)
        lanes.send(parcel(10_001 + 10 * i), 0.0, live=False)
    assert not lanes.has_room(live=False)
    lanes.acknowledge(Ranges([(1, 10)]))
    assert lanes.has_room(live=True)
    assert not lanes.has_room(live=False)


def test_acknowledgement_in_parts_frees_the_batch_when_it_is_whole() -> None:
    """What may be forgotten then is the batch, not its last part."""
    lanes = Lanes(NOW_US)
    lanes.send(parcel(1), 0.0, live=True)
    lanes.send(parcel(11), 0.0, live=True)
    lanes.acknowledge(Ranges([(1, 4)]))
    assert lanes.in_flight == {1, 11}
    assert lanes.acknowledge(Ranges([(5, 10)])).covers(1, 10)
    assert lanes.in_flight == {11}


def test_acknowledgement_of_what_was_not_sent_is_passed_on() -> None:
    """Reported drops are acknowledged without a batch."""
    assert Lanes(NOW_US).acknowledge(Ranges([(7, 9)])) == Ranges([(7, 9)])


def test_session_is_stuck_when_a_batch_waits_too_long() -> None:
    """However lively the rest is."""
    lanes = Lanes(NOW_US)
    lanes.send(parcel(1), 100.0, live=True)
    assert not lanes.is_stuck(100.0 + PATIENCE_S)
    assert lanes.is_stuck(100.1 + PATIENCE_S)
    lanes.acknowledge(Ranges([(1, 10)]))
    assert not lanes.is_stuck(1e9)


def test_batch_that_is_overtaken_is_sent_again() -> None:
    """A broker may lose a message; acknowledgements come in the order of sending, whatever the lane."""
    lanes = Lanes(NOW_US)
    lanes.send(parcel(1), 0.0, live=True)
    lanes.send(parcel(11), 0.0, live=False)
    lanes.send(parcel(21), OVERTAKEN_S, live=True)
    lanes.send(parcel(31), OVERTAKEN_S + 0.1, live=True)
    lanes.acknowledge(Ranges([(21, 30)]))
    assert lanes.in_flight == {1, 11, 31}
    lanes.acknowledge(Ranges([(31, 40)]))
    assert not lanes.in_flight
