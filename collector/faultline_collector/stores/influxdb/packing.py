"""Closed days out of InfluxDB onto the shelf."""

from collections.abc import Callable, Mapping, Sequence

from faultline_collector.stores.influxdb.reading import days, days_query, extent, extent_query
from faultline_collector.stores.influxdb.rollup_points import (
    CELL,
    MEASUREMENTS,
    cells_query,
    without_roles,
    written_cells,
)
from faultline_collector.stores.influxdb.server import Ask
from faultline_collector.stores.influxdb.shelf import Shelf
from faultline_collector.stores.order import DAY_US, FOREVER_US, LONG_AGO_US
from faultline_collector.stores.packed import BINS_WIDTH_US, SETTLE_US, encoded, encoded_bins, packed
from faultline_collector.stores.packed_counting import Packed
from faultline_collector.stores.rollups import HOUR_US, WIDTHS_US, merged
from faultline_collector.stores.summary import Span

Packs = Mapping[tuple[int, str], bytes]


class Packing:
    """Packs days once they are closed; while it works, nobody may write cells."""

    def __init__(self, bucket: str, shelf: Shelf, ask: Ask, clock: Callable[[], int]) -> None:
        self._bucket = bucket
        self._shelf = shelf
        self._ask = ask
        self._clock = clock
        self._loose: set[int] | None = None

    def loosen(self, some: set[int]) -> None:
        """Forgets the packs of days of which cells are about to be written; raises StoreError."""
        self._shelf.drop(some)
        if self._loose is not None:
            self._loose |= some

    def days(self) -> list[int]:
        """The days that are packed, in order."""
        return self._shelf.days()

    def read(self, width_us: int, some: Sequence[int], timing: str) -> Mapping[int, Packed]:
        """See `Packs`."""
        return self._shelf.read(width_us, some, timing)

    def step(self) -> bool:
        """Packs the newest closed day that is not packed; whether there are more. Raises StoreError."""
        if self._loose is None:
            self._loose = set(self._stored()) - set(self._shelf.days())
        before = (self._clock() - SETTLE_US) // DAY_US
        ripe = {day for day in self._loose if day < before and self._shelf.has_room_for(day)}
        if not ripe:
            return False
        day = max(ripe)
        self._shelf.put(day, self._packs(day))
        self._loose.discard(day)
        return len(ripe) > 1

    def _stored(self) -> list[int]:
        """The days of which InfluxDB has cells."""
        measurement, ever = MEASUREMENTS[HOUR_US], Span(LONG_AGO_US, FOREVER_US)
        ends = extent(self._ask(extent_query(self._bucket, ever, measurement, CELL)))
        if not ends:
            return []
        span = Span(min(end.since_us for end in ends), max(end.until_us for end in ends))
        return days(self._ask(days_query(self._bucket, span, measurement, CELL)))

    def _packs(self, day: int) -> Packs:
        found: dict[tuple[int, str], bytes] = {}
        span = Span(day * DAY_US, (day + 1) * DAY_US)
        for width_us in WIDTHS_US:
            timings = None if width_us == BINS_WIDTH_US else ()
            rows = self._ask(cells_query(self._bucket, width_us, span, timings))
            parts = [without_roles(written.cells) for written in written_cells(rows, width_us)]
            if parts:
                whole, bins = packed(merged(parts), day)
                found[width_us, ""] = encoded(whole)
                found |= {(width_us, timing): encoded_bins(own) for timing, own in bins.items()}
        return found
