"""What is replayed, kept in a store as the collector would have kept it."""

import numpy as np

from faultline_collector.fleet import Fleet
from faultline_collector.replay.admission import runs
from faultline_collector.results import ResultBatch
from faultline_collector.stores.store import ReceivedRange, Store


class Storing:
    """Appends what was admitted, exactly once: what the store holds already is no resend of anybody's.

    `offered` counts results; raises StoreError.
    """

    def __init__(self, store: Store, fleet: Fleet) -> None:
        self._store = store
        self._fleet = fleet
        self.offered = 0

    def __call__(self, results: ResultBatch) -> None:
        """Takes what comes next."""
        if len(results):
            self._store.append(results, ranges_of(results), self._fleet)
            self.offered += len(results)


def ranges_of(results: ResultBatch) -> list[ReceivedRange]:
    """The sequences of results, each there once, as ranges."""
    order = np.lexsort((results.sequence, results.source))
    source, sequence = results.source[order], results.sequence[order]
    return [
        ReceivedRange(results.sources[int(source[first])], int(sequence[first]), int(sequence[last]))
        for first, last in runs(source, sequence)
    ]
