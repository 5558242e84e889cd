"""Results as columns: what ingest hands on, stores keep and correlation reads. Never rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Int8: TypeAlias = npt.NDArray[np.uint8]
Int16: TypeAlias = npt.NDArray[np.uint16]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
UInt64: TypeAlias = npt.NDArray[np.uint64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Where results come from: with the sequence, a result's identity."""

    agent_id: str
    spool_id: str


@dataclass(frozen=True, slots=True, eq=False)
class ResultBatch:
    """n results as columns of length n; texts are dictionaries beside int32 codes.

    `started_us` is as the agent sent it; `started_us + offset_us` is the start by the collector's clock.
    Timings are microseconds, -1 where the phase was not reached; "total" is always there.
    """

    sources: tuple[Source, ...]
    source: Int32
    target_ids: tuple[str, ...]
    target: Int32
    sequence: UInt64
    started_us: Int64
    offset_us: Int64
    received_us: Int64
    attempt: Int8
    outcome: Int8
    status: Int16
    family: Int8
    flags: Int8
    timings_us: Mapping[str, Int32] = field(default_factory=dict)
    details: tuple[str, ...] = ()
    detail: Int32 = field(default_factory=lambda: np.empty(0, np.int32))  # -1 for none; empty: all none

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def judged_us(self) -> Int64:
        """Starts by the collector's clock, microseconds since 1970."""
        return self.started_us + self.offset_us

    def select(self, keep: Mask | npt.NDArray[np.intp] | slice) -> "ResultBatch":
        """The results that a mask, an index or a slice names; dictionaries stay as they are."""
        columns: dict[str, Any] = {name: getattr(self, name)[keep] for name in _COLUMNS}
        return ResultBatch(
            sources=self.sources,
            target_ids=self.target_ids,
            details=self.details,
            detail=self.detail[keep] if len(self.detail) else self.detail,
            timings_us={name: column[keep] for name, column in self.timings_us.items()},
            **columns,
        )


_COLUMNS = (
    "source", "target", "sequence", "started_us", "offset_us", "received_us",
    "attempt", "outcome", "status", "family", "flags",
)  # fmt: skip


def empty_batch() -> ResultBatch:
    """No results."""
    return concatenate(())


def concatenate(batches: Sequence[ResultBatch]) -> ResultBatch:
    """One batch with the results of all, in order; dictionaries are merged, missing timings become -1."""
    if len(batches) == 1:
        return batches[0]
    sources: dict[Source, int] = {}
    targets: dict[str, int] = {}
    details: dict[str, int] = {}
    names = dict.fromkeys(name for batch in batches for name in batch.timings_us)
    return ResultBatch(
        source=_recode([(b.sources, b.source) for b in batches], sources),
        target=_recode([(b.target_ids, b.target) for b in batches], targets),
        detail=_recode([(b.details, _details(b)) for b in batches], details),
        sources=tuple(sources),
        target_ids=tuple(targets),
        details=tuple(details),
        timings_us={name: _join([_timing(b, name) for b in batches], np.int32) for name in names},
        **{name: _join([getattr(b, name) for b in batches], _TYPES[name]) for name in _COLUMNS[2:]},
    )


_TYPES: dict[str, type[np.generic]] = {
    "sequence": np.uint64, "started_us": np.int64, "offset_us": np.int64, "received_us": np.int64,
    "attempt": np.uint8, "outcome": np.uint8, "status": np.uint16, "family": np.uint8, "flags": np.uint8,
}  # fmt: skip


def _join(arrays: list[npt.NDArray[Any]], kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, kind)


def _timing(batch: ResultBatch, name: str) -> Int32:
    column = batch.timings_us.get(name)
    return np.full(len(batch), -1, np.int32) if column is None else column


def _details(batch: ResultBatch) -> Int32:
    return batch.detail if len(batch.detail) else np.full(len(batch), -1, np.int32)


def _recode(parts: list[tuple[tuple[Any, ...], Int32]], codes: dict[Any, int]) -> Int32:
    columns = []
    for words, column in parts:
        if not words:
            columns.append(column)
            continue
        table = np.array([codes.setdefault(word, len(codes)) for word in words] + [-1], np.int32)
        columns.append(table[column])
    return _join(columns, np.int32)
