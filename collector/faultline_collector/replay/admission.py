"""What of a trace the collector would have taken: known agents and targets, each result once."""

from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from faultline.ranges import Ranges
from faultline_collector.results import Int32, Mask, ResultBatch, UInt64

Index: TypeAlias = npt.NDArray[np.intp]


class Admission:
    """Recognises resends: the sequences that each agent has delivered, as ingest keeps them."""

    def __init__(self, sources: int) -> None:
        self._held = [Ranges() for _ in range(sources)]

    def admit(self, results: ResultBatch) -> ResultBatch:
        """The results of known agents and targets that are not resends; the first to arrive counts."""
        return results.select(self._fresh(results))

    def _fresh(self, results: ResultBatch) -> Mask:
        out: Mask = (results.source >= 0) & (results.target >= 0)
        order = self._sorted(results, np.flatnonzero(out))
        source, sequence = results.source[order], results.sequence[order]
        repeat = np.flatnonzero((source[1:] == source[:-1]) & (sequence[1:] == sequence[:-1])) + 1
        out[order[repeat]] = False
        for first, last in runs(source, sequence):
            held = self._held[int(source[first])]
            low, high = int(sequence[first]), int(sequence[last])
            index, numbers = order[first : last + 1], sequence[first : last + 1]
            for begin, end in held.within(low, high):
                out[index[(numbers >= begin) & (numbers <= end)]] = False
            held.add(low, high)
        return out

    def _sorted(self, results: ResultBatch, index: Index) -> Index:
        """The index by source, then sequence, then receipt; each agent delivers nearly in order already."""
        source = results.source[index].astype(np.min_scalar_type(-len(self._held) - 1))
        order: Index = index[np.argsort(source, kind="stable")]
        ends = np.cumsum(np.bincount(source, minlength=1)).tolist()
        for begin, end in pairwise([0, *ends]):
            part = order[begin:end]
            part[:] = part[np.argsort(results.sequence[part], kind="stable")]
        return order


def runs(source: Int32, sequence: UInt64) -> list[tuple[int, int]]:
    """Where sequences without a gap begin and end (included), in columns sorted by both."""
    if not source.size:
        return []
    gaps = np.flatnonzero((source[1:] != source[:-1]) | (sequence[1:] > sequence[:-1] + 1)) + 1
    return list(zip([0, *gaps.tolist()], [*(gaps - 1).tolist(), source.size - 1], strict=True))
