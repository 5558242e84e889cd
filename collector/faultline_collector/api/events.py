"""Changes on their way to those who watch: one queue a reader, bounded, the same bytes for all."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from faultline_collector.metrics import Metrics
from faultline_collector.outages import Outage

HEARTBEAT = b": heartbeat\n\n"
"""A comment that keeps proxies from closing an idle stream."""

SUPERSEDED = frozenset({"state", "beat"})
"""Events of which only the newest is worth reading."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One change: `wire` is what an SSE reader gets; `outage` is there for readers of another protocol."""

    name: str
    wire: bytes
    outage: Outage | None = None


def event(name: str, data: bytes, *, version: int | None = None, outage: Outage | None = None) -> Event:
    """An event whose bytes are ready for every reader; `data` is one line of JSON."""
    mark = b"" if version is None else b"id: %d\n" % version
    return Event(name, b"event: %s\n%sdata: %s\n\n" % (name.encode(), mark, data), outage)


class TooManyReaders(Exception):
    """Raised when as many readers watch as are allowed."""


class Reader:
    """What waits for one reader. A newer state or beat takes the place of an older one that was not read."""

    __slots__ = ("_closed", "_events", "_metrics", "_most", "_wake")

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._events: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._most = most
        self._metrics = metrics
        self._closed = False

    def __len__(self) -> int:
        return len(self._events)

    def push(self, change: Event) -> None:
        """Queues a change; drops and counts what a slow reader must lose."""
        stale = next((e for e in self._events if e.name == change.name and e.name in SUPERSEDED), None)
        if stale is not None:
            self._drop(stale)
        elif len(self._events) >= self._most:
            self._drop(self._events[0])
        self._events.append(change)
        self._wake.set()

    def pop(self) -> Event:
        """Takes the oldest."""
        return self._events.popleft()

    def close(self) -> None:
        """Ends the stream after what is queued."""
        self._closed = True
        self._wake.set()

    async def changes(self, heartbeat_s: float) -> AsyncGenerator[Event | None, None]:
        """Yields changes as they come, and None after each `heartbeat_s` without any."""
        while True:
            while self._events:
                yield self.pop()
            if self._closed:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(heartbeat_s):
                    await self._wake.wait()
            except TimeoutError:
                yield None

    def _drop(self, change: Event) -> None:
        self._events.remove(change)
        self._metrics.event_drops.inc()


class Events:
    """All readers of one collector."""

    def __init__(self, metrics: Metrics, *, most_readers: int = 5000, most_waiting: int = 64) -> None:
        self._metrics = metrics
        self._most_readers = most_readers
        self._most_waiting = most_waiting
        self._readers: set[Reader] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._readers)

    @contextmanager
    def reader(self, *first: Event) -> Iterator[Reader]:
        """A reader that has `first` waiting; raises TooManyReaders."""
        if len(self._readers) >= self._most_readers:
            raise TooManyReaders(f"{self._most_readers} readers watch already; try again in a minute")
        reader = Reader(self._most_waiting, self._metrics)
        for change in first:
            reader.push(change)
        if self._closed:
            reader.close()
        self._readers.add(reader)
        self._metrics.event_streams.set(len(self._readers))
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            self._metrics.event_streams.set(len(self._readers))

    def send(self, change: Event) -> None:
        """Hands a change to every reader."""
        for reader in self._readers:
            reader.push(change)

    def close(self) -> None:
        """Ends every stream, also those that come later."""
        self._closed = True
        for reader in self._readers:
            reader.close()
