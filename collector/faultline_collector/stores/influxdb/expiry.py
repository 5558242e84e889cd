"""Forgetting what was kept long enough. As a rule the buckets' own retention has done it before."""

from time import time_ns

from faultline_collector.stores.influxdb.lines import MEASUREMENT
from faultline_collector.stores.influxdb.outbox import Outbox
from faultline_collector.stores.influxdb.reading import days, days_query, extent, extent_query, flux_time
from faultline_collector.stores.influxdb.rollup_points import CELL, MEASUREMENTS
from faultline_collector.stores.influxdb.server import Ask, Server
from faultline_collector.stores.influxdb.shelf import Shelf
from faultline_collector.stores.order import DAY_US, LONG_AGO_US
from faultline_collector.stores.rollups import HOUR_US
from faultline_collector.stores.summary import Span

_DRAIN_S = 5.0
_RAW_FROM, _ROLLUPS_FROM = "raw_from", "rollups_from"


class Expiry:
    """Deletes whole days, and knows since when everything is kept (microseconds)."""

    def __init__(self, server: Server, outbox: Outbox, shelf: Shelf, ask: Ask) -> None:
        self._server = server
        self._shelf = shelf
        self._outbox = outbox
        self._ask = ask

    @property
    def raw_from_us(self) -> int:
        """All results that start here or later are kept."""
        return int(self._outbox.mark(_RAW_FROM) or LONG_AGO_US)

    @property
    def rollups_from_us(self) -> int:
        """All roll-ups that begin here or later are kept."""
        return int(self._outbox.mark(_ROLLUPS_FROM) or LONG_AGO_US)

    def expire(self, raw_before_us: int, rollups_before_us: int) -> int:
        """Forgets days that ended before; gives how many days of results. Raises StoreError."""
        self._advance(_RAW_FROM, raw_before_us)
        self._advance(_ROLLUPS_FROM, rollups_before_us)
        self._shelf.drop([day for day in self._shelf.days() if day * DAY_US < self.rollups_from_us])
        if not self._outbox.wait_until_sent(_DRAIN_S):
            return 0
        address = self._server.address
        days = self._forget(address.bucket, MEASUREMENT, "outcome", raw_before_us)
        self._forget(address.rollups, MEASUREMENTS[HOUR_US], CELL, rollups_before_us)
        return days

    def _advance(self, mark: str, before_us: int) -> None:
        from_us = before_us // DAY_US * DAY_US
        if from_us > int(self._outbox.mark(mark) or LONG_AGO_US):
            self._outbox.keep(mark, str(from_us))

    def _forget(self, bucket: str, measurement: str, field: str, before_us: int) -> int:
        kept_us = self._server.kept_us(bucket)
        if kept_us and time_ns() // 1000 - kept_us >= before_us - HOUR_US:
            return 0  # the bucket's retention does it, and drops files instead of deleting points
        old = Span(LONG_AGO_US, before_us // DAY_US * DAY_US)
        there = extent(self._ask(extent_query(bucket, old, measurement, field)))
        if not there:
            return 0
        first_us = min(span.since_us for span in there) // DAY_US * DAY_US
        gone = days(self._ask(days_query(bucket, Span(first_us, old.until_us), measurement, field)))
        self._server.delete(bucket, flux_time(first_us), flux_time(old.until_us - 1))
        return len(gone)
