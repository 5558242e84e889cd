"""From a store's summary to the figures that people read. Pure.

A region where nothing is known has no figure: it leaves all means, and lowers the coverage beside them. The
weighted mean is over regions, each with its configured weight, however many agents and probes it has.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from faultline_collector.api.scope import Key, Scope, key_of
from faultline_collector.stores.counting import without_regions
from faultline_collector.stores.rollups import percentile_us, timed
from faultline_collector.stores.summary import Summary

T = TypeVar("T")

STEPS_AT_ONCE_S = 3600
"""So much time of roll-ups is asked of the store at once."""


class Steps(NamedTuple):
    """The steps of a window: where they begin, and where the last one ends."""

    starts: range
    until_us: int

    def width_us(self, start_us: int) -> int:
        """How long a step is; the last may be shorter."""
        return min(self.starts.step, self.until_us - start_us)


def cell_steps(since_us: int, until_us: int, width_us: int) -> Iterator[Steps]:
    """Steps as wide as cells, some at a time; the window is widened to whole cells."""
    starts = range(since_us // width_us * width_us, until_us, width_us)
    at_once = max(1, STEPS_AT_ONCE_S * 1_000_000 // width_us)
    for first in range(0, len(starts), at_once):
        some = starts[first : first + at_once]
        yield Steps(some, some.start + len(some) * width_us)


@dataclass(frozen=True, slots=True)
class AvailabilityRow:
    """One step of what `key` is about. Shares are None where nothing is known.

    `coverage` is the share of time that is known, over all regions of the row; `weighted` the mean over its
    regions; `worst` the least of them, in `worst_region`. A row of one region has no others to compare.
    """

    key: Key
    start_us: int
    ok: int
    failed: int
    unknown: int
    coverage: float
    weighted: float | None = None
    worst: float | None = None
    worst_region: str = ""

    @property
    def availability(self) -> float | None:
        """The share of good results among those that tell something."""
        return _share(self.ok, self.failed)


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One step of what `key` is about: percentiles of a timing over good results, microseconds.

    They are -1 where there is none. `weighted_p50_us` is the mean of the regions' medians, `worst_p95_us` the
    greatest of their 95th percentiles.
    """

    key: Key
    start_us: int
    count: int
    coverage: float
    p50_us: int
    p95_us: int
    p99_us: int
    weighted_p50_us: int = -1
    worst_p95_us: int = -1
    worst_region: str = ""


class _Counts(NamedTuple):
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    known_us: int = 0


class _Timed(NamedTuple):
    known_us: int = 0
    number: int = 0
    p50_us: int = -1
    p95_us: int = -1
    p99_us: int = -1


def availability_rows(
    found: Summary, scope: Scope, steps: Steps, weights: Mapping[str, float]
) -> Iterator[AvailabilityRow]:
    """A row for every key and step, also where nothing is known, in order of both."""
    columns = (found.ok, found.failed, found.unknown, found.known_us)
    cells = _by_place(found, map(_Counts._make, zip(*(column.tolist() for column in columns), strict=True)))
    nothing = _Counts()
    for key, parts in _keys(found, scope):
        for start_us in steps.starts:
            seen = [cells.get((part, start_us), nothing) for part in parts]
            ok, failed, unknown, known_us = map(sum, zip(*seen, strict=True))
            coverage = _coverage(known_us, steps.width_us(start_us) * len(parts))
            row = AvailabilityRow(key, start_us, ok, failed, unknown, coverage)
            if "region" not in scope.by:
                shares = {part.region: _share(c.ok, c.failed) for part, c in zip(parts, seen, strict=True)}
                known = {region: share for region, share in shares.items() if share is not None}
                worst = min(known, key=lambda region: known[region], default="")
                row = replace(row, weighted=_mean(known, weights), worst=known.get(worst), worst_region=worst)
            yield row


def latency_rows(
    found: Summary, scope: Scope, steps: Steps, weights: Mapping[str, float]
) -> Iterator[LatencyRow]:
    """A row for every key and step, also where nothing is known, in order of both."""
    cells = _by_place(found, _timed(found))
    whole = without_regions(found)
    totals = cells if "region" in scope.by else _by_place(whole, _timed(whole))
    nothing = _Timed()
    for key, parts in _keys(found, scope):
        for start_us in steps.starts:
            total = totals.get((key, start_us), nothing)
            seen = {part.region: cells.get((part, start_us), nothing) for part in parts}
            coverage = _coverage(
                sum(cell.known_us for cell in seen.values()), steps.width_us(start_us) * len(parts)
            )
            row = LatencyRow(key, start_us, total.number, coverage, total.p50_us, total.p95_us, total.p99_us)
            if "region" not in scope.by and total.number:
                known = {region: cell for region, cell in seen.items() if cell.number}
                worst = max(known, key=lambda region: known[region].p95_us)
                medians = {region: float(cell.p50_us) for region, cell in known.items()}
                row = replace(
                    row,
                    weighted_p50_us=round(_mean(medians, weights) or 0),
                    worst_p95_us=known[worst].p95_us,
                    worst_region=worst,
                )
            yield row


def _timed(found: Summary) -> Iterator[_Timed]:
    columns = (found.known_us, timed(found), *(percentile_us(found, share) for share in (0.5, 0.95, 0.99)))
    return map(_Timed._make, zip(*(column.tolist() for column in columns), strict=True))


def _by_place(found: Summary, cells: Iterable[T]) -> dict[tuple[Key, int], T]:
    """What stands in each row of a summary, by its key and the start of its step."""
    columns = (found.group, found.region, found.asn, found.family, found.start_us)
    keys: dict[tuple[int, ...], Key] = {}
    out = {}
    for *codes, start_us, cell in zip(*(column.tolist() for column in columns), cells, strict=True):
        group, region, asn, family = codes
        key = keys.get((group, region, asn, family))
        if key is None:
            key = key_of(found.groups[group], found.regions[region], asn, family)
            keys[group, region, asn, family] = key
        out[key, start_us] = cell
    return out


def _keys(found: Summary, scope: Scope) -> list[tuple[Key, list[Key]]]:
    """The key of each row, and the keys by region of what it is made of: what is expected, what is found."""
    rows = zip(*(c.tolist() for c in (found.group, found.region, found.asn, found.family)), strict=True)
    wanted = {
        key_of(found.groups[group], found.regions[region], asn, family)
        for group, region, asn, family in set(rows)
    }
    families: dict[Key, set[int]] = {}
    for key in wanted:
        families.setdefault(key._replace(region="", family=0), set()).add(key.family)
    for key in scope.expected:
        wanted |= {key._replace(family=f) for f in families.get(key._replace(region=""), {0})}
    out: dict[Key, list[Key]] = {}
    for key in sorted(wanted):
        out.setdefault(key if "region" in scope.by else key._replace(region=""), []).append(key)
    return sorted(out.items())


def _share(ok: int, failed: int) -> float | None:
    return ok / (ok + failed) if ok + failed else None


def _coverage(known_us: int, whole_us: int) -> float:
    return min(1.0, known_us / whole_us)


def _mean(by_region: Mapping[str, float], weights: Mapping[str, float]) -> float | None:
    """The mean, by weight; a region that has none in the configuration weighs 1."""
    weighed = [(weights.get(region, 1.0), figure) for region, figure in by_region.items()]
    whole = sum(weight for weight, _ in weighed)
    return sum(weight * figure for weight, figure in weighed) / whole if whole else None
