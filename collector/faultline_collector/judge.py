"""The loop of judgement: results in as they become durable, one tick a second, outages out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

import structlog

from faultline_collector.api.board import Board
from faultline_collector.correlate.engine import Correlator
from faultline_collector.fleet import Fleet
from faultline_collector.metrics import Metrics
from faultline_collector.outages import Outage, Scope
from faultline_collector.presence import AgentState, Presences
from faultline_collector.registry.database import RegistryError
from faultline_collector.results import ResultBatch

_log = structlog.get_logger("judge")

_TICK_S = 1.0


class OutageBook(Protocol):
    """Where outages are kept."""

    def save_outages(self, outages: Iterable[Outage]) -> None:
        """Keeps outages in their present state; raises RegistryError."""


class Judge:
    """Feeds the correlator and publishes what it finds: first to the registry, then to the board.

    An outage that nobody could keep would come back with another id after a restart, so it is saved first;
    while the registry fails, it is published all the same and saved later. `ticked_us` is the last good tick.
    Each of `kept` is called, in the event loop, with the outages that the registry has just taken; each of
    `taken` with results, after the correlator.
    """

    def __init__(
        self,
        correlator: Correlator,
        fleet: Fleet,
        book: OutageBook,
        board: Board,
        presences: Presences,
        metrics: Metrics,
    ) -> None:
        self._correlator = correlator
        self._fleet = fleet
        self._book = book
        self._board = board
        self._presences = presences
        self._metrics = metrics
        self._unsaved: dict[str, Outage] = {}
        self.kept: list[Callable[[Sequence[Outage]], None]] = []
        self.taken: list[Callable[[ResultBatch], None]] = []
        self.judged: list[Callable[[Sequence[Outage], int], None]] = []
        self.ticked_us = 0
        self._awaited: frozenset[str] = frozenset()
        self._awaited_until_us = 0

    def take(self, results: ResultBatch) -> None:
        """Takes results that have become durable."""
        with self._surviving("observe"):
            self._correlator.observe(results)
        for hear in self.taken:
            with self._surviving("taken"):
                hear(results)

    def contact(self, agent_id: str, at_us: int, *, well: bool) -> None:
        """Takes a sign of life."""
        self._correlator.contact(agent_id, at_us, well=well)

    def wait_for(self, agent_ids: frozenset[str], until_us: int) -> None:
        """Takes the silence of these agents for nothing until they were heard, or until `until_us`.

        While the collector was away nobody could be heard, and agents come back one after another.
        """
        self._awaited, self._awaited_until_us = agent_ids, until_us

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet."""
        self._fleet = fleet
        self._correlator.refit(fleet)

    async def tick(self, now_us: int) -> None:
        """Judges, keeps and publishes once."""
        with self._surviving("tick"):
            self._excuse(now_us)
            began = perf_counter()
            changed = self._correlator.tick(now_us)
            self._metrics.tick.observe(perf_counter() - began)
            for outage in changed:
                _log.info("outage", id=outage.id, state=outage.state.value, why=outage.why)
            with self._surviving("save"):
                await self.save(changed)
            self._publish(now_us, changed)
            self.ticked_us = now_us
        for hear in self.judged:
            with self._surviving("judged"):
                hear(self._correlator.outages(), now_us)

    def _excuse(self, now_us: int) -> None:
        if now_us > self._awaited_until_us:
            self._awaited = frozenset()
        self._awaited = frozenset(a for a in self._awaited if not self._presences.heard(a))
        for agent_id in self._awaited:
            self._correlator.contact(agent_id, now_us, well=True)

    def _publish(self, now_us: int, changed: tuple[Outage, ...]) -> None:
        self._board.publish(
            now_us,
            self._fleet,
            self._correlator.standings(now_us),
            self._correlator.outages(),
            changed,
            self._presences.all(),
        )
        self._count(now_us)

    @contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        """A bug in judgement must not stop results from being stored; /healthz tells of ticks that fail."""
        try:
            yield
        except Exception:
            _log.exception("judgement failed", step=what)
            self._metrics.judge_errors.labels(what).inc()

    async def save(self, outages: Iterable[Outage]) -> None:
        """Keeps outages in the registry, with those that could not be kept before."""
        self._unsaved |= {outage.id: outage for outage in outages}
        if not self._unsaved:
            return
        taken = tuple(self._unsaved.values())
        try:
            await asyncio.to_thread(self._book.save_outages, taken)
        except RegistryError as error:
            _log.error("registry does not take outages", error=str(error), waiting=len(taken))
            return
        self._unsaved.clear()
        for hear in self.kept:
            with self._surviving("kept"):
                hear(taken)

    def _count(self, now_us: int) -> None:
        scopes = [outage.scope for outage in self._correlator.outages()]
        for scope in Scope:
            self._metrics.open_outages.labels(scope.value).set(scopes.count(scope))
        presences = [self._presences.get(agent.id) for agent in self._fleet.agents]
        states = [presence.state(now_us) for presence in presences]
        for state in AgentState:
            self._metrics.agents.labels(state.value).set(states.count(state))
        self._metrics.spool_age.set(max((p.spool_age_us for p in presences), default=0) / 1e6)
        self._metrics.spool_results.set(sum(p.spool_results for p in presences))


async def every_second(
    act: Callable[[int], Awaitable[None]],
    now_us: Callable[[], int],
    monotonic: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Calls `act` with the time once a second, for ever; what comes late is left out, never bunched."""
    due = monotonic()
    while True:
        await act(now_us())
        due = max(due + _TICK_S, monotonic())
        await sleep(due - monotonic())
