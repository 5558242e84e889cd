"""Carries out what is worth asking: orders out through the sessions, proof into the registry."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, Protocol

import structlog

from faultline_collector.fleet import Fleet
from faultline_collector.inquiry.inquirer import Inquirer
from faultline_collector.inquiry.orders import Errand, Evidence, Explain, Order, Proof
from faultline_collector.inquiry.pending import BadEvidence, Pending
from faultline_collector.inquiry.witnesses import Witnesses
from faultline_collector.metrics import Metrics
from faultline_collector.outages import Outage
from faultline_collector.presence import AgentState, Presences
from faultline_collector.registry.database import RegistryError
from faultline_collector.results import ResultBatch

_log = structlog.get_logger("inquiry")


class ProofBook(Protocol):
    """Where proof is kept."""

    def save_proofs(self, proofs: Sequence[Proof]) -> int:
        """Keeps proof of outages that are known, a bounded number of each; says how many; RegistryError."""


class Errands:
    """Runs in the event loop, but for what is kept. `renewed` is called when proof has been kept.

    Of proof at most `most_waiting` pieces wait for that; more are dropped, and counted.
    """

    def __init__(
        self,
        fleet: Fleet,
        hold_s: float,
        book: ProofBook,
        presences: Presences,
        metrics: Metrics,
        now_us: Callable[[], int],
        renewed: Callable[[], None],
        *,
        most_waiting: int = 500,
    ) -> None:
        self._witnesses = Witnesses()
        self._inquirer = Inquirer(fleet, self._witnesses, round(hold_s * 1e6), now_us())
        self._pending = Pending()
        self._book = book
        self._presences = presences
        self._metrics = metrics
        self._now_us = now_us
        self._renewed = renewed
        self._waiting: asyncio.Queue[Proof] = asyncio.Queue(most_waiting)

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet."""
        self._inquirer.refit(fleet)

    def take(self, results: ResultBatch) -> None:
        """Takes results that have become durable."""
        self._witnesses.take(results)

    def look(self, outages: Iterable[Outage], order: Callable[[str, Order], bool], now_us: int) -> None:
        """Asks what is worth asking about the open outages, by `order`."""
        presences = self._presences.all().values()
        live = [p.agent_id for p in presences if p.connected and p.state(now_us) is AgentState.LIVE]
        before = self._inquirer.withheld
        for errand in self._inquirer.look(outages, live, now_us):
            self._send(errand, order, now_us)
        self._metrics.withheld_probes.inc(self._inquirer.withheld - before)
        self._metrics.budget_left.set(self._inquirer.budget_left(live, now_us))

    def _send(self, errand: Errand, order: Callable[[str, Order], bool], now_us: int) -> None:
        told = order(errand.agent_id, errand.order)
        self._metrics.asked_probes.labels(errand.reason if told else "untold").inc(errand.probes)
        if told and isinstance(errand.order, Explain):
            self._pending.note(errand.agent_id, errand.order, now_us)

    def take_evidence(self, agent_id: str, evidence: Evidence) -> None:
        """Takes what an agent gathered; what was not asked for, or comes while too much waits, is counted."""
        try:
            proof = self._pending.take(agent_id, evidence, self._now_us())
            self._waiting.put_nowait(proof)
        except BadEvidence as error:
            self._metrics.proofs.labels(error.reason).inc()
        except asyncio.QueueFull:
            self._metrics.proofs.labels("full").inc()

    async def run(self) -> NoReturn:
        """Keeps proof as it comes."""
        while True:
            proofs = [await self._waiting.get()]
            while not self._waiting.empty():
                proofs.append(self._waiting.get_nowait())
            try:
                kept = await asyncio.to_thread(self._book.save_proofs, proofs)
            except RegistryError as error:
                _log.error("registry does not take proof", error=str(error), lost=len(proofs))
                kept = 0
            self._metrics.proofs.labels("kept").inc(kept)
            self._metrics.proofs.labels("unkept").inc(len(proofs) - kept)
            if kept:
                self._renewed()
