"""`influxdb://HOST:PORT/ORGANISATION/BUCKET`: results in InfluxDB 2, durable in an outbox on disk before.

An append is done when its entry is on disk. What the outbox still holds is merged into every answer, so that
answers do not depend on how far InfluxDB is behind.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from time import time_ns

from faultline.ranges import Ranges
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores.answering import answer
from faultline_collector.stores.influxdb.address import Address, parse_address, read_token
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.entries import Entry
from faultline_collector.stores.influxdb.expiry import Expiry
from faultline_collector.stores.influxdb.folding import Folding
from faultline_collector.stores.influxdb.history import History, Wanted
from faultline_collector.stores.influxdb.outbox import Outbox, bounds_of
from faultline_collector.stores.influxdb.packing import Packing
from faultline_collector.stores.influxdb.roles import Roles
from faultline_collector.stores.influxdb.sender import Sender
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.influxdb.shelf import Shelf
from faultline_collector.stores.influxdb.streaming import Stream
from faultline_collector.stores.influxdb.transitions import Transitions, transition_lines
from faultline_collector.stores.ledger import Ledger
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.order import kept_timings, left_out
from faultline_collector.stores.places import placed, places_of
from faultline_collector.stores.plan import plan
from faultline_collector.stores.remote import Standing
from faultline_collector.stores.store import ReceivedRange, ResultQuery, StoreError, Upkeep
from faultline_collector.stores.summary import Summary, SummaryQuery

_CLOSE_S = 5.0
_TIMINGS = "timings"


class InfluxdbStore:
    """See `Store`."""

    def __init__(
        self,
        server: Server,
        outbox: Outbox,
        letters: DeadLetters,
        clock: Callable[[], int] = lambda: time_ns() // 1000,
    ) -> None:
        self._server = server
        self._outbox = outbox
        self._letters = letters
        self._lock = Lock()
        self._ledger = Ledger(outbox.ranges())
        self._roles = Roles()
        self._timings = set(outbox.mark(_TIMINGS).split())
        self._sender = Sender(outbox, server, letters)
        self._history = History(server.address.bucket, outbox, self._ask)
        self._shelf = Shelf(outbox.folder / "packed.db", f"{outbox.epoch} {server.address}")
        packing = Packing(server.address.rollups, self._shelf, self._ask, clock)
        self._folding = Folding(server, outbox, letters, packing, self._ask, clock)
        self._expiry = Expiry(server, outbox, self._shelf, self._ask)
        self._sender.start()
        self._transitions = Transitions()
        self._closed = False

    def append(self, results: ResultBatch, ranges: Sequence[ReceivedRange], fleet: Fleet) -> int:
        """See `Store`; durable in the outbox."""
        with self._lock:
            self._refuse_when_closed()
            results, fresh = self._ledger.admit(results, ranges)
            if not fresh:
                return 0
            timings = kept_timings(results, self._timings)
            kept = replace(results, timings_us=timings)
            self._learn(set(timings))
            roles = self._roles.of(fleet, kept.target_ids)
            self._keep(Entry(placed(kept, places_of(fleet)), roles, tuple(fresh)))
            self._ledger.note(fresh)
            return left_out(results, timings)

    def received(self) -> dict[Source, Ranges]:
        """See `Store`."""
        with self._lock:
            return self._ledger.received()

    def results(self, query: ResultQuery) -> Iterator[ResultBatch]:
        """See `Store`."""
        return Stream(self._history, query).pages()

    def summary(self, query: SummaryQuery) -> Summary:
        """See `Store`."""
        wanted = Wanted(target_ids=frozenset(query.target_groups))
        return answer(
            query,
            plan(query, self._expiry.raw_from_us, self._expiry.rollups_from_us),
            lambda span: self._history.read(span, wanted),
            lambda span, width_us: self._folding.cells(
                span, width_us, (query.timing,) if query.timing else ()
            ),
            self._folding,
        )

    def upkeep(self, raw_before_us: int, rollups_before_us: int) -> Upkeep:
        """See `Store`."""
        with self._lock:
            if self._transitions.waiting():
                self._keep(Entry())
        if self._sender.trouble is not None:
            return Upkeep()
        if self._folding.step(everything=self._outbox.size > self._outbox.most_bytes // 2):
            return Upkeep(more=True)
        if self._folding.pack():
            return Upkeep(more=True)
        return Upkeep(dropped=self._expiry.expire(raw_before_us, rollups_before_us))

    def close(self) -> None:
        """See `Store`; what was not sent stays in the outbox."""
        with self._lock:
            self._closed = True
        self._sender.close(_CLOSE_S)
        self._outbox.close()
        self._shelf.close()
        self._server.close()

    def standing(self) -> Standing:
        """See `RemoteStore`."""
        return Standing(
            self._problem(),
            self._outbox.unsent_results,
            self._outbox.size,
            self._letters.counts(),
            self._transitions.left_out,
        )

    def note_outages(self, outages: Sequence[Outage]) -> None:
        """See `RemoteStore`; they are written with the next append, or with the next upkeep."""
        self._transitions.hear(outages)

    def ledger(self) -> list[ReceivedRange]:
        """Every range that was ever received, with its fate and reason, merged; for accounts and checks."""
        return self._outbox.ranges()

    def _keep(self, entry: Entry) -> None:
        """Makes an entry durable, with the transitions that wait."""
        transitions = self._transitions.waiting()
        try:
            self._outbox.append(replace(entry, lines=transition_lines(transitions)))
        except StoreError:
            self._make_room()
            raise
        self._transitions.written(transitions)

    def _make_room(self) -> None:
        """Folds what InfluxDB has, so that its files can go before the next upkeep."""
        if self._sender.trouble is None:
            with suppress(StoreError):
                self._folding.step(everything=True)

    def _learn(self, timings: set[str]) -> None:
        if not timings <= self._timings:
            self._outbox.keep(_TIMINGS, " ".join(sorted(self._timings | timings)))
            self._timings |= timings

    def _ask(self, flux: str) -> Iterable[list[str]]:
        if problem := self._problem():
            raise StoreError(problem)
        return self._server.ask(flux)

    def _problem(self) -> str:
        """Why InfluxDB takes nothing, in a sentence; empty when it does."""
        if (trouble := self._sender.trouble) is None:
            return ""
        since = datetime.fromtimestamp(trouble.since_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f"store away since {since}: InfluxDB at {self._server.address.url} {trouble.why}; "
            f"{self._outbox.unsent_results} results wait in the outbox"
        )

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreError("the store is closed", permanent=True)


def influxdb_at(place: str) -> Callable[[StoreOptions], InfluxdbStore]:
    """What opens the store at `influxdb://` + `place`; raises StoreError where that cannot be one."""
    return partial(_open, parse_address(place, tls=False))


def influxdbs_at(place: str) -> Callable[[StoreOptions], InfluxdbStore]:
    """What opens the store at `influxdbs://` + `place`, over TLS; raises StoreError as above."""
    return partial(_open, parse_address(place, tls=True))


def _open(address: Address, options: StoreOptions) -> InfluxdbStore:
    server = Server(address, lambda: read_token(options.token_file), authorities=options.authorities)
    folder = options.outbox
    outbox = Outbox(folder, bounds_of(options.outbox_bytes))
    return InfluxdbStore(server, outbox, DeadLetters(folder / "refused.jsonl"))
