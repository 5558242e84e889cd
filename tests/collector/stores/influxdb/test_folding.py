"""When cells are written to InfluxDB: as a rule once, and no answer depends on it."""

from contextlib import closing
from dataclasses import fields

import numpy as np

from faultline_collector.results import ResultBatch
from faultline_collector.stores.influxdb.lines import BACKLOG, RECORD
from faultline_collector.stores.influxdb.outbox import Bounds
from faultline_collector.stores.influxdb.reading import records, records_query
from faultline_collector.stores.influxdb.rollup_points import cells_query, without_roles, written_cells
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.order import DAY_US, MINUTE_US
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US, Cells, fold, merged
from faultline_collector.stores.store import ReceivedRange, Store
from faultline_collector.stores.summary import Span, SummaryQuery, SummaryRow
from tests.collector.stores.influxdb.buckets import address_of
from tests.collector.stores.influxdb.conftest import Opens, drained, until
from tests.collector.stores.rows import FLEET, NOON_US, Row, kept_up, many, put
from tests.servers.influxdb import Organisation

SPAN = Span(NOON_US - HOUR_US, NOON_US + DAY_US)
ENDED_US = NOON_US + FIVE_MINUTES_US


def told(store: Store) -> list[list[SummaryRow]]:
    """Availability and latency, by five minutes and by the hour."""
    return [
        list(store.summary(SummaryQuery(*SPAN, width_us, {"twitter-web": "t"}, timing="total")).rows())
        for width_us in (FIVE_MINUTES_US, HOUR_US)
    ]


def counted(influxdb: Organisation, url: str) -> int:
    """How many results the cells in InfluxDB count, the same by five minutes and by the hour."""
    address = address_of(url)
    with closing(Server(address, lambda: influxdb.token)) as server:
        sums = {
            width_us: sum(
                int(written.cells.outcomes.sum())
                for written in written_cells(
                    server.ask(cells_query(address.rollups, width_us, SPAN, ())), width_us
                )
            )
            for width_us in (FIVE_MINUTES_US, HOUR_US)
        }
    assert len(set(sums.values())) == 1, sums
    return sums[HOUR_US]


def filled(store: InfluxdbStore, first: int = 1) -> list[list[SummaryRow]]:
    """Two results, in appends of their own, and then another; what the store answers each time."""
    answers = []
    for number in range(first, first + 3):
        put(store, [Row(number, at_us=number * MINUTE_US // 2, timings_us={"total": number * 1000})])
        answers.append(told(store))
        kept_up(store)
        assert told(store) == answers[-1]
    until(lambda: drained(store))
    return answers[-1]


def test_five_minutes_are_written_when_they_have_ended(
    opens: Opens, influxdb: Organisation, url: str
) -> None:
    """Until then they are held in memory; answers are the same before, after, and after a restart."""
    store = opens(now_us=ENDED_US - 1)
    expected = filled(store)
    assert [sum(sum(row.outcomes) for row in rows) for rows in expected] == [3, 3]
    assert counted(influxdb, url) == 0
    store = opens(now_us=ENDED_US - 1)
    kept_up(store)
    assert (told(store), counted(influxdb, url)) == (expected, 0)
    store = opens(now_us=ENDED_US)
    kept_up(store)
    assert (told(store), counted(influxdb, url)) == (expected, 3)


def test_a_clock_that_is_ahead_holds_nothing_up(opens: Opens, influxdb: Organisation, url: str) -> None:
    """A result of far in the future is written at once, with what came before it."""
    store = opens(now_us=ENDED_US)
    put(store, [Row(1), Row(2, at_us=HOUR_US)])
    kept_up(store)
    assert counted(influxdb, url) == 2


def test_what_came_late_goes_with_what_came_before(opens: Opens, influxdb: Organisation, url: str) -> None:
    """Entries are counted in their order: one that goes on holds up those behind it for five minutes."""
    store = opens(now_us=ENDED_US)
    put(store, [Row(1, at_us=-MINUTE_US)])
    put(store, [Row(2, at_us=FIVE_MINUTES_US)])
    put(store, [Row(3, at_us=-MINUTE_US)])
    expected = told(store)
    kept_up(store)
    assert (told(store), counted(influxdb, url)) == (expected, 1)
    store = opens(now_us=ENDED_US + FIVE_MINUTES_US)
    kept_up(store)
    assert (told(store), counted(influxdb, url)) == (expected, 3)


def test_cells_are_what_the_results_in_influxdb_come_to(
    opens: Opens, influxdb: Organisation, url: str
) -> None:
    """Folded again from what was sent, they are the same to the last count, late results and all."""
    store = opens(now_us=NOON_US + DAY_US // 2)
    for first, at_us in ((1, 0), (301, HOUR_US // 2), (601, FIVE_MINUTES_US // 2)):
        row = Row(first, at_us=at_us, timings_us={"total": 900 * first, "dns": first})
        put_batch(store, many(first, 300, row))
        kept_up(store)
    until(lambda: drained(store))
    address = address_of(url)
    with closing(Server(address, lambda: influxdb.token)) as server:
        results = records(server.ask(records_query(address.bucket, (RECORD, BACKLOG), SPAN, ())))
        for width_us in (FIVE_MINUTES_US, HOUR_US):
            rows = server.ask(cells_query(address.rollups, width_us, SPAN, None))
            cells = merged([without_roles(written.cells) for written in written_cells(rows, width_us)])
            assert_same(cells, merged([fold(results, width_us)]))


def assert_same(some: Cells, others: Cells) -> None:
    """Every column is equal."""
    for column in fields(Cells):
        assert np.array_equal(getattr(some, column.name), getattr(others, column.name)), column.name


def put_batch(store: Store, results: ResultBatch) -> None:
    """Appends results of one source that follow each other."""
    first, last = int(results.sequence[0]), int(results.sequence[-1])
    assert store.append(results, [ReceivedRange(results.sources[0], first, last)], FLEET) == 0


def test_an_outbox_that_fills_waits_for_nothing(opens: Opens, influxdb: Organisation, url: str) -> None:
    """When half of it is taken, everything is written, so that its files can go."""
    store = opens(now_us=ENDED_US - 1, bounds=Bounds(most_bytes=1400, segment_bytes=100, reserve_bytes=0))
    expected = filled(store)
    assert (told(store), counted(influxdb, url)) == (expected, 3)
