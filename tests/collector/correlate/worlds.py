"""Small made-up worlds: a fleet, and what it sees second by second."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import ResultBatch, Source

EPOCH_US = 1_700_000_000_000_000
SECOND_US = 1_000_000

Fault = Callable[[Agent, Target, float], Outcome | None]


def lab_fleet(countries: int = 4, services: int = 12, interval_s: float = 5.0, components: int = 1) -> Fleet:
    """Countries of three regions and three country-wide networks, an agent each; four providers."""
    agents = tuple(
        Agent(f"c{c}-r{r}-{n}", f"c{c}-r{r}", f"C{c}", 100 * (c + 1) + n)
        for c in range(countries)
        for r in range(3)
        for n in range(3)
    )
    targets = tuple(
        Target(f"s{s:02d}-{k}", f"s{s:02d}", f"part{k}", f"p{s % 4}", "http", interval_s)
        for s in range(services)
        for k in range(components)
    )
    return Fleet(
        regions=tuple(Region(r, r, "C", 0, 0) for r in sorted({a.region for a in agents})),
        networks=tuple(Network(n, f"AS{n}") for n in sorted({a.asn for a in agents})),
        providers=tuple(Provider(f"p{p}", f"p{p}") for p in range(4)),
        services=tuple(
            Service(f"s{s:02d}", f"s{s:02d}", tuple(f"part{k}" for k in range(components)))
            for s in range(services)
        ),
        agents=agents,
        targets=targets,
    )


@dataclass
class World:
    """A detector and a fleet that probes on schedule; `fault` says how a probe fails, None for not at all."""

    fleet: Fleet
    settings: EngineSettings = field(default_factory=lambda: EngineSettings(hold_s=7))
    seed: int = 1
    noise: float = 0.0005
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self.detector = Detector(self.fleet, self.settings)
        self.rng = np.random.default_rng(self.seed)
        self.phase = self.rng.random((len(self.fleet.agents), len(self.fleet.targets)))
        self.last: dict[str, Outage] = {}
        self.silent: set[str] = set()
        self.sequence = 0

    def run(self, seconds: float, fault: Fault = lambda agent, target, at: None) -> Self:
        """Lets time pass, a second a tick."""
        end = self.now_s + seconds
        while self.now_s < end:
            self.detector.observe(self.second(self.now_s, fault))
            self.now_s += 1.0
            for outage in self.detector.tick(self.now_us):
                self.last[outage.id] = outage
        return self

    @property
    def now_us(self) -> int:
        """The present."""
        return EPOCH_US + round(self.now_s * SECOND_US)

    def second(self, at_s: float, fault: Fault) -> ResultBatch:
        """What is received in one second."""
        rows: list[tuple[str, str, float, Outcome]] = []
        for a, agent in enumerate(self.fleet.agents):
            if agent.id in self.silent:
                continue
            for t, target in enumerate(self.fleet.targets):
                start = at_s + (self.phase[a, t] * target.interval_s - at_s) % target.interval_s
                if start < at_s + 1.0:
                    outcome = fault(agent, target, start)
                    if outcome is None and self.rng.random() < self.noise:
                        outcome = Outcome.TIMEOUT
                    rows.append((agent.id, target.id, start, outcome or Outcome.OK))
        return self.batch(rows)

    def batch(
        self, rows: Iterable[tuple[str, str, float, Outcome]], *, delay_s: float = 0.2, flags: int = 0
    ) -> ResultBatch:
        """Results as columns, received `delay_s` after they ended."""
        rows = list(rows)
        sources = tuple(Source(a.id, "x") for a in self.fleet.agents)
        names = {a.id: i for i, a in enumerate(self.fleet.agents)}
        targets = tuple(t.id for t in self.fleet.targets)
        places = {t: i for i, t in enumerate(targets)}
        n = len(rows)
        started = np.array([EPOCH_US + round(s * SECOND_US) for _, _, s, _ in rows], np.int64)
        self.sequence += n
        return ResultBatch(
            sources=sources,
            source=np.array([names[a] for a, _, _, _ in rows], np.int32),
            target_ids=targets,
            target=np.array([places[t] for _, t, _, _ in rows], np.int32),
            sequence=np.arange(self.sequence - n + 1, self.sequence + 1, dtype=np.uint64),
            started_us=started,
            offset_us=np.zeros(n, np.int64),
            received_us=started + 100_000 + round(delay_s * SECOND_US),
            attempt=np.zeros(n, np.uint8),
            outcome=np.array([o for _, _, _, o in rows], np.uint8),
            status=np.zeros(n, np.uint16),
            family=np.zeros(n, np.uint8),
            flags=np.full(n, flags, np.uint8),
            timings_us={"total": np.full(n, 100_000, np.int32)},
        )

    def told(self) -> list[tuple[Scope, str]]:
        """What was ever told, in order: scope and subject in their last word."""
        return [(o.scope, o.subject.id) for o in sorted(self.last.values(), key=lambda o: o.detected_us)]

    def open(self) -> list[Outage]:
        """What is open."""
        return [o for o in self.last.values() if o.state.is_open]

    def states(self) -> set[State]:
        """The states of all that was told."""
        return {o.state for o in self.last.values()}
