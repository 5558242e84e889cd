"""Days, orders and bounds that all stores share. Pure."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED, TOTAL
from faultline_collector.results import Int32, Int64, ResultBatch
from faultline_collector.stores.store import ResultQuery

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
LONG_AGO_US = -(2**62)
FOREVER_US = 2**62

PAGE_RESULTS = 20_000
"""About as many results a store hands out at once."""

MAX_TIMING_NAMES = 64
"""Most timing names that a store keeps; names come from agents, and each costs a column."""

Index = npt.NDArray[np.intp]


def days_of(results: ResultBatch) -> Iterator[tuple[int, ResultBatch]]:
    """The results by UTC day of their start (days since 1970), each in its own batch."""
    days: Int64 = results.judged_us // DAY_US
    found = np.unique(days)
    if len(found) == 1:
        yield int(found[0]), results
        return
    for day in found:
        yield int(day), results.select(days == day)


def kept_timings(results: ResultBatch, known: set[str]) -> Mapping[str, Int32]:
    """The timings that may be kept beside the `known` ones; `total` always may."""
    room = MAX_TIMING_NAMES - len(known | {TOTAL})
    new = sorted(set(results.timings_us) - known - {TOTAL})[: max(0, room)]
    allowed = known | {TOTAL, *new}
    return {name: column for name, column in results.timings_us.items() if name in allowed}


def left_out(results: ResultBatch, kept: Mapping[str, Int32]) -> int:
    """How many measured timings are not among those that are kept."""
    columns = (column for name, column in results.timings_us.items() if name not in kept)
    return sum(int(np.count_nonzero(column != NOT_REACHED)) for column in columns)


def source_ranks(results: ResultBatch) -> Int32:
    """The place of each result's source among all sources in order of agent and spool."""
    ranks = np.empty(len(results.sources), np.int32)
    ranks[sorted(range(len(results.sources)), key=lambda i: results.sources[i])] = np.arange(len(ranks))
    return ranks[results.source]


def in_order(results: ResultBatch, *, newest_first: bool) -> ResultBatch:
    """Sorted by receipt, then source and sequence, so that the order is the same in every store."""
    order: Index = np.lexsort((results.sequence, source_ranks(results), results.received_us))
    return results.select(order[::-1] if newest_first else order)


def newest(results: ResultBatch) -> ResultBatch:
    """Only the newest result of each agent and target: the last start, then receipt, source and sequence."""
    agents = {agent: i for i, agent in enumerate(dict.fromkeys(s.agent_id for s in results.sources))}
    codes = np.array([agents[source.agent_id] for source in results.sources], np.int32)
    agent = codes[results.source]
    order: Index = np.lexsort(
        (
            results.sequence,
            source_ranks(results),
            results.received_us,
            results.judged_us,
            results.target,
            agent,
        )
    )
    last = np.ones(len(order), np.bool_)
    last[:-1] = (np.diff(agent[order]) != 0) | (np.diff(results.target[order]) != 0)
    return results.select(order[last])


def pages(results: ResultBatch, query: ResultQuery) -> Iterator[ResultBatch]:
    """A selection in the order and number that the query asks for, page by page."""
    ordered = in_order(results, newest_first=query.newest_first)
    wanted = min(len(ordered), query.limit or len(ordered))
    for start in range(0, wanted, PAGE_RESULTS):
        yield ordered.select(slice(start, min(start + PAGE_RESULTS, wanted)))
