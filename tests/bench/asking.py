"""What asking brings: the same made world, once with agents asked to probe now and once without."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from statistics import median

import numpy as np

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.inquiry.inquirer import Inquirer
from faultline_collector.inquiry.orders import ProbeNow
from faultline_collector.inquiry.witnesses import Witnesses
from faultline_collector.outages import Outage, State
from faultline_collector.results import ResultBatch, Source
from tests.bench.rows import Row

START_US, SECOND_US = 1_800_000_000_000_000, 1_000_000
REGIONS, ASNS, SERVICES = 5, 4, 8
INTERVAL_S, TIMEOUT_S, RETRY_S, NOISE = 30.0, 5.0, 1.0, 0.002
WARM_S, LASTS_S, GAP_S = 600, 150, 330

REGION_IDS = tuple(f"r{i}" for i in range(REGIONS))
ASN_IDS = tuple(64500 + i for i in range(ASNS))
FLEET = Fleet(
    regions=tuple(Region(r, r, "IN", 0.0, 0.0) for r in REGION_IDS),
    networks=tuple(Network(asn, str(asn)) for asn in ASN_IDS),
    providers=tuple(Provider(f"p{i}", f"p{i}") for i in range(4)),
    services=tuple(Service(f"s{i:02}", f"s{i:02}", ("web",)) for i in range(SERVICES)),
    agents=tuple(Agent(f"{r}-{asn}", r, "IN", asn) for r in REGION_IDS for asn in ASN_IDS),
    targets=tuple(
        Target(f"s{i:02}-web", f"s{i:02}", "web", f"p{i % 4}", "http", INTERVAL_S) for i in range(SERVICES)
    ),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What fails: of these regions, networks and targets (empty: of all) a share, as a timeout or at once."""

    scope: str
    subject: str
    regions: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()
    providers: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    outcome: Outcome = Outcome.CONNECT

    def hits(self, agent: Agent, target: Target) -> bool:
        """Whether that agent cannot reach that target."""
        return (
            (not self.regions or agent.region in self.regions)
            and (not self.asns or agent.asn in self.asns)
            and (not self.providers or target.provider in self.providers)
            and (not self.services or target.service in self.services)
        )


FAULTS = (
    Fault("regional", "s03", regions=("r2",), services=("s03",)),
    Fault("network", "64501", asns=(64501,), outcome=Outcome.TIMEOUT),
    Fault("provider", "p1", providers=("p1",)),
    Fault("global", "s07", services=("s07",), outcome=Outcome.HTTP),
    Fault("regional", "s05", regions=("r4",), services=("s05",), outcome=Outcome.TIMEOUT),
)
LENGTH_S = WARM_S + len(FAULTS) * (LASTS_S + GAP_S)


@dataclass(frozen=True, slots=True, order=True)
class Result:
    """One probe's result, by when it is received; seconds since the start."""

    received_s: float
    agent: int
    target: int
    started_s: float = field(compare=False)
    outcome: Outcome = field(compare=False)
    attempt: int = field(compare=False, default=0)
    asked: bool = field(compare=False, default=False)


class World:
    """Gives results second by second; extra probes may be asked for in between."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._coming: list[Result] = []
        cells = [(a, t) for a in range(len(FLEET.agents)) for t in range(len(FLEET.targets))]
        self._starts = [(self._random.random() * INTERVAL_S, a, t) for a, t in cells]
        heapq.heapify(self._starts)
        self.probes = self.asked = 0

    def second(self, now_s: float) -> list[Result]:
        """What is received up to now."""
        while self._starts[0][0] <= now_s:
            at_s, agent, target = self._starts[0]
            heapq.heapreplace(self._starts, (at_s + INTERVAL_S, agent, target))
            self.probes += 1
            self._probe(at_s, agent, target)
        found = []
        while self._coming and self._coming[0].received_s <= now_s:
            found.append(heapq.heappop(self._coming))
        return found

    def ask(self, now_s: float, agent: int, target: int) -> None:
        """An extra probe, a moment later."""
        self.asked += 1
        self._probe(now_s + 0.1 + self._random.random() / 5, agent, target, asked=True)

    def _probe(self, at_s: float, agent: int, target: int, *, asked: bool = False) -> None:
        outcome = self._found(at_s, agent, target)
        took_s = TIMEOUT_S if outcome is Outcome.TIMEOUT else 0.1
        heapq.heappush(self._coming, Result(at_s + took_s + 0.1, agent, target, at_s, outcome, 0, asked))
        if outcome is not Outcome.OK and not asked:
            again_s = at_s + took_s + RETRY_S
            outcome = self._found(again_s, agent, target)
            took_s = TIMEOUT_S if outcome is Outcome.TIMEOUT else 0.1
            heapq.heappush(self._coming, Result(again_s + took_s + 0.1, agent, target, again_s, outcome, 1))

    def _found(self, at_s: float, agent: int, target: int) -> Outcome:
        number, within_s = divmod(at_s - WARM_S, LASTS_S + GAP_S)
        if 0 <= number < len(FAULTS) and within_s < LASTS_S:
            fault = FAULTS[int(number)]
            if fault.hits(FLEET.agents[agent], FLEET.targets[target]):
                return fault.outcome
        return Outcome.CONNECT if self._random.random() < NOISE else Outcome.OK


_SOURCES = tuple(Source(agent.id, "spool") for agent in FLEET.agents)
_TARGETS = tuple(target.id for target in FLEET.targets)


def batch(results: list[Result]) -> ResultBatch:
    """The results as the collector has them."""
    n = len(results)
    took = [0.0 if r.outcome is not Outcome.TIMEOUT else TIMEOUT_S for r in results]
    return ResultBatch(
        sources=_SOURCES,
        source=np.array([r.agent for r in results], np.int32),
        target_ids=_TARGETS,
        target=np.array([r.target for r in results], np.int32),
        sequence=np.arange(1, n + 1, dtype=np.uint64),
        started_us=np.array([START_US + round(r.started_s * 1e6) for r in results], np.int64),
        offset_us=np.zeros(n, np.int64),
        received_us=np.array([START_US + round(r.received_s * 1e6) for r in results], np.int64),
        attempt=np.array([r.attempt for r in results], np.uint8),
        outcome=np.array([int(r.outcome) for r in results], np.uint8),
        status=np.zeros(n, np.uint16),
        family=np.full(n, 4, np.uint8),
        flags=np.array([Flag.ASKED * r.asked for r in results], np.uint8),
        timings_us={"total": np.array([round(1e5 + t * 1e6) for t in took], np.int32)},
        details=(),
        detail=np.full(n, -1, np.int32),
    )


@dataclass(slots=True)
class Seen:
    """What a run found: each outage as it changed, with the second; and how much was asked."""

    changes: list[tuple[int, Outage]] = field(default_factory=list)
    probes: int = 0
    asked: int = 0

    def delays(self, state: State, *, after_end: bool = False) -> Iterator[float]:
        """Seconds from a fault's begin (or end) to that state of the right outage; none counts as its end."""
        for number, fault in enumerate(FAULTS):
            begin_s = WARM_S + number * (LASTS_S + GAP_S)
            since_s = begin_s + LASTS_S if after_end else begin_s
            yield min(
                (
                    at_s - since_s
                    for at_s, outage in self.changes
                    if outage.state is state
                    and since_s <= at_s < begin_s + LASTS_S + GAP_S
                    and (outage.scope.value, outage.subject.id) == (fault.scope, fault.subject)
                ),
                default=float(LASTS_S + GAP_S),
            )

    @property
    def confirmed(self) -> int:
        """How many outages were ever confirmed."""
        return len({outage.id for _, outage in self.changes if outage.state is State.CONFIRMED})


def play(seed: int, *, asks: bool) -> Seen:
    """One run of the world."""
    world, seen, witnesses = World(seed), Seen(), Witnesses()
    detector = Detector(FLEET, EngineSettings())
    inquirer = Inquirer(FLEET, witnesses, round(EngineSettings().hold_s * 1e6), START_US)
    agents = {agent.id: row for row, agent in enumerate(FLEET.agents)}
    targets = {target_id: column for column, target_id in enumerate(_TARGETS)}
    for now_s in range(1, LENGTH_S):
        now_us = START_US + now_s * SECOND_US
        if results := batch(world.second(now_s)):
            detector.observe(results)
            witnesses.take(results)
        seen.changes += [(now_s, outage) for outage in detector.tick(now_us)]
        if asks:
            for errand in inquirer.look(detector.outages(), agents.keys(), now_us):
                if isinstance(errand.order, ProbeNow):
                    for target_id in errand.order.target_ids:
                        world.ask(now_s, agents[errand.agent_id], targets[target_id])
    seen.probes, seen.asked = world.probes, world.asked
    return seen


def run(seeds: tuple[int, ...] = (1, 2, 3)) -> list[Row]:
    """Delays of six faults a world, with asking beside without."""
    asked = [play(seed, asks=True) for seed in seeds]
    plain = [play(seed, asks=False) for seed in seeds]
    rows: list[Row] = []
    for name, state, after_end in (
        ("suspected, right scope", State.SUSPECTED, False),
        ("confirmed, right scope", State.CONFIRMED, False),
        ("resolved after the end", State.RESOLVED, True),
    ):
        delays = [
            [d for seen in runs for d in seen.delays(state, after_end=after_end)] for runs in (asked, plain)
        ]
        rows.append(_row(f"asking.{name}, median", "s", *map(median, delays)))
        rows.append(_row(f"asking.{name}, worst", "s", *map(max, delays)))
    confirmed = [float(sum(seen.confirmed for seen in runs)) for runs in (asked, plain)]
    rows.append(_row("asking.outages confirmed", "", *confirmed))
    more = sum(seen.asked for seen in asked) / sum(seen.probes for seen in asked)
    rows.append({"name": "asking.probes more", "value": round(100 * more, 2), "unit": "%"})
    return rows


def _row(name: str, unit: str, value: float, peer_value: float) -> Row:
    row: Row = {"name": name, "value": round(value, 1), "unit": unit, "peer": "not asking"}
    row["peer_value"] = round(peer_value, 1)
    if peer_value:
        row["ratio"] = round(value / peer_value, 2)
    return row
