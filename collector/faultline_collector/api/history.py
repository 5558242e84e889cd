"""Questions about the past, answered for REST and gRPC alike."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, TypeVar

from faultline_collector.api.board import Board
from faultline_collector.api.figures import (
    AvailabilityRow,
    LatencyRow,
    Steps,
    availability_rows,
    cell_steps,
    latency_rows,
)
from faultline_collector.api.pool import Pool
from faultline_collector.api.questions import (
    AvailabilityQuestion,
    BadQuestion,
    ExportQuestion,
    HistoryQuestion,
    LatencyQuestion,
    OutagesQuestion,
    ResultsQuestion,
    ScopedQuestion,
    known_id,
)
from faultline_collector.api.scope import Scope, scope_of, selected_targets
from faultline_collector.fleet import Agent
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import Outage, iso
from faultline_collector.registry.registry import Registry, Transition
from faultline_collector.results import ResultBatch
from faultline_collector.stores.store import ResultQuery, Store
from faultline_collector.stores.summary import Span, Summary

MOST_ROWS = 200_000
"""Most rows of one answer."""

_MOST_HISTOGRAMS = 20_000
_EVERYTHING = ("component", "target", "provider", "region", "network", "family")
_SCOPE = set(ScopedQuestion.model_fields)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Rows, and what must be known of them, in sentences."""

    rows: list[T]
    notes: tuple[str, ...] = ()


def clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class History:
    """Reads the store and the registry for those who ask about the past.

    Its methods block: they are run in `pool`, and what they stream in `streams`, so that few ask at a time.
    """

    def __init__(
        self,
        board: Board,
        store: Store,
        registry: Registry,
        *,
        pool: Pool | None = None,
        streams: Pool | None = None,
        weights: Callable[[], Mapping[str, float]] = dict,
        clock: Callable[[], int] = clock_us,
    ) -> None:
        self.pool = pool or Pool("questions")
        self.streams = streams or Pool("streams", places=4)
        self._board = board
        self._store = store
        self._registry = registry
        self._weights = weights
        self._clock = clock

    def outages(self, question: OutagesQuestion) -> tuple[Outage, ...]:
        """Outages, newest first."""
        since_us = question.since.us(self._clock()) if question.since is not None else 0
        return self._registry.outages(open_only=question.open, since_us=since_us, limit=question.limit)

    def outage(self, outage_id: str) -> tuple[Outage, tuple[Transition, ...]] | None:
        """One outage with its life so far."""
        return self._registry.outage(outage_id)

    def proofs(self, outage_id: str) -> tuple[Proof, ...]:
        """What agents gathered of it."""
        return self._registry.proofs(outage_id)

    def availability(self, question: AvailabilityQuestion) -> Answer[AvailabilityRow]:
        """A row for every key and step of the window, also where nothing is known."""
        scope, steps = self._asked(question)
        found = self._summary(scope, steps)
        rows = availability_rows(found, scope, steps, self._weights())
        return Answer(list(rows), _notes(found.rounded))

    def latency(self, question: LatencyQuestion) -> Answer[LatencyRow]:
        """The same for percentiles; the store is asked for some steps at a time, for histograms are large."""
        scope, steps = self._asked(question)
        some = max(1, _MOST_HISTOGRAMS // max(1, len(scope.expected)))
        rows: list[LatencyRow] = []
        rounded: set[Span] = set()
        for part in _parts(steps, some):
            found = self._summary(scope, part, question.timing)
            rows += latency_rows(found, scope, part, self._weights())
            rounded |= set(found.rounded)
        return Answer(sorted(rows, key=lambda row: (row.key, row.start_us)), _notes(rounded))

    def results(self, question: ResultsQuestion) -> Iterator[ResultBatch]:
        """Raw results, newest first, in batches."""
        return self._store.results(replace(self._selected(question), newest_first=True, limit=question.limit))

    def export_results(self, question: ExportQuestion) -> Iterator[ResultBatch]:
        """All results, in order of receipt, in batches."""
        return self._store.results(self._selected(question))

    def export_rollups(self, question: ExportQuestion) -> Iterator[tuple[Steps, Summary]]:
        """Roll-ups by everything that they are kept by, some steps at a time."""
        divided = HistoryQuestion(**question.model_dump(include=_SCOPE), by=_EVERYTHING)
        scope = scope_of(self._board.fleet, divided)
        since_us, until_us = question.window(self._clock())
        return (
            (part, self._summary(scope, part, question.timing))
            for part in cell_steps(since_us, until_us, question.width // timedelta(microseconds=1))
        )

    def _selected(self, question: ResultsQuestion | ExportQuestion) -> ResultQuery:
        since_us, until_us = question.window(self._clock())
        fleet = self._board.fleet
        known_id("agent", question.agent, (agent.id for agent in fleet.agents))
        targets = frozenset(target.id for target in selected_targets(fleet, question))
        scoped = question.service or question.component or question.target or question.provider
        agents = frozenset(agent.id for agent in fleet.agents if _stands(agent, question))
        placed = question.agent or question.region or question.network
        return ResultQuery(
            since_us=since_us,
            until_us=until_us,
            agent_ids=agents if placed else None,
            target_ids=targets if scoped else None,
            families=frozenset((question.family,)) if question.family else None,
        )

    def _summary(self, scope: Scope, steps: Steps, timing: str = "") -> Summary:
        return self._store.summary(scope.query(steps.starts.start, steps.until_us, steps.starts.step, timing))

    def _asked(self, question: HistoryQuestion) -> tuple[Scope, Steps]:
        since_us, until_us = question.window(self._clock())
        step_us = question.step_us(until_us - since_us)
        steps = Steps(range(since_us, until_us, step_us), until_us)
        scope = scope_of(self._board.fleet, question)
        rows = max(1, len(scope.expected)) * len(steps.starts)
        if rows > MOST_ROWS:
            raise BadQuestion(f"step: would make {rows} rows, at most {MOST_ROWS} are allowed")
        return scope, steps

    def close(self) -> None:
        """Answers nothing more."""
        self.pool.close()
        self.streams.close()


def _stands(agent: Agent, question: ResultsQuestion | ExportQuestion) -> bool:
    return (
        question.agent in ("", agent.id)
        and question.region in ("", agent.region)
        and question.network in (0, agent.asn)
    )


def _parts(steps: Steps, number: int) -> Iterator[Steps]:
    """The same steps, `number` at a time."""
    for first in range(0, len(steps.starts), number):
        starts = steps.starts[first : first + number]
        yield Steps(starts, min(starts.stop, steps.until_us))


def _notes(rounded: Iterable[Span]) -> tuple[str, ...]:
    """What a reader must know of the answer, in sentences."""
    return tuple(
        f"from {iso(span.since_us)} to {iso(span.until_us)} only roll-ups of 5 minutes are left: "
        "each counts where it begins"
        for span in sorted(rounded)
    )
