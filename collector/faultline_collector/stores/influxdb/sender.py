"""From the outbox to InfluxDB: a few threads, one request each at a time."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from threading import Event, Lock, Thread

import structlog

from faultline.backoff import Backoff
from faultline_collector.stores.influxdb.answers import Answer, Kind
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.delivery import MOST_LINES, Delivery, NotDelivered
from faultline_collector.stores.influxdb.entries import Entry
from faultline_collector.stores.influxdb.lines import Lines, result_lines
from faultline_collector.stores.influxdb.outbox import Item, Outbox
from faultline_collector.stores.influxdb.server import Server

_log = structlog.get_logger("store")

BATCH_RESULTS = 10_000
"""About as many results go in one request."""

BATCH_AGE_S = 0.25
"""So long a result waits for others to go with it."""

_LANES = ("newest", "oldest")
_IDLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why InfluxDB takes nothing, in its words, and since when (microseconds since 1970)."""

    why: str
    since_us: int


class Sender:
    """One thread begins with the newest entries, one with the oldest.

    So a store that was away catches up without holding up what comes in: half of its strength is for the
    backlog, and what is new waits behind none of it. A server that is slow is sent less at once.
    """

    def __init__(
        self,
        outbox: Outbox,
        server: Server,
        letters: DeadLetters,
        *,
        backoff: Backoff | None = None,
        batch_results: int = BATCH_RESULTS,
        batch_age_s: float = BATCH_AGE_S,
    ) -> None:
        self._outbox = outbox
        self._server = server
        self._letters = letters
        self._backoff = backoff or Backoff(first_s=0.25, most_s=15)
        self._batch = (batch_results, batch_age_s)
        self._random = Random()
        self._lock = Lock()
        self._closing = Event()
        self._trouble: Trouble | None = None
        self._failures = 0
        self._most_lines = MOST_LINES
        self._rest_until_s = 0.0
        self._threads = [
            Thread(target=self._run, args=(lane,), name=f"influxdb-{lane}", daemon=True) for lane in _LANES
        ]

    @property
    def trouble(self) -> Trouble | None:
        """What keeps InfluxDB from taking anything; None when it does."""
        return self._trouble

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def close(self, deadline_s: float) -> None:
        """Ends after the requests under way; safe twice."""
        self._closing.set()
        self._outbox.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(deadline_s)

    def _run(self, lane: str) -> None:
        results, age_s = self._batch
        while not self._closing.is_set():
            if (rest_s := self._rest_until_s - time.monotonic()) > 0:
                self._closing.wait(rest_s)
                continue
            claimed = self._outbox.claim(
                newest=lane == "newest",
                results=results,
                age_s=age_s,
                timeout_s=_IDLE_S,
                ended=self._closing.is_set,
            )
            if claimed:
                self._send(claimed)

    def _send(self, items: Sequence[Item]) -> None:
        """Settles the items, or gives them back and rests; a bug must not end the thread unseen."""
        try:
            entries = [entry for item in items if (entry := self._outbox.read(item)) is not None]
            Delivery(self._write, self._letters, self._most_lines).send_all(lines_of(entries))
        except NotDelivered as error:
            self._outbox.release(items)
            self._rest(error.answer)
        except Exception as error:
            self._outbox.release(items)
            self._rest(Answer(Kind.LATER, f"cannot be sent to: {type(error).__name__}: {error}"))
            _log.exception("entries of the outbox cannot be sent")
        else:
            self._recover()
            self._outbox.settle(items)

    def _write(self, body: Sequence[bytes]) -> Answer:
        return self._server.write(self._server.address.bucket, body)

    def _rest(self, answer: Answer) -> None:
        with self._lock:
            if self._trouble is None:
                self._failures = 0
                _log.error("InfluxDB takes nothing", url=self._server.address.url, why=answer.why)
            since_us = self._trouble.since_us if self._trouble else time.time_ns() // 1000
            self._trouble = Trouble(answer.why, since_us)
            self._failures += 1
            if answer.is_slow:
                self._most_lines = max(_FEWEST_LINES, self._most_lines // 2)
            delay_s = self._backoff.delay_s(self._failures, self._random)
            self._rest_until_s = time.monotonic() + max(delay_s, min(answer.wait_s or 0.0, _MOST_WAIT_S))

    def _recover(self) -> None:
        with self._lock:
            if self._trouble is not None:
                _log.info("InfluxDB takes results again", url=self._server.address.url)
            self._trouble = None
            self._most_lines = min(MOST_LINES, self._most_lines * 2)
            self._rest_until_s = 0.0


_MOST_WAIT_S = 300.0
_FEWEST_LINES = 500


def lines_of(entries: Iterable[Entry]) -> Iterator[Lines]:
    """Everything that is to be written of these entries, as lines, in pieces."""
    for entry in entries:
        yield from result_lines(entry.placed, entry.roles)
        yield Lines(entry.lines, entry.lines.count(b"\n"))
