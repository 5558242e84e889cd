"""Evidence from the store: what the correlator had seen before the collector was restarted."""

from collections.abc import Iterable, Iterator

import numpy as np

from faultline_collector.correlate.engine import Correlator
from faultline_collector.outages import Outage
from faultline_collector.results import ResultBatch
from faultline_collector.stores.store import ResultQuery, Store

WINDOW_US = 30 * 60 * 1_000_000
"""How much of the past is read again, microseconds."""

_SECOND_US = 1_000_000


def rebuild(
    correlator: Correlator, store: Store, known: Iterable[Outage], now_us: int, window_us: int = WINDOW_US
) -> tuple[Outage, ...]:
    """Restores open outages and reads their evidence again; gives the outages that need keeping.

    The past is judged as it was, a tick a second of receipt, but what began and ended within it has been
    kept before: only restored outages, and those still open, are new knowledge.
    """
    restored = tuple(known)
    correlator.restore(restored)
    ids = {outage.id for outage in restored}
    changed: dict[str, Outage] = {}
    past = store.results(ResultQuery(since_us=now_us - window_us, until_us=now_us + _SECOND_US))
    for second_us, results in _by_second(past):
        correlator.observe(results)
        changed |= {outage.id: outage for outage in correlator.tick(second_us)}
    return tuple(outage for outage in changed.values() if outage.id in ids or outage.state.is_open)


def _by_second(batches: Iterator[ResultBatch]) -> Iterator[tuple[int, ResultBatch]]:
    """Each second of receipt that has results, with its end; a second cut by a batch comes twice."""
    for batch in batches:
        seconds = batch.received_us // _SECOND_US
        starts = np.concatenate(([0], np.flatnonzero(np.diff(seconds)) + 1))
        for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
            yield int(seconds[start] + 1) * _SECOND_US, batch.select(slice(int(start), int(end)))
