"""Evidence from the store: what the correlator had seen before the collector was restarted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import structlog

from faultline_collector.correlate.engine import Correlator
from faultline_collector.outages import Outage
from faultline_collector.results import ResultBatch
from faultline_collector.stores.store import ResultQuery, Store, StoreError

_log = structlog.get_logger("collector")

WINDOW_US = 30 * 60 * 1_000_000
"""How much of the past is read again, microseconds."""

STEP_US = 5 * 1_000_000
"""The past is judged in steps of this, microseconds of receipt."""

_LATELY_US = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What reading the past has brought: outages that need keeping, and agents that were there at its end."""

    outages: tuple[Outage, ...]
    agent_ids: frozenset[str]


def rebuild(
    correlator: Correlator, store: Store, known: Iterable[Outage], now_us: int, window_us: int = WINDOW_US
) -> Rebuilt:
    """Restores outages, open ones and those that ended of late; reads the evidence again from the store.

    The past is judged as it was, step by step, but what began and ended within it has been kept before: only
    restored outages, and those still open, are new knowledge.
    """
    restored = tuple(known)
    correlator.restore(outage for outage in restored if outage.state.is_open)
    ids = {outage.id for outage in restored if outage.state.is_open}
    changed: dict[str, Outage] = {}
    heard: dict[str, int] = {}
    end_us = 0
    past = store.results(ResultQuery(since_us=now_us - window_us, until_us=now_us + STEP_US))
    for end_us, results in _steps(_readable(past)):
        correlator.observe(results)
        heard |= dict.fromkeys((results.sources[i].agent_id for i in np.unique(results.source)), end_us)
        changed |= {outage.id: outage for outage in correlator.tick(min(end_us, now_us))}
    correlator.restore(outage for outage in restored if not outage.state.is_open)
    ids |= {outage.id for outage in correlator.outages()}
    silent = {agent_id for outage in correlator.outages() for agent_id in outage.evidence.get("silent", ())}
    there = {agent_id for agent_id, at_us in heard.items() if at_us >= end_us - _LATELY_US}
    return Rebuilt(
        tuple(outage for outage in changed.values() if outage.id in ids),
        frozenset(there - silent),
    )


def _readable(batches: Iterator[ResultBatch]) -> Iterator[ResultBatch]:
    """What can be read: a store that is away gives what has not reached it yet."""
    try:
        yield from batches
    except StoreError as error:
        _log.error("the past cannot be read whole, evidence is gathered anew", error=str(error))


def _steps(batches: Iterator[ResultBatch]) -> Iterator[tuple[int, ResultBatch]]:
    """Each step of receipt that has results, with its end; a step that a batch cuts comes twice."""
    for batch in batches:
        steps = batch.received_us // STEP_US
        starts = np.concatenate(([0], np.flatnonzero(np.diff(steps)) + 1))
        for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
            yield int(steps[start] + 1) * STEP_US, batch.select(slice(int(start), int(end)))
