"""`duckdb://PATH`: results in one file, one table a day, ranges in the same transaction.

Sources (agent, spool, place) and targets are whole numbers into small tables; details stand in the table of
the day, where DuckDB packs repeated texts itself and from where they go with the day. Roll-ups follow as
upkeep (`daily/folding.py`): a question adds what is not folded yet. A file belongs to one process.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from time import time_ns

import duckdb
import numpy as np

from faultline.ranges import Ranges
from faultline_collector.fleet import Fleet
from faultline_collector.results import ResultBatch, Source, empty_batch
from faultline_collector.stores.counting import added
from faultline_collector.stores.daily import rows, tables
from faultline_collector.stores.daily.asking import Asking, names_of
from faultline_collector.stores.daily.file import DuckdbFile
from faultline_collector.stores.daily.folding import SCHEMA as FOLDING
from faultline_collector.stores.daily.folding import STEP_RESULTS, Folding, read_state
from faultline_collector.stores.daily.keys import Keys, Words
from faultline_collector.stores.ledger import Ledger, merged
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.order import (
    FOREVER_US,
    PAGE_RESULTS,
    days_of,
    kept_timings,
    left_out,
    newest,
    pages,
)
from faultline_collector.stores.places import NOWHERE, Place, places_of
from faultline_collector.stores.plan import plan
from faultline_collector.stores.store import ReceivedRange, ResultQuery, StoreError, Upkeep
from faultline_collector.stores.summary import Summary, SummaryQuery

MAX_LOGGED_RANGES = 50_000
"""The table of ranges grows by every append; beyond so many rows it is written anew, merged."""

SECOND_US = 1_000_000


class DuckdbStore:
    """See `Store`."""

    def __init__(
        self,
        path: Path,
        max_logged_ranges: int = MAX_LOGGED_RANGES,
        step_results: int = STEP_RESULTS,
        clock: Callable[[], int] = lambda: time_ns() // 1000,
    ) -> None:
        self._max_logged = max_logged_ranges
        self._file = DuckdbFile(path)
        self._folding = Folding(self._file, clock, step_results)
        self._lock = Lock()
        self._in_step = False
        try:
            self._load()
        except StoreError:
            self._file.close()
            raise

    def append(self, results: ResultBatch, ranges: Sequence[ReceivedRange], fleet: Fleet) -> int:
        """See `Store`."""
        with self._lock:
            if not self._in_step:
                self._load()
            results, fresh = self._ledger.admit(results, ranges)
            if not fresh:
                return 0
            self._in_step = False
            places = places_of(fleet)
            with self._file.writing() as connection:
                missed = sum(self._write_day(connection, day, part, places) for day, part in days_of(results))
                self._write_ranges(connection, fresh, places)
            self._ledger.note(fresh)
            self._in_step = True
            return missed

    def received(self) -> dict[Source, Ranges]:
        """See `Store`."""
        with self._lock:
            return self._ledger.received()

    def results(self, query: ResultQuery) -> Iterator[ResultBatch]:
        """See `Store`; every page is a transaction of its own."""
        if query.latest:
            yield from pages(newest(self._fetch(query, 0, FOREVER_US)), query)
            return
        left = query.limit or FOREVER_US
        for first_us, last_us in self._receipts(query):
            for page in pages(self._fetch(query, first_us, last_us), replace(query, limit=left)):
                yield page
                left -= len(page)
            if not left:
                return

    def summary(self, query: SummaryQuery) -> Summary:
        """See `Store`."""
        with self._file.reading() as connection:
            state = read_state(connection)
            places = [Place(str(region), int(asn)) for region, asn in self._places.words()]
            names = names_of(query, [str(target) for (target,) in self._targets.words()], places)
            asking = Asking(connection, state, query, names)
            planned = plan(query, state.raw_from_us, state.rollups_from_us, state.hours_until_us)
            parts = [part for piece in planned.pieces for part in asking.piece(piece)]
            return replace(added(parts), rounded=planned.rounded)

    def upkeep(self, raw_before_us: int, rollups_before_us: int) -> Upkeep:
        """See `Store`; each day is closed some time after its end, when it gets its roll-ups of an hour."""
        more = self._folding.step()
        with self._lock:
            dropped = self._folding.forget(raw_before_us, rollups_before_us)
            for day in dropped:
                self._timings.pop(day, None)
        return Upkeep(len(dropped), more)

    def close(self) -> None:
        """See `Store`."""
        with self._lock:
            self._file.close()

    def ledger(self) -> list[ReceivedRange]:
        """Every range that was ever received, with its fate and reason, merged; for accounts and checks."""
        with self._lock, self._file.reading() as connection:
            return merged(rows.read_ranges(connection, self._sources))

    def _load(self) -> None:
        """Takes up what stands in the file; again after a failure, for a commit may fail when it is done."""
        with self._file.writing() as connection:
            if problem := tables.layout_problem(connection):
                raise StoreError(
                    f"the file {self._file.path} {problem}; this one reads layout {tables.LAYOUT}: "
                    "read it with the Faultline that wrote it, or move it away to begin anew",
                    permanent=True,
                )
            connection.execute(tables.SCHEMA + FOLDING)
            self._places = Keys(connection, "places", ("region", "asn"))
            self._sources = Keys(connection, "sources", ("agent", "spool", "place"))
            self._targets = Keys(connection, "targets", ("target",))
            ranges = rows.read_ranges(connection, self._sources)
        self._ledger = Ledger(ranges)
        self._logged = len(ranges)
        self._merge_at = max(self._max_logged, 2 * len(merged(ranges)))
        self._timings: dict[int, set[str]] = {}
        self._in_step = True

    def _write_day(
        self,
        connection: duckdb.DuckDBPyConnection,
        day: int,
        part: ResultBatch,
        places: Mapping[str, Place],
    ) -> int:
        known = self._timings.get(day)
        if known is None:
            known = self._timings[day] = tables.make_day(connection, day)
        timings = kept_timings(part, known)
        tables.add_timings(connection, day, sorted(set(timings) - known))
        known.update(timings)
        sources = self._source_words(connection, part.sources, places)
        targets = [(target,) for target in part.target_ids]
        columns = rows.day_columns(part, timings) | {
            "source": self._sources.column(connection, sources, part.source),
            "target": self._targets.column(connection, targets, part.target),
        }
        tables.insert(connection, tables.table_of(day), columns)
        return left_out(part, timings)

    def _write_ranges(
        self,
        connection: duckdb.DuckDBPyConnection,
        ranges: list[ReceivedRange],
        places: Mapping[str, Place],
    ) -> None:
        if self._logged + len(ranges) > self._merge_at:
            ranges = merged([*rows.read_ranges(connection, self._sources), *ranges])
            connection.execute("DROP TABLE ranges")
            connection.execute(tables.SCHEMA)
            self._logged = 0
            self._merge_at = max(self._max_logged, 2 * len(ranges))
        sources = self._source_words(connection, [item.source for item in ranges], places)
        keys = self._sources.column(connection, sources, np.arange(len(sources), dtype=np.int32))
        tables.insert(connection, "ranges", rows.range_columns(ranges, keys))
        self._logged += len(ranges)

    def _fetch(self, query: ResultQuery, first_us: int, last_us: int) -> ResultBatch:
        """The selected results that were received in [first_us, last_us), in no order."""
        with self._file.reading() as connection:
            selected = self._selected(connection, query)
            if selected is None:
                return empty_batch()
            asked = f"SELECT * {selected} AND received_us >= {first_us} AND received_us < {last_us}"
            if query.latest:
                connection.register("agent_codes", self._agent_codes())
                asked = tables.LATEST.format(selected=asked)
            found = connection.execute(asked).fetchnumpy()
        return rows.batch_of(found, self._sources.words(), self._targets.words())

    def _receipts(self, query: ResultQuery) -> Iterator[tuple[int, int]]:
        """Spans of receipt with about PAGE_RESULTS results each, in the order that the query asks for."""
        with self._file.reading() as connection:
            selected = self._selected(connection, query)
            if selected is None:
                return
            order = "DESC" if query.newest_first else "ASC"
            if 0 < query.limit <= PAGE_RESULTS:
                selected += _as_far_as_needed(connection, selected, query, order)
            counts = connection.execute(
                f"SELECT received_us // {SECOND_US}, count(*) {selected} GROUP BY 1 ORDER BY 1 {order}"
            ).fetchall()
        span: list[int] = []
        held = 0
        for second, count in counts:
            if span and held + count > PAGE_RESULTS:
                yield min(span) * SECOND_US, (max(span) + 1) * SECOND_US
                span, held = [], 0
            span.append(second)
            held += count
        if span:
            yield min(span) * SECOND_US, (max(span) + 1) * SECOND_US

    def _selected(self, connection: duckdb.DuckDBPyConnection, query: ResultQuery) -> str | None:
        """SQL's FROM and WHERE for the query; None when there is no table to look into."""
        days = tables.days(connection, query.since_us, query.until_us)
        if not days:
            return None
        conditions = [f"judged_us >= {query.since_us} AND judged_us < {query.until_us}"]
        if (agents := query.agent_ids) is not None:
            conditions.append(f"source IN ({tables.listed(self._sources.where(lambda w: w[0] in agents))})")
        if (targets := query.target_ids) is not None:
            conditions.append(f"target IN ({tables.listed(self._targets.where(lambda w: w[0] in targets))})")
        if query.families is not None:
            conditions.append(f"family IN ({tables.listed(sorted(query.families))})")
        return f"FROM {tables.union(days)} WHERE {' AND '.join(conditions)}"

    def _source_words(
        self,
        connection: duckdb.DuckDBPyConnection,
        sources: Sequence[Source],
        places: Mapping[str, Place],
    ) -> list[Words]:
        own = [places.get(source.agent_id, NOWHERE) for source in sources]
        keys = self._places.column(connection, own, np.arange(len(own), dtype=np.int32)).tolist()
        return [(source.agent_id, source.spool_id, key) for source, key in zip(sources, keys, strict=True)]

    def _agent_codes(self) -> tables.Columns:
        codes: dict[str, int] = {}
        return tables.pairs(
            "agent", [codes.setdefault(str(agent), len(codes)) for agent, *_ in self._sources.words()]
        )


def duckdb_at(place: str) -> Callable[[StoreOptions], DuckdbStore]:
    """What opens the store in the file at `place`; raises StoreError where that names none."""
    if not place or place.endswith("/"):
        raise StoreError(
            f"duckdb://{place} names no file; duckdb:///var/lib/faultline/results.duckdb does",
            permanent=True,
        )
    return lambda _: DuckdbStore(Path(place))


def _as_far_as_needed(
    connection: duckdb.DuckDBPyConnection, selected: str, query: ResultQuery, order: str
) -> str:
    """SQL that leaves out receipts beyond the limit, so that not all have to be counted."""
    last = f"SELECT received_us {selected} ORDER BY received_us {order} LIMIT {query.limit}"
    edge = "min" if query.newest_first else "max"
    found = connection.execute(f"SELECT {edge}(received_us) FROM ({last})").fetchall()  # noqa: S608
    if found[0][0] is None:
        return ""
    second = found[0][0] // SECOND_US * SECOND_US
    if query.newest_first:
        return f" AND received_us >= {second}"
    return f" AND received_us < {second + SECOND_US}"
