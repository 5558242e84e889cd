"""Days out of InfluxDB onto the shelf: closed ones, and of the one that goes on its closed hours."""

from collections.abc import Callable, Iterable, Mapping, Sequence

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
from faultline_collector.stores.packed import (
    AGAIN_US,
    BINS_WIDTH_US,
    SETTLE_US,
    encoded,
    encoded_bins,
    packed,
)
from faultline_collector.stores.packed_counting import Packed
from faultline_collector.stores.rollups import HOUR_US, WIDTHS_US, merged
from faultline_collector.stores.summary import Span

Packs = Mapping[tuple[int, str], bytes]


class Packing:
    """Packs what has settled; while it works, nobody may write cells."""

    def __init__(self, bucket: str, shelf: Shelf, ask: Ask, clock: Callable[[], int]) -> None:
        self._bucket = bucket
        self._shelf = shelf
        self._ask = ask
        self._clock = clock
        self._loose: set[int] | None = None
        self._packed_us: dict[int, int] = {}

    def loosen(self, starts_us: Iterable[int]) -> None:
        """Forgets the packs that hold cells which are about to be written; raises StoreError."""
        first: dict[int, int] = {}
        for start_us in starts_us:
            day = start_us // DAY_US
            first[day] = min(start_us, first.get(day, start_us))
        packed_until = self._shelf.days()
        self._shelf.drop([day for day, at_us in first.items() if at_us < packed_until.get(day, at_us)])
        if self._loose is not None:
            self._loose |= set(first)

    def days(self) -> dict[int, int]:
        """The days that are packed, and until when each is, in order."""
        return self._shelf.days()

    def read(self, width_us: int, some: Sequence[int], timing: str) -> Mapping[int, Packed]:
        """See `Packs`."""
        return self._shelf.read(width_us, some, timing)

    def step(self) -> bool:
        """Packs the newest day of which more has settled than is packed; whether there are more.

        Raises StoreError.
        """
        if self._loose is None:
            whole = {day for day, until_us in self._shelf.days().items() if until_us == (day + 1) * DAY_US}
            self._loose = set(self._stored()) - whole
        now_us = self._clock()
        settled_us = (now_us - SETTLE_US) // HOUR_US * HOUR_US
        there = self._shelf.days()
        ripe = {
            day: until_us
            for day in self._loose
            for until_us in (min((day + 1) * DAY_US, settled_us),)
            if until_us > there.get(day, day * DAY_US)
            and self._shelf.has_room_for(day)
            and now_us >= self._packed_us.get(day, LONG_AGO_US) + AGAIN_US
        }
        if not ripe:
            return False
        day = max(ripe)
        self._packed_us[day] = now_us
        self._shelf.put(day, ripe[day], self._packs(day, ripe[day]))
        if ripe[day] == (day + 1) * DAY_US:
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

    def _packs(self, day: int, until_us: int) -> Packs:
        found: dict[tuple[int, str], bytes] = {}
        span = Span(day * DAY_US, until_us)
        for width_us in WIDTHS_US:
            timings = None if width_us == BINS_WIDTH_US else ()
            rows = self._ask(cells_query(self._bucket, width_us, span, timings))
            parts = [without_roles(written.cells) for written in written_cells(rows, width_us)]
            if parts:
                whole, bins = packed(merged(parts), day, until_us)
                found[width_us, ""] = encoded(whole)
                found |= {(width_us, timing): encoded_bins(own) for timing, own in bins.items()}
        return found
