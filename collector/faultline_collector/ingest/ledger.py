"""Which sequences have come, by source: the memory that tells a resend from a result."""

from collections.abc import Mapping

from faultline.ranges import Ranges
from faultline_collector.results import Source


class Ledger:
    """Keeps what was taken (durable or on its way there) apart from what is durable."""

    def __init__(self, received: Mapping[Source, Ranges]) -> None:
        self._durable = {source: ranges.copy() for source, ranges in received.items()}
        self._taken = {source: ranges.copy() for source, ranges in received.items()}

    def missing(self, source: Source, first: int, last: int) -> Ranges:
        """What of first..last has not come yet."""
        return self._taken.get(source, Ranges()).missing(first, last)

    def take(self, source: Source, first: int, last: int) -> None:
        """Notes that all of first..last has come."""
        self._taken.setdefault(source, Ranges()).add(first, last)

    def settle(self, source: Source, first: int, last: int) -> None:
        """Notes that all of first..last is durable."""
        self._durable.setdefault(source, Ranges()).add(first, last)

    def held(self, source: Source, wanted: Ranges) -> Ranges:
        """What of `wanted` is durable."""
        held, durable = Ranges(), self._durable.get(source, Ranges())
        for first, last in wanted:
            held.update(durable.within(first, last))
        return held

    def highest(self, source: Source) -> int:
        """The highest sequence that ever came, 0 for none."""
        taken = self._taken.get(source)
        return 0 if taken is None else taken.highest
