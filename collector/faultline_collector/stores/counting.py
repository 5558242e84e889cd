"""Summaries counted in numpy, from results or from roll-ups. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED
from faultline_collector.results import Int32, Int64, Mask
from faultline_collector.stores.order import MINUTE_US
from faultline_collector.stores.places import Place, PlacedResults
from faultline_collector.stores.rollups import (
    Cells,
    bin_of,
    code_of,
    good,
    one_each,
    saturated,
    scheduled,
    told,
)
from faultline_collector.stores.summary import OUTCOMES, Span, Summary, SummaryQuery, empty_summary


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    """What is to be summed up, by the keys of a summary; a bin of -1 has no part in the histogram."""

    keys: tuple[Int64, ...]  # group, region, ASN, family, start of the step
    outcomes: Int64
    saturated: Int64
    known_us: Int64


@dataclass(frozen=True, slots=True, eq=False)
class _Binned:
    """Counts of bins by the keys of a summary."""

    keys: tuple[Int64, ...]
    bin: Int64
    count: Int64


def count_results(placed: PlacedResults, query: SummaryQuery, span: Span) -> Summary:
    """What the scheduled results that start in the span give, by the steps of the query."""
    results, judged = placed.results, placed.results.judged_us
    names = Names(query, placed.places)
    keys, keep = names.keys(results.target_ids, results.target, placed.place, results.family)
    keep &= scheduled(results) & (judged >= span.since_us) & (judged < span.until_us)
    keys, results, judged = _at(keys, keep), results.select(keep), judged[keep]
    keys = (*keys, steps_of(judged, query))
    counted = _Items(keys, one_each(results), saturated(results).astype(np.int64), np.zeros_like(judged))
    known = told(results)
    minutes = _known_minutes(_at(keys, known), judged[known], query)
    timing = results.timings_us.get(query.timing)
    if timing is None:
        return _total(names.groups, names.regions, [counted, minutes], [])
    measured = good(results) & (timing != NOT_REACHED)
    bins = bin_of(timing[measured])
    binned = _Binned(_at(keys, measured), bins, np.ones_like(bins))
    return _total(names.groups, names.regions, [counted, minutes], [binned])


def count_cells(cells: Cells, query: SummaryQuery, span: Span) -> Summary:
    """What the cells that begin in the span give: each counts, whole, in the step in which it begins.

    Partial cells may stand beside each other; the minutes of equal ones are united.
    """
    names = Names(query, cells.places)
    keys, keep = names.keys(cells.target_ids, cells.target, cells.place, cells.family)
    keep &= (cells.start_us >= span.since_us) & (cells.start_us < span.until_us)
    keys = (*keys, steps_of(cells.start_us, query))
    counted = _Items(
        _at(keys, keep), cells.outcomes[keep], cells.saturated[keep], np.zeros(keep.sum(), np.int64)
    )
    minutes = _known_cells(_at(keys, keep), cells.start_us[keep], cells.minutes[keep])
    if query.timing not in cells.timings:
        return _total(names.groups, names.regions, [counted, minutes], [])
    wanted = keep[cells.bin_cell] & (cells.bin_timing == cells.timings.index(query.timing))
    binned = _Binned(_at(keys, cells.bin_cell[wanted]), cells.bin[wanted], cells.bin_count[wanted])
    return _total(names.groups, names.regions, [counted, minutes], [binned])


def added(parts: Sequence[Summary]) -> Summary:
    """The sum of summaries of one query that have no minute in common."""
    if not parts:
        return empty_summary()
    if len(parts) == 1:
        return parts[0]
    groups = tuple(sorted({name for part in parts for name in part.groups}))
    regions = tuple(sorted({name for part in parts for name in part.regions}))
    items, binned = [], []
    for part in parts:
        group = _recoded(part.groups, groups)[part.group]
        region = _recoded(part.regions, regions)[part.region]
        keys = (group, region, part.asn, part.family, part.start_us)
        items.append(_Items(keys, part.outcomes, part.saturated, part.known_us))
        binned.append(_Binned(_at(keys, part.bin_row), part.bin, part.bin_count))
    rounded = tuple(sorted({span for part in parts for span in part.rounded}))
    return _total(groups, regions, items, binned, rounded)


def without_regions(summary: Summary) -> Summary:
    """The sum over all regions; known time is added up, so that it is that of every region together."""
    keys = (
        summary.group.astype(np.int64),
        np.zeros(len(summary), np.int64),
        summary.asn,
        summary.family,
        summary.start_us,
    )
    items = _Items(keys, summary.outcomes, summary.saturated, summary.known_us)
    binned = _Binned(_at(keys, summary.bin_row), summary.bin, summary.bin_count)
    return _total(summary.groups, ("",), [items], [binned], summary.rounded)


class Names:
    """The names of a summary's groups and regions in order, and the keys that items get by them."""

    def __init__(self, query: SummaryQuery, places: Sequence[Place]) -> None:
        self._query = query
        self._places = places
        self.groups = tuple(sorted(set(query.target_groups.values())))
        self.regions = tuple(sorted({place.region for place in places})) if query.by_region else ("",)

    def keys(
        self, target_ids: Sequence[str], target: Int32, place: Int32, family: npt.NDArray[Any]
    ) -> tuple[tuple[Int64, ...], Mask]:
        """Group, region, ASN and family of each item, and which items the query selects by them."""
        query = self._query
        codes = {name: code for code, name in enumerate(self.groups)}
        groups = query.target_groups
        grouped = np.array([codes[groups[t]] if t in groups else -1 for t in target_ids], np.int64)
        group = grouped[target]
        regions = {name: code for code, name in enumerate(self.regions)}
        region = np.array([regions[p.region] if query.by_region else 0 for p in self._places], np.int64)
        asn = np.array([p.asn if query.by_network else 0 for p in self._places], np.int64)
        wanted = np.array([query.selects(p.region, p.asn) for p in self._places], np.bool_)
        keep: Mask = (group >= 0) & wanted[place]
        if query.families is not None:
            keep &= np.isin(family, sorted(query.families))
        families = family.astype(np.int64) if query.by_family else np.zeros(len(family), np.int64)
        return (group, region[place], asn[place], families), keep


def _at(keys: tuple[Int64, ...], index: npt.NDArray[Any]) -> tuple[Int64, ...]:
    return tuple(column[index] for column in keys)


def steps_of(at_us: Int64, query: SummaryQuery) -> Int64:
    """The start of the step in which each time lies."""
    return query.since_us + (at_us - query.since_us) // query.width_us * query.width_us


def _recoded(names: Sequence[str], among: Sequence[str]) -> Int64:
    return np.array([among.index(name) for name in names], np.int64)


def _known_minutes(keys: tuple[Int64, ...], judged: Int64, query: SummaryQuery) -> _Items:
    """The minutes in which something was told, each once by its keys, with what of it lies in its step."""
    begin = judged // MINUTE_US * MINUTE_US
    _, first = np.unique(code_of((*keys, begin // MINUTE_US)), return_index=True)
    keys, begin = _at(keys, first), begin[first]
    step = keys[-1]
    end = np.minimum(np.minimum(begin + MINUTE_US, step + query.width_us), query.until_us)
    return _only_known(keys, end - np.maximum(begin, step))


def _known_cells(keys: tuple[Int64, ...], start_us: Int64, minutes: npt.NDArray[np.uint64]) -> _Items:
    """The minutes of each cell time in which something was told, united over all that have the same keys."""
    if not len(start_us):
        return _only_known(keys, np.empty(0, np.int64))
    code = code_of((*keys, start_us))
    order = np.argsort(code, kind="stable")
    first = np.flatnonzero(np.concatenate(([True], np.diff(code[order]) != 0)))
    united = np.bitwise_or.reduceat(minutes[order], first)
    return _only_known(_at(keys, order[first]), np.bitwise_count(united).astype(np.int64) * MINUTE_US)


def _only_known(keys: tuple[Int64, ...], known_us: Int64) -> _Items:
    number = len(known_us)
    return _Items(keys, np.zeros((number, OUTCOMES), np.int64), np.zeros(number, np.int64), known_us)


def _total(
    groups: tuple[str, ...],
    regions: tuple[str, ...],
    items: Sequence[_Items],
    binned: Sequence[_Binned],
    rounded: tuple[Span, ...] = (),
) -> Summary:
    """Everything with the same keys summed up; bins belong to keys that have items."""
    number = sum(len(part.known_us) for part in items)
    every = [*(part.keys for part in items), *(part.keys for part in binned)]
    keys = [np.concatenate(columns) for columns in zip(*every, strict=True)]
    code = code_of(keys)
    order = np.argsort(code[:number], kind="stable")
    begin = np.flatnonzero(np.diff(code[order], prepend=-1))
    first = order[begin]
    row = np.searchsorted(code[first], code[number:])
    outcomes = np.concatenate([part.outcomes for part in items])[order]
    bin_row, bins, counts = _summed(row, binned)
    return Summary(
        groups=groups,
        group=keys[0][first].astype(np.int32),
        regions=regions,
        region=keys[1][first].astype(np.int32),
        asn=keys[2][first],
        family=keys[3][first],
        start_us=keys[4][first],
        outcomes=np.add.reduceat(outcomes, begin, axis=0),
        saturated=np.add.reduceat(np.concatenate([part.saturated for part in items])[order], begin),
        known_us=np.add.reduceat(np.concatenate([part.known_us for part in items])[order], begin),
        bin_row=bin_row,
        bin=bins,
        bin_count=counts,
        rounded=rounded,
    )


def _summed(row: Int64, binned: Sequence[_Binned]) -> tuple[Int64, Int64, Int64]:
    """Row, bin and count, each row and bin once, in order."""
    bins = np.concatenate([*(part.bin for part in binned), np.empty(0, np.int64)])
    counts = np.concatenate([*(part.count for part in binned), np.empty(0, np.int64)])
    code = code_of((row, bins))
    order = np.argsort(code, kind="stable")
    begin = np.flatnonzero(np.diff(code[order], prepend=-1))
    first = order[begin]
    return row[first], bins[first], np.add.reduceat(counts[order], begin)
