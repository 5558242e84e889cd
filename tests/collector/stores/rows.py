"""Results as rows, for tests only: batches are made from them and compared as them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED
from faultline_collector.fleet import Agent, Fleet
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores.ledger import merged
from faultline_collector.stores.store import ReceivedRange, ResultQuery, Store

NOON_US = 1_795_348_800_000_000  # 2026-11-22T12:00:00Z
DAY_US = 86_400_000_000
SECOND_US = 1_000_000
ALL = ResultQuery(since_us=0, until_us=2**61)
FLEET = Fleet(
    agents=(
        Agent("in-1", "in", "IN", 9829),
        Agent("in-2", "in", "IN", 55836),
        Agent("in-west-1", "in-west", "IN", 55836),
        Agent("in-west-2", "in-west", "IN", 9829),
        Agent("us-1", "us", "US", 7018),
        Agent("us-east-1", "us-east", "US", 7018),
    )
)
"""Where the agents of these tests stand; `stranger` and others are nowhere."""


@dataclass(frozen=True, slots=True)
class Row:
    """One result; times are microseconds after `NOON_US`."""

    sequence: int
    agent: str = "in-west-1"
    target: str = "twitter-web"
    at_us: int = 0
    spool: str = "s1"
    offset_us: int = 0
    received_us: int = SECOND_US
    attempt: int = 0
    outcome: int = 1
    status: int = 200
    family: int = 4
    flags: int = 0
    detail: str = ""
    timings_us: Mapping[str, int] = field(default_factory=lambda: {"total": 5000})

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return Source(self.agent, self.spool)


def batch_of(rows: Sequence[Row]) -> ResultBatch:
    """The rows as columns."""
    sources, source = _coded([row.source for row in rows])
    targets, target = _coded([row.target for row in rows])
    told = [row.detail for row in rows if row.detail]
    details, _ = _coded(told)
    names = sorted({name for row in rows for name in row.timings_us} | {"total"})
    return ResultBatch(
        sources=tuple(sources),
        source=source,
        target_ids=tuple(targets),
        target=target,
        sequence=np.array([row.sequence for row in rows], np.uint64),
        started_us=np.array([NOON_US + row.at_us - row.offset_us for row in rows], np.int64),
        offset_us=np.array([row.offset_us for row in rows], np.int64),
        received_us=np.array([NOON_US + row.received_us for row in rows], np.int64),
        attempt=np.array([row.attempt for row in rows], np.uint8),
        outcome=np.array([row.outcome for row in rows], np.uint8),
        status=np.array([row.status for row in rows], np.uint16),
        family=np.array([row.family for row in rows], np.uint8),
        flags=np.array([row.flags for row in rows], np.uint8),
        timings_us={
            name: np.array([row.timings_us.get(name, NOT_REACHED) for row in rows], np.int32)
            for name in names
        },
        details=tuple(details),
        detail=np.array([details.index(row.detail) if row.detail else -1 for row in rows], np.int32),
    )


def _coded(words: Iterable[Any]) -> tuple[list[Any], npt.NDArray[np.int32]]:
    places: dict[Any, int] = {}
    codes = [places.setdefault(word, len(places)) for word in words]
    return list(places), np.array(codes, np.int32)


def rows_of(batch: ResultBatch) -> list[Row]:
    """The columns as rows; timings that were not reached are left out."""
    details = batch.detail if len(batch.detail) else np.full(len(batch), -1)
    return [
        Row(
            sequence=int(batch.sequence[i]),
            agent=batch.sources[batch.source[i]].agent_id,
            spool=batch.sources[batch.source[i]].spool_id,
            target=batch.target_ids[batch.target[i]],
            at_us=int(batch.judged_us[i]) - NOON_US,
            offset_us=int(batch.offset_us[i]),
            received_us=int(batch.received_us[i]) - NOON_US,
            attempt=int(batch.attempt[i]),
            outcome=int(batch.outcome[i]),
            status=int(batch.status[i]),
            family=int(batch.family[i]),
            flags=int(batch.flags[i]),
            detail=batch.details[details[i]] if details[i] >= 0 else "",
            timings_us={
                name: int(column[i]) for name, column in batch.timings_us.items() if column[i] != NOT_REACHED
            },
        )
        for i in range(len(batch))
    ]


def many(first: int, number: int, row: Row | None = None, apart_us: int = 0) -> ResultBatch:
    """The same row `number` times with sequences from `first` on, received `apart_us` after each other."""
    count = np.arange(number)
    batch = batch_of([row or Row(first)]).select(np.zeros(number, np.intp))
    return replace(
        batch,
        sequence=(first + count).astype(np.uint64),
        received_us=batch.received_us + count * apart_us,
    )


def ranges_of(rows: Iterable[Row]) -> list[ReceivedRange]:
    """The ranges that say of the rows that they are stored."""
    return merged(ReceivedRange(row.source, row.sequence, row.sequence) for row in rows)


def put(store: Store, rows: Sequence[Row]) -> None:
    """Appends rows with their ranges."""
    store.append(batch_of(rows), ranges_of(rows), FLEET)


def kept_up(store: Store, raw_before_us: int = 0, rollups_before_us: int = 0) -> int:
    """Has the store do all of its upkeep; gives how many days of results it has forgotten."""
    dropped, more = 0, True
    while more:
        done = store.upkeep(raw_before_us, rollups_before_us)
        dropped, more = dropped + done.dropped, done.more
    return dropped


def found(store: Store, query: ResultQuery = ALL) -> list[Row]:
    """All rows that a query gives, in order."""
    return [row for batch in store.results(query) for row in rows_of(batch)]


def sequences(store: Store, query: ResultQuery = ALL) -> list[int]:
    """The sequences of the rows that a query gives, in order."""
    return [row.sequence for row in found(store, query)]
