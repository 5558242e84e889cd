"""Queues of changes: bounded, counted, shared."""

import asyncio

import pytest

from faultline_collector.api.events import Event, Events, TooManyReaders, event
from faultline_collector.metrics import Metrics


def drops(metrics: Metrics) -> float:
    """How many events were dropped."""
    return metrics.registry.get_sample_value("faultline_event_drops_total") or 0.0


def streams(metrics: Metrics) -> float:
    """How many readers there are."""
    return metrics.registry.get_sample_value("faultline_event_streams") or 0.0


def outages(first: int, last: int) -> list[Event]:
    """Changes of outages by number."""
    return [event("outage", b"%d" % number) for number in range(first, last + 1)]


def test_an_event_is_written_as_the_standard_asks() -> None:
    """Name, id where there is one, data, and an empty line."""
    assert event("state", b"{}", version=7).wire == b"event: state\nid: 7\ndata: {}\n\n"
    assert event("outage", b"{}").wire == b"event: outage\ndata: {}\n\n"


def test_all_readers_get_the_same_bytes() -> None:
    """Not a copy each: that is what a crowd costs."""
    events = Events(Metrics())
    with events.reader() as one, events.reader() as two:
        change = event("state", b"{}", version=1)
        events.send(change)
        assert one.pop().wire is two.pop().wire is change.wire


def test_a_newer_state_takes_the_place_of_one_that_was_not_read() -> None:
    """A slow reader gets the newest, and the loss is counted."""
    metrics = Metrics()
    events = Events(metrics)
    with events.reader() as reader:
        events.send(event("state", b"1", version=1))
        for change in outages(1, 2):
            events.send(change)
        events.send(event("state", b"2", version=2))
        assert [reader.pop().wire[-4:] for _ in range(len(reader))] == [b" 1\n\n", b" 2\n\n", b" 2\n\n"]
    assert drops(metrics) == 1


def test_a_slow_reader_loses_the_oldest_and_it_is_counted() -> None:
    """Its queue never grows beyond its bound, and others lose nothing."""
    metrics = Metrics()
    events = Events(metrics, most_waiting=4)
    with events.reader() as slow:
        for change in outages(1, 10):
            events.send(change)
            assert len(slow) <= 4
        assert [slow.pop().wire for _ in range(4)] == [change.wire for change in outages(7, 10)]
    assert drops(metrics) == 6


def test_as_many_readers_as_allowed_and_no_more() -> None:
    """A place is free again when a reader leaves; the number is a metric."""
    metrics = Metrics()
    events = Events(metrics, most_readers=1)
    with events.reader():
        assert streams(metrics) == 1
        with pytest.raises(TooManyReaders, match="1 readers watch already"), events.reader():
            pass
    assert streams(metrics) == 0
    with events.reader():
        assert len(events) == 1


async def test_changes_come_as_they_are_sent() -> None:
    """Those that waited first, then each when it happens."""
    events = Events(Metrics())
    first, second = outages(1, 2)
    with events.reader(first) as reader:
        changes = reader.changes(heartbeat_s=60)
        assert await anext(changes) is first
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        events.send(second)
        assert await waiting is second


async def test_a_quiet_stream_beats_its_heart() -> None:
    """None says that nothing came."""
    with Events(Metrics()).reader() as reader:
        assert await anext(reader.changes(heartbeat_s=0.001)) is None


async def test_closing_ends_all_streams_also_later_ones() -> None:
    """What waits is still delivered."""
    events = Events(Metrics())
    (change,) = outages(1, 1)
    with events.reader(change) as reader:
        events.close()
        assert [got async for got in reader.changes(60)] == [change]
    with events.reader(change) as late:
        assert [got async for got in late.changes(60)] == [change]
