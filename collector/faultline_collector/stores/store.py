"""The seam between the collector and the place where results are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from faultline.ranges import Ranges
from faultline_collector.fleet import Fleet
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores.summary import Summary, SummaryQuery


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
    families: frozenset[int] | None = None
    latest: bool = False
    newest_first: bool = False
    limit: int = 0


class Upkeep(NamedTuple):
    """What a piece of upkeep has done: days of results it forgot, and whether more is to be done at once."""

    dropped: int = 0
    more: bool = False


class StoreError(Exception):
    """Raised when a store cannot do what was asked; `permanent` says that trying again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Store(Protocol):
    """Keeps results exactly once. Methods block; callers run them in a thread. One writer at a time."""

    def append(self, results: ResultBatch, ranges: Sequence[ReceivedRange], fleet: Fleet) -> int:
        """Makes results and ranges durable together, or raises StoreError and leaves nothing of them.

        The fleet of the moment says where each agent stands: results keep that place, whoever moves later.
        Gives how many measured timings were left out, because the store keeps no more different names.
        """

    def received(self) -> dict[Source, Ranges]:
        """All sequences that were ever stored, rejected or noted as dropped, by source."""

    def results(self, query: ResultQuery) -> Iterator[ResultBatch]:
        """Streams what the query selects, in batches of bounded size."""

    def summary(self, query: SummaryQuery) -> Summary:
        """Counts, known time and histograms by group and step, from results, or from roll-ups where it can.

        Whatever a store takes it from, the answer is the same, but for the spans that it calls `rounded`.
        """

    def upkeep(self, raw_before_us: int, rollups_before_us: int) -> Upkeep:
        """A bounded piece of the work that comes with time; call it again while it says that there is more.

        It folds new results into roll-ups, and forgets whole days (UTC, by start): of results once they ended
        before `raw_before_us`, of roll-ups once they ended before `rollups_before_us` (whole stretches of
        days, as the store keeps them). No result is forgotten that is not in the roll-ups.
        """

    def close(self) -> None:
        """Releases everything; safe twice."""
