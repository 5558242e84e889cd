"""Packed days beside the outbox: used, dropped for late results, bounded, made again when they are lost."""

from contextlib import closing
from pathlib import Path

import pytest

from faultline_collector.stores.influxdb.accounts import Accounts
from faultline_collector.stores.influxdb.shelf import Shelf
from faultline_collector.stores.order import DAY_US, MINUTE_US
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US
from faultline_collector.stores.store import Store, StoreError
from faultline_collector.stores.summary import SummaryQuery, SummaryRow
from tests.collector.stores.influxdb.buckets import address_of, api
from tests.collector.stores.influxdb.conftest import Opens
from tests.collector.stores.rows import NOON_US, Row, kept_up, put
from tests.servers.influxdb import Organisation

TODAY = NOON_US // DAY_US
LATER_US = (TODAY + 1) * DAY_US
GROUPS = {"twitter-web": "twitter", "bank": "bank"}
QUESTIONS = (
    SummaryQuery((TODAY - 3) * DAY_US, LATER_US, FIVE_MINUTES_US, GROUPS, by_region=True),
    SummaryQuery((TODAY - 3) * DAY_US, LATER_US, 0, GROUPS, timing="total"),
)
ROWS = [
    Row(1, at_us=-2 * DAY_US),
    Row(2, at_us=-DAY_US, target="bank", outcome=5),
    Row(3, at_us=-DAY_US + MINUTE_US),
    Row(4, at_us=-DAY_US, agent="us-1", flags=1),
]


def rows(store: Store) -> list[list[SummaryRow]]:
    """Answers to all questions."""
    return [list(store.summary(question).rows()) for question in QUESTIONS]


def forget_cells(place: Organisation, url: str) -> None:
    """Deletes all roll-ups in InfluxDB behind the store's back."""
    address = address_of(url)
    with api(place) as client:
        client.post(
            "/api/v2/delete",
            params={"org": address.org, "bucket": address.rollups},
            json={"start": "2000-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"},
        ).raise_for_status()


def test_closed_days_are_answered_from_the_shelf(opens: Opens, influxdb: Organisation, url: str) -> None:
    """So that InfluxDB need not be asked for their cells, after a restart either."""
    store = opens(now_us=LATER_US)
    put(store, ROWS)
    expected = rows(store)
    kept_up(store)
    assert rows(store) == expected
    forget_cells(influxdb, url)
    assert rows(store) == expected
    assert rows(opens(now_us=LATER_US)) == expected


def test_a_late_result_counts_at_once_and_for_good(opens: Opens, influxdb: Organisation, url: str) -> None:
    """Its day is read from InfluxDB until it is packed again; the others stay packed."""
    store = opens(now_us=LATER_US)
    put(store, ROWS)
    kept_up(store)
    put(store, [Row(5, at_us=-DAY_US + 2 * MINUTE_US, outcome=2)])
    late = rows(store)
    assert sum(sum(row.outcomes) for row in late[0]) == len(ROWS)  # one of them is saturated
    kept_up(store)
    assert rows(store) == late
    store = opens(now_us=LATER_US + HOUR_US)
    kept_up(store)
    forget_cells(influxdb, url)
    assert rows(store) == late


def test_a_lost_shelf_is_made_again(opens: Opens, tmp_path: Path, influxdb: Organisation, url: str) -> None:
    """From the cells in InfluxDB, by upkeep."""
    store = opens(now_us=LATER_US)
    put(store, ROWS)
    expected = rows(store)
    kept_up(store)
    store.close()
    for file in (tmp_path / "outbox").glob("packed.db*"):
        file.unlink()
    store = opens(now_us=LATER_US)
    assert rows(store) == expected
    kept_up(store)
    forget_cells(influxdb, url)
    assert rows(store) == expected


def test_the_closed_hours_of_today_are_packed(opens: Opens, influxdb: Organisation, url: str) -> None:
    """What came less than two hours ago still changes and is read from InfluxDB, what came before is not."""
    now_us = NOON_US + 3 * HOUR_US + MINUTE_US
    store = opens(now_us=now_us)
    put(store, [Row(1, at_us=HOUR_US - 1), Row(2, at_us=HOUR_US)])
    expected = rows(store)
    kept_up(store)
    put(store, [Row(3, at_us=2 * HOUR_US), Row(4, at_us=-DAY_US)])
    kept_up(store)
    everything = rows(store)
    assert sum(len(row.outcomes) for row in everything[0]) > sum(len(row.outcomes) for row in expected[0])
    forget_cells(influxdb, url)
    packed_until = [row.start_us for row in rows(store)[0]]
    assert packed_until == [NOON_US - DAY_US, NOON_US + HOUR_US - FIVE_MINUTES_US]
    put(store, [Row(5, at_us=HOUR_US - 2)])
    assert sum(sum(row.outcomes) for row in rows(store)[0]) == 2


def test_days_beyond_retention_leave_the_shelf(opens: Opens, tmp_path: Path, url: str) -> None:
    """Nobody can ask for them any more."""
    store = opens(now_us=LATER_US)
    put(store, ROWS)
    kept_up(store)
    kept_up(store, NOON_US - DAY_US, NOON_US - DAY_US)
    store.close()
    address = address_of(url)
    epoch = Accounts(tmp_path / "outbox" / "accounts.db").marks()["epoch"]
    with closing(Shelf(tmp_path / "outbox" / "packed.db", f"{epoch} {address}")) as shelf:
        assert shelf.days() == {TODAY - 1: TODAY * DAY_US}


def test_a_full_shelf_drops_the_oldest_day(tmp_path: Path) -> None:
    """And tells which days have no room."""
    shelf = Shelf(tmp_path / "packed.db", "here", most_bytes=25)
    for day in (5, 7, 6):
        shelf.put(day, day, {(FIVE_MINUTES_US, ""): b"0123456789"})
    assert shelf.days() == {6: 6, 7: 7}
    assert [shelf.has_room_for(day) for day in (4, 5, 6, 8)] == [False, False, True, True]
    shelf.close()


def test_packs_of_another_store_are_thrown_away(tmp_path: Path) -> None:
    """Of another server, bucket or outbox; those of the same stay."""
    for origin, found in (("a", {}), ("a", {5: 6}), ("b", {})):
        shelf = Shelf(tmp_path / "packed.db", origin)
        assert shelf.days() == found
        shelf.put(5, 6, {(FIVE_MINUTES_US, ""): b"0123456789"})
        shelf.close()


def test_a_shelf_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With its path and what to do."""
    (tmp_path / "packed.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"packed.db cannot be used: .*; without it, it is made again"):
        Shelf(tmp_path / "packed.db", "here")
