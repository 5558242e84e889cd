"""What history is asked, and what it answers: counts, known time and timings by group and step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.results import Int32, Int64

OUTCOMES = len(Outcome)
"""Columns of `Summary.outcomes`, in the order of `Outcome`: results of outcome o stand in column o - 1."""


@dataclass(frozen=True, slots=True)
class SummaryQuery:
    """Asks for counts by group and step of scheduled results whose start lies in [since_us, until_us).

    A target belongs to the group that `target_groups` gives it; results of others are left out, as are those
    of regions, networks and families that are not among the given (None stands for all). The place of an
    agent is that of the moment of storing. `step_us` divides the window from `since_us` on, 0 is the whole
    window. `timing` names the timing of which histograms are wanted, empty for none.
    """

    since_us: int
    until_us: int
    step_us: int
    target_groups: Mapping[str, str]
    regions: frozenset[str] | None = None
    asns: frozenset[int] | None = None
    families: frozenset[int] | None = None
    by_region: bool = False
    by_network: bool = False
    by_family: bool = False
    timing: str = ""

    @property
    def width_us(self) -> int:
        """The width of a step."""
        return self.step_us or max(1, self.until_us - self.since_us)

    def selects(self, region: str, asn: int) -> bool:
        """Whether agents at such a place are asked for."""
        return (self.regions is None or region in self.regions) and (self.asns is None or asn in self.asns)


class Span(NamedTuple):
    """Time from `since_us` until before `until_us`."""

    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One row of a `Summary`, for those who read few."""

    group: str
    region: str
    asn: int
    family: int
    start_us: int
    outcomes: tuple[int, ...]
    saturated: int
    known_us: int
    histogram: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """n rows as columns, only where there is at least one result, ordered by all keys.

    `group` and `region` are places in `groups` and `regions`, both sorted; region "", ASN 0 and family 0
    stand where the query did not ask to divide by them. `outcomes` (n, 8) counts unsaturated results,
    `saturated` the others. `known_us` is the union of the minutes with a result that tells something (not
    saturated, not inconclusive), within step and window. The histogram holds, by row and bin
    (`rollups.bin_of`), how many good unsaturated results have the timing in that bin; sorted by both.

    `rounded` are the spans in which only roll-ups are left, and an edge cuts a cell: it counts where it
    begins, whole, so that there `known_us` may be longer than its step.
    """

    groups: tuple[str, ...]
    group: Int32
    regions: tuple[str, ...]
    region: Int32
    asn: Int64
    family: Int64
    start_us: Int64
    outcomes: Int64
    saturated: Int64
    known_us: Int64
    bin_row: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    bin: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    bin_count: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    rounded: tuple[Span, ...] = ()

    def __len__(self) -> int:
        return len(self.start_us)

    @property
    def ok(self) -> Int64:
        """Good results."""
        return self.outcomes[:, Outcome.OK - 1]

    @property
    def unknown(self) -> Int64:
        """Results that tell nothing."""
        return self.outcomes[:, Outcome.INCONCLUSIVE - 1] + self.saturated

    @property
    def failed(self) -> Int64:
        """Results that speak against the target."""
        counted: Int64 = self.outcomes.sum(axis=1) - self.ok - self.outcomes[:, Outcome.INCONCLUSIVE - 1]
        return counted

    def rows(self) -> Iterator[SummaryRow]:
        """Row by row."""
        pairs = list(zip(self.bin.tolist(), self.bin_count.tolist(), strict=True))
        ends = np.searchsorted(self.bin_row, np.arange(len(self) + 1)).tolist()
        columns = (self.asn, self.family, self.start_us, self.outcomes, self.saturated, self.known_us)
        keys = zip(self.group.tolist(), self.region.tolist(), *(c.tolist() for c in columns), strict=True)
        for i, (group, region, asn, family, start, outcomes, saturated, known) in enumerate(keys):
            yield SummaryRow(
                self.groups[group], self.regions[region], asn, family, start, tuple(outcomes), saturated,
                known, tuple(pairs[ends[i] : ends[i + 1]]),
            )  # fmt: skip


def empty_summary() -> Summary:
    """No rows."""
    codes, numbers = np.empty(0, np.int32), np.empty(0, np.int64)
    counts = np.empty((0, OUTCOMES), np.int64)
    return Summary((), codes, (), codes, numbers, numbers, numbers, counts, numbers, numbers)
