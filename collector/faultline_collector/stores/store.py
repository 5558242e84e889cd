"""The seam between the collector and the place where results are kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from faultline.ranges import Ranges
from faultline_collector.results import ResultBatch, Source


@dataclass(frozen=True, slots=True)
class ReceivedRange:
    """A run of sequences that need never be sent again: `fate` is stored, rejected or dropped."""

    source: Source
    first: int
    last: int
    fate: str = "stored"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ResultQuery:
    """Selects results whose start by the collector's clock lies in [since_us, until_us).

    None selects all; `latest` keeps only the newest result of each agent and target; `limit` 0 is no limit.
    Without `latest` results come in order of `received_us`, oldest first; with `newest_first`, reversed.
    """

    since_us: int
    until_us: int
    agent_ids: frozenset[str] | None = None
    target_ids: frozenset[str] | None = None
    latest: bool = False
    newest_first: bool = False
    limit: int = 0


@dataclass(frozen=True, slots=True)
class AvailabilityQuery:
    """Asks for counts per group and step; a result belongs to (group of its target, group of its agent).

    Results whose target or agent has no group are left out. `step_us` divides the window from `since_us` on.
    """

    since_us: int
    until_us: int
    step_us: int
    target_groups: Mapping[str, str]
    agent_groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AvailabilityCount:
    """One step of one pair of groups.

    `ok` and `failed` count first attempts and retries alike; `unknown` counts inconclusive and saturated
    results; `known_us` is the time of the step for which at least one result tells something: the union of
    minutes with a known result, capped by the step.
    """

    target_group: str
    agent_group: str
    start_us: int
    ok: int
    failed: int
    unknown: int
    known_us: int


class StoreError(Exception):
    """Raised when a store cannot do what was asked; `permanent` says that trying again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Store(Protocol):
    """Keeps results exactly once. Methods block; callers run them in a thread. One writer at a time."""

    def append(self, results: ResultBatch, ranges: Sequence[ReceivedRange]) -> int:
        """Makes results and ranges durable together, or raises StoreError and leaves nothing of them.

        Gives how many measured timings were left out, because the store keeps no more different names.
        """

    def received(self) -> dict[Source, Ranges]:
        """All sequences that were ever stored, rejected or noted as dropped, by source."""

    def results(self, query: ResultQuery) -> Iterator[ResultBatch]:
        """Streams what the query selects, in batches of bounded size."""

    def availability(self, query: AvailabilityQuery) -> list[AvailabilityCount]:
        """Counts per step and groups, only where there is at least one result, ordered by all three keys."""

    def expire(self, before_us: int) -> int:
        """Forgets whole days (UTC, by start) that ended before `before_us`; gives how many were dropped."""

    def close(self) -> None:
        """Releases everything; safe twice."""
