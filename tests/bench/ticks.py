"""What a tick costs a collector that looks every second, as agents, targets and simultaneous faults grow.

Each fleet is judged in a process of its own, so that its memory is its own. Results come evenly spread; the
first time through every pair is left out of the figures.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.results import ResultBatch, Source
from tests.bench.rows import Row

SECOND_US = 1_000_000
EPOCH_US = 1_700_000_000_000_000
PER_SERVICE, PER_PROVIDER = 5, 100
WARM, WATCHED_S = 2.2, 120
"""Intervals before anything is watched, and seconds that are."""
NOISE = 0.001
"""Share of probes that fail by themselves, of all layers."""
LAYERS = (*(Outcome.TIMEOUT,) * 5, *(Outcome.CONNECT,) * 2, Outcome.DNS, Outcome.TLS, Outcome.HTTP)


@dataclass(frozen=True, slots=True)
class Shape:
    """A fleet: all agents probe all targets at `interval_s`; `faults` services fail everywhere at once."""

    agents: int
    targets: int
    interval_s: float
    faults: int = 0

    @property
    def rate(self) -> float:
        """Results a second."""
        return self.agents * self.targets / self.interval_s

    @property
    def name(self) -> str:
        """As the table names it."""
        return f"{self.agents} x {self.targets}, {self.rate:.0f}/s, {self.faults} faults"


SHAPES = (
    Shape(100, 100, 30),
    Shape(1000, 100, 30),
    Shape(100, 1000, 30),
    Shape(1000, 1000, 30),
    Shape(1000, 1000, 30, faults=1),
    Shape(1000, 1000, 30, faults=5),
    Shape(1000, 1000, 30, faults=20),
    Shape(1000, 10_000, 66.7),
    Shape(1000, 10_000, 66.7, faults=1),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the watched seconds: CPU a result in calm ticks, share of a core, ticks, memory, outages told."""

    us_a_result: float
    core: float
    tick_p50_ms: float
    tick_worst_ms: float
    memory_mb: float
    told: int


def fleet_of(shape: Shape) -> Fleet:
    """Agents in twenty regions on sixty networks; services of five targets, providers of a hundred."""
    return Fleet(
        regions=tuple(Region(f"r{i:02d}", f"R{i}", f"C{i // 2}", 0, 0) for i in range(20)),
        networks=tuple(Network(64500 + i, f"AS{64500 + i}") for i in range(60)),
        providers=tuple(Provider(f"p{i}", f"P{i}") for i in range(-(-shape.targets // PER_PROVIDER))),
        services=tuple(Service(f"s{i}", f"S{i}", ("web",)) for i in range(-(-shape.targets // PER_SERVICE))),
        agents=tuple(
            Agent(f"a{i:04d}", f"r{i % 20:02d}", f"C{i % 20 // 2}", 64500 + i % 60)
            for i in range(shape.agents)
        ),
        targets=tuple(
            Target(
                f"t{i:05d}", f"s{i // PER_SERVICE}", "web", f"p{i // PER_PROVIDER}", "http", shape.interval_s
            )
            for i in range(shape.targets)
        ),
    )


class Feed:
    """The results of each second: agent after agent goes through its targets, each from its own first."""

    def __init__(self, shape: Shape, fleet: Fleet) -> None:
        self._shape = shape
        self._sources = tuple(Source(agent.id, "spool") for agent in fleet.agents)
        self._targets = tuple(target.id for target in fleet.targets)
        self._rng = np.random.default_rng(1)
        self._next = 0

    def second(self, at_s: int, *, failing: bool) -> ResultBatch:
        """What is received from `at_s` to a second later, in order of receipt."""
        shape = self._shape
        end = int(shape.rate * (at_s + 1))
        index = np.arange(self._next, end)
        self._next = end
        agent = (index % shape.agents).astype(np.int32)
        target = ((index // shape.agents + 7 * agent) % shape.targets).astype(np.int32)
        received = EPOCH_US + (index / shape.rate * SECOND_US).astype(np.int64)
        took = (20_000 + (target * 131 + agent) % 100 * 1000 + self._rng.integers(0, 900, index.size)).astype(
            np.int32
        )
        n = index.size
        outcome = np.full(n, Outcome.OK, np.uint8)
        noise = self._rng.random(n) < NOISE
        outcome[noise] = self._rng.choice(LAYERS, noise.sum())
        if failing:
            service = target // PER_SERVICE
            outcome[(service % 20 == 3) & (service // 20 < shape.faults)] = Outcome.HTTP
        return ResultBatch(
            sources=self._sources, source=agent, target_ids=self._targets, target=target,
            sequence=(index // shape.agents + 1).astype(np.uint64),
            started_us=received - took - 50_000, offset_us=np.zeros(n, np.int64), received_us=received,
            attempt=np.zeros(n, np.uint8), outcome=outcome,
            status=np.zeros(n, np.uint16), family=np.full(n, 4, np.uint8), flags=np.zeros(n, np.uint8),
            timings_us={"total": took},
        )  # fmt: skip


def cost(shape: Shape) -> Cost:
    """Lets a detector watch a fleet, a tick a second; faults begin with the watched seconds."""
    fleet = fleet_of(shape)
    detector, feed = Detector(fleet), Feed(shape, fleet)
    spent: list[float] = []
    told: set[str] = set()
    warm_s = int(WARM * shape.interval_s)
    for at_s in range(warm_s + WATCHED_S):
        watched = at_s >= warm_s
        results = feed.second(at_s, failing=watched)
        began = time.process_time()
        detector.observe(results)
        changed = detector.tick(EPOCH_US + (at_s + 1) * SECOND_US)
        if watched:
            spent.append(time.process_time() - began)
            told |= {outage.id for outage in changed}
    return Cost(
        us_a_result=sum(spent) / len(spent) / shape.rate * 1e6,
        core=sum(spent) / len(spent),
        tick_p50_ms=float(np.median(spent)) * 1e3,
        tick_worst_ms=max(spent) * 1e3,
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        told=len(told),
    )


def measured(shape: Shape) -> Cost:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.ticks", json.dumps(asdict(shape))]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800)
    return Cost(**json.loads(done.stdout))


def run() -> list[Row]:
    rows: list[Row] = []
    for shape in SHAPES:
        seen = measured(shape)
        rows += [
            {"name": f"{shape.name}: evidence and verdict", "value": seen.core * 100, "unit": "% of a core"},
            {"name": f"{shape.name}: a result", "value": seen.us_a_result, "unit": "us CPU"},
            {"name": f"{shape.name}: tick, median", "value": seen.tick_p50_ms, "unit": "ms CPU"},
            {"name": f"{shape.name}: tick, worst", "value": seen.tick_worst_ms, "unit": "ms CPU"},
            {"name": f"{shape.name}: memory", "value": seen.memory_mb, "unit": "MB"},
            {"name": f"{shape.name}: told", "value": seen.told, "unit": "outages"},
        ]
    return rows


if __name__ == "__main__":
    print(json.dumps(asdict(cost(Shape(**json.loads(sys.argv[1]))))))
