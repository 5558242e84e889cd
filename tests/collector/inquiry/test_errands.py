"""What is asked goes out, and what comes back is kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faultline.outcomes import Outcome
from faultline_collector.inquiry.errands import Errands
from faultline_collector.inquiry.orders import Evidence, Explain, Order, ProbeNow, Proof
from faultline_collector.metrics import Metrics
from faultline_collector.outages import State
from faultline_collector.presence import Presences
from faultline_collector.registry.database import RegistryError
from faultline_collector.registry.proofs import MOST_PROOFS
from faultline_collector.registry.registry import Registry
from tests.collector.inquiry.scenes import AGENTS, FLEET, HOUR_US, MINUTE_US, NOW_US, outage, results


@dataclass
class Book:
    """Keeps proof in a list, or fails."""

    kept: list[Proof] = field(default_factory=list)
    broken: bool = False

    def save_proofs(self, proofs: Sequence[Proof]) -> int:
        """Keeps all."""
        if self.broken:
            raise RegistryError("the disk is full")
        self.kept += proofs
        return len(proofs)


@dataclass
class Desk:
    """Errands among stand-ins; every agent is there, east-64500 fails."""

    book: Book = field(default_factory=Book)
    told: list[tuple[str, Order]] = field(default_factory=list)
    renewed: int = 0
    deaf: bool = False
    most_waiting: int = 20

    def __post_init__(self) -> None:
        self.metrics, self.presences, self.now_us = Metrics(), Presences(), NOW_US - 2 * HOUR_US
        self.errands = Errands(
            FLEET,
            40.0,
            self.book,
            self.presences,
            self.metrics,
            lambda: self.now_us,
            self._renew,
            most_waiting=self.most_waiting,
        )
        self.now_us = NOW_US - HOUR_US
        everyone = ((agent.id, "c-web", Outcome.OK) for agent in AGENTS)
        self.errands.take(results(*everyone, at_us=self.now_us))
        self.now_us = NOW_US
        self.errands.take(results(("east-64500", "a-web", Outcome.CONNECT)))
        for agent in AGENTS:
            self.presences.note(agent.id, NOW_US, connected=True)

    def _renew(self) -> None:
        self.renewed += 1

    def order(self, agent_id: str, order: Order) -> bool:
        """Notes what an agent is told."""
        if not self.deaf:
            self.told.append((agent_id, order))
        return not self.deaf

    def look(self) -> None:
        """Looks at one suspicion."""
        self.errands.look([outage()], self.order, self.now_us)

    def value(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def answer(self, agent_id: str, order: Explain, kind: str = "dns") -> None:
        """An agent gives what it was asked for."""
        said = Evidence(order.request_id, order.target_id, kind, self.now_us, json.dumps({"of": agent_id}))
        self.errands.take_evidence(agent_id, said)

    @property
    def explains(self) -> list[tuple[str, Explain]]:
        """Who was asked for proof."""
        return [(agent_id, order) for agent_id, order in self.told if isinstance(order, Explain)]


@asynccontextmanager
async def keeping(desk: Desk) -> AsyncIterator[None]:
    """Runs what keeps proof."""
    task = asyncio.create_task(desk.errands.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def settled(desk: Desk, fate: str, count: int) -> None:
    """Waits until so many pieces of proof have met that fate."""
    async with asyncio.timeout(30):
        while desk.value("faultline_proofs_total", fate=fate) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_orders_go_out_and_are_counted() -> None:
    """By reason; what is left of the budget stands beside it."""
    desk = Desk()
    before = 3 * (600 + 3 * 480) * 0.05
    desk.look()
    probes = sum(len(order.target_ids) for _, order in desk.told if isinstance(order, ProbeNow))
    assert probes == desk.value("faultline_asked_probes_total", reason="suspected") > 0
    assert len(desk.explains) == desk.value("faultline_asked_probes_total", reason="proof") == 3
    assert desk.value("faultline_probe_budget_left") == before - probes - 3


async def test_agents_that_are_not_there_are_not_asked() -> None:
    """Neither those whose session has ended nor those that are unwell, silent or were never seen."""
    desk = Desk()
    for agent in AGENTS[2:]:
        desk.presences.left(agent.id)
    desk.presences.note(AGENTS[1].id, NOW_US, well=False)
    desk.look()
    assert {agent_id for agent_id, _ in desk.told} == {AGENTS[0].id}
    silent = Desk()
    silent.now_us += MINUTE_US
    silent.look()
    assert silent.told == []


async def test_proof_is_kept_with_its_outage_and_shown() -> None:
    """Also when many pieces come at once."""
    desk = Desk()
    desk.look()
    async with keeping(desk):
        for agent_id, order in desk.explains:
            for kind in order.kinds:
                desk.answer(agent_id, order, kind)
        await settled(desk, "kept", 12)
    assert {(proof.outage_id, proof.failing) for proof in desk.book.kept} == {("o-1", True), ("o-1", False)}
    assert desk.renewed >= 1


async def test_proof_that_cannot_be_kept_or_was_not_asked_for_is_counted() -> None:
    """A registry that fails stops nothing; a stranger's word is refused; the queue is bounded."""
    desk = Desk(Book(broken=True), most_waiting=2)
    desk.look()
    agent_id, order = desk.explains[0]
    async with keeping(desk):
        desk.answer(agent_id, order)
        desk.answer("stranger", order, "story")
        await settled(desk, "unkept", 1)
    assert desk.value("faultline_proofs_total", fate="not_asked") == 1
    assert desk.renewed == 0
    for kind in ("story", "certificate", "traceroute"):
        desk.answer(agent_id, order, kind)
    assert desk.value("faultline_proofs_total", fate="full") == 1


async def test_an_agent_that_cannot_be_told_is_counted_and_not_waited_for() -> None:
    """Its session may have ended a moment ago."""
    desk = Desk(deaf=True)
    desk.look()
    assert desk.value("faultline_asked_probes_total", reason="untold") > 0
    assert desk.value("faultline_asked_probes_total", reason="suspected") == 0


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with one outage."""
    one = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    one.save_outages([outage()])
    return one


def proof(outage_id: str = "o-1", number: int = 0) -> Proof:
    """A piece of proof."""
    return Proof(outage_id, "east-64500", "a-web", "dns", True, NOW_US, {"number": number})


def test_the_registry_keeps_proof_in_order_and_of_known_outages_only(registry: Registry) -> None:
    """It is there as long as the outage, whatever becomes of that."""
    assert registry.save_proofs([proof(), proof("nobody's"), proof(number=1)]) == 2
    registry.save_outages([outage(state=State.CONFIRMED)])
    assert registry.proofs("o-1") == (proof(), proof(number=1))
    assert registry.proofs("nobody's") == ()
    registry.close()


def test_the_proof_of_one_outage_is_bounded(registry: Registry) -> None:
    """The first pieces are kept: they are of the moment of failure."""
    assert registry.save_proofs([proof(number=i) for i in range(MOST_PROOFS + 5)]) == MOST_PROOFS
    assert [kept.data["number"] for kept in registry.proofs("o-1")] == list(range(MOST_PROOFS))
    registry.close()
