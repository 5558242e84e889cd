"""Questions about the past, answered for REST and gRPC alike."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faultline_collector.api.board import Board
from faultline_collector.api.picture import probed_pairs
from faultline_collector.api.pool import Pool
from faultline_collector.api.questions import (
    AvailabilityQuestion,
    BadQuestion,
    OutagesQuestion,
    ResultsQuestion,
    known_id,
)
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage
from faultline_collector.registry.registry import Registry, Transition
from faultline_collector.results import ResultBatch
from faultline_collector.stores.store import ResultQuery, Store
from faultline_collector.stores.summary import Summary, SummaryQuery, SummaryRow

MOST_ROWS = 200_000
"""Most rows of one answer about availability."""


@dataclass(frozen=True, slots=True)
class AvailabilityRow:
    """One step of a service seen from a region; `availability` is None when nothing is known of it."""

    service: str
    region: str
    start_us: int
    ok: int
    failed: int
    unknown: int
    coverage: float

    @property
    def availability(self) -> float | None:
        """The share of good results among those that tell something."""
        known = self.ok + self.failed
        return self.ok / known if known else None


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
        clock: Callable[[], int] = clock_us,
    ) -> None:
        self.pool = pool or Pool("questions")
        self.streams = streams or Pool("streams", places=4)
        self._board = board
        self._store = store
        self._registry = registry
        self._clock = clock

    def outages(self, question: OutagesQuestion) -> tuple[Outage, ...]:
        """Outages, newest first."""
        since_us = question.since.us(self._clock()) if question.since is not None else 0
        return self._registry.outages(open_only=question.open, since_us=since_us, limit=question.limit)

    def outage(self, outage_id: str) -> tuple[Outage, tuple[Transition, ...]] | None:
        """One outage with its life so far."""
        return self._registry.outage(outage_id)

    def availability(self, question: AvailabilityQuestion) -> list[AvailabilityRow]:
        """A row for every service, region and step of the window, also where nothing is known."""
        since_us, until_us = question.window(self._clock())
        step_us = question.step_us(until_us - since_us)
        fleet = self._board.fleet
        known_id("service", question.service, (service.id for service in fleet.services))
        known_id("region", question.region, (region.id for region in fleet.regions))
        pairs = _pairs(fleet, question)
        starts = range(since_us, until_us, step_us)
        if len(pairs) * len(starts) > MOST_ROWS:
            raise BadQuestion(
                f"step: would make {len(pairs) * len(starts)} rows, at most {MOST_ROWS} are allowed"
            )
        counts = self._store.summary(
            SummaryQuery(
                since_us=since_us,
                until_us=until_us,
                step_us=step_us,
                target_groups={t.id: t.service for t in fleet.targets if question.service in ("", t.service)},
                regions=frozenset((question.region,)) if question.region else None,
                by_region=True,
            )
        )
        return _fill(counts, pairs, starts, until_us)

    def results(self, question: ResultsQuestion) -> Iterator[ResultBatch]:
        """Raw results, newest first, in batches."""
        since_us, until_us = question.window(self._clock())
        fleet = self._board.fleet
        known_id("service", question.service, (service.id for service in fleet.services))
        known_id("target", question.target, (target.id for target in fleet.targets))
        known_id("agent", question.agent, (agent.id for agent in fleet.agents))
        return self._store.results(
            ResultQuery(
                since_us=since_us,
                until_us=until_us,
                agent_ids=frozenset((question.agent,)) if question.agent else None,
                target_ids=_targets(fleet, question),
                newest_first=True,
                limit=question.limit,
            )
        )

    def close(self) -> None:
        """Answers nothing more."""
        self.pool.close()
        self.streams.close()


def _targets(fleet: Fleet, question: ResultsQuestion) -> frozenset[str] | None:
    if not question.service:
        return frozenset((question.target,)) if question.target else None
    own = frozenset(target.id for target in fleet.targets if target.service == question.service)
    return own & {question.target} if question.target else own


def _pairs(fleet: Fleet, question: AvailabilityQuestion) -> list[tuple[str, str]]:
    return sorted(
        (service, region)
        for service, region in probed_pairs(fleet)
        if question.service in ("", service) and question.region in ("", region)
    )


def _fill(
    counts: Summary, pairs: list[tuple[str, str]], starts: range, until_us: int
) -> list[AvailabilityRow]:
    found = {(row.group, row.region, row.start_us): row for row in counts.rows()}
    wanted = sorted({*pairs, *((service, region) for service, region, _ in found)})
    return [
        _row(service, region, start, min(starts.step, until_us - start), found.get((service, region, start)))
        for service, region in wanted
        for start in starts
    ]


def _row(
    service: str, region: str, start_us: int, width_us: int, count: SummaryRow | None
) -> AvailabilityRow:
    if count is None:
        return AvailabilityRow(service, region, start_us, 0, 0, 0, 0.0)
    coverage = min(1.0, count.known_us / width_us)
    return AvailabilityRow(service, region, start_us, *_judged(count), coverage)


def _judged(count: SummaryRow) -> tuple[int, int, int]:
    """Good, failed and unknown results."""
    ok, *failed, inconclusive = count.outcomes
    return ok, sum(failed), inconclusive + count.saturated
