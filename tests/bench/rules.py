"""The rules in use today: each is given every result in order of receipt and looks each five seconds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from faultline.outcomes import Outcome
from faultline_collector.outages import Scope
from faultline_collector.worlds.making import World
from tests.bench.scoring import Said

STEP_S = 5.0
FRESH_S = 300.0

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Votes:
    """What each cell (agent x target) said last, and how often in a row; old votes are not counted."""

    last_s: Floats
    fails: npt.NDArray[np.int64]
    oks: npt.NDArray[np.int64]
    region: npt.NDArray[np.int64]
    regions: int
    interval_s: float
    now_s: float = 0.0
    belief: Floats = field(default_factory=lambda: np.empty(0))
    held_s: dict[str, Floats] = field(default_factory=dict)

    @property
    def fresh(self) -> Bools:
        """Which cells were heard lately."""
        return self.now_s - self.last_s < FRESH_S

    def down(self, fails: int) -> Bools:
        """Which cells failed so often in a row."""
        return (self.fails >= fails) & self.fresh

    def share(self, fails: int) -> Floats:
        """By target, which share of the fresh agents says that it is down."""
        share: Floats = self.down(fails).sum(axis=0) / self.fresh.sum(axis=0).clip(1)
        return share

    def lasting(self, name: str, bad: Bools, seconds: float) -> Bools:
        """Which of the targets have been bad for so long."""
        held = self.held_s.setdefault(name, np.zeros(bad.size))
        held[:] = np.where(bad, held + STEP_S, 0.0)
        return held >= seconds


Verdict = Callable[[Votes], Bools]
"""By region (row) and target (column), whether it is down there."""


def everywhere(votes: Votes, down: Bools) -> Bools:
    """A rule that knows no regions."""
    return np.tile(down, (votes.regions, 1))


def route53(votes: Votes) -> Bools:
    """Healthy while more than 18 % of the checkers say so, each after three in a row."""
    return everywhere(votes, (1 - votes.share(3) <= 0.18) & votes.fresh.any(axis=0))


def quorum(votes: Votes) -> Bools:
    """The majority of each region, each after two in a row."""
    down, heard = (np.zeros((votes.regions, votes.last_s.shape[1])) for _ in range(2))
    np.add.at(down, votes.region, votes.down(2))
    np.add.at(heard, votes.region, votes.fresh)
    majority: Bools = down / heard.clip(1) > 0.5
    return majority


def prometheus(votes: Votes) -> Bools:
    """The average of all vantages below a half, for two minutes."""
    return everywhere(votes, votes.lasting("prometheus", votes.share(1) > 0.5, 120.0))


def any_n(votes: Votes) -> Bools:
    """At least three regions, any of their agents, for a minute."""
    down = np.zeros((votes.regions, votes.last_s.shape[1]), bool)
    np.logical_or.at(down, votes.region, votes.down(2))
    return everywhere(votes, votes.lasting("any-n", down.sum(axis=0) >= 3, 60.0))


def one_vantage(votes: Votes) -> Bools:
    """One agent, after four in a row."""
    return everywhere(votes, votes.down(4)[0])


def trinocular(votes: Votes) -> Bools:
    """A belief a target from all answers, down below 0.1 until it is above 0.9 (Quan et al. 2013)."""
    state = votes.held_s.setdefault("trinocular", np.zeros(votes.last_s.shape[1]))
    state[votes.belief < 0.1] = 1.0
    state[votes.belief > 0.9] = 0.0
    return everywhere(votes, state > 0)


RULES: dict[str, Verdict] = {
    "quorum": quorum,
    "Route 53": route53,
    "Prometheus average": prometheus,
    "any 3 regions": any_n,
    "one vantage": one_vantage,
    "Trinocular": trinocular,
}


def steps(world: World) -> Iterator[Votes]:
    """The votes as they stand at each look."""
    results, fleet = world.results, world.fleet
    shape = (len(fleet.agents), len(fleet.targets))
    regions = [region.id for region in fleet.regions]
    votes = Votes(
        last_s=np.full(shape, -np.inf),
        fails=np.zeros(shape, np.int64),
        oks=np.zeros(shape, np.int64),
        region=np.array([regions.index(agent.region) for agent in fleet.agents]),
        regions=len(regions),
        interval_s=world.scenario.fleet.interval.total_seconds(),
        belief=np.full(shape[1], 0.99),
    )
    received = (results.received_us - world.scenario.start_us) / 1e6
    started = (results.started_us - world.scenario.start_us) / 1e6
    known = results.outcome != Outcome.INCONCLUSIVE
    upto = 0
    while votes.now_s < world.scenario.length_s + 60:
        votes.now_s += STEP_S
        first, upto = upto, int(np.searchsorted(received, votes.now_s, "right"))
        part = np.flatnonzero(known[first:upto]) + first
        _take(votes, results.source[part], results.target[part], started[part], results.outcome[part])
        yield votes


def _take(
    votes: Votes,
    agent: npt.NDArray[np.int32],
    target: npt.NDArray[np.int32],
    started: Floats,
    outcome: npt.NDArray[np.uint8],
) -> None:
    new = started > votes.last_s[agent, target]
    agent, target, started, bad = agent[new], target[new], started[new], outcome[new] != Outcome.OK
    votes.last_s[agent, target] = started
    votes.fails[agent, target] = np.where(bad, votes.fails[agent, target] + 1, 0)
    votes.oks[agent, target] = np.where(bad, 0, votes.oks[agent, target] + 1)
    _believe(votes, target, bad)


def _believe(votes: Votes, target: npt.NDArray[np.int32], bad: Bools) -> None:
    """Bayes for each answer: up answers at 0.98, down at 0.01; a belief stays within 0.01 and 0.99."""
    answers = np.zeros((2, votes.belief.size))
    np.add.at(answers, (bad.astype(int), target), 1)
    odds = np.log(votes.belief / (1 - votes.belief))
    odds += answers[0] * np.log(0.98 / 0.01) + answers[1] * np.log(0.02 / 0.99)
    votes.belief = (1 / (1 + np.exp(-odds.clip(-50, 50)))).clip(0.01, 0.99)


@dataclass(slots=True)
class Open:
    """An outage that a rule has opened."""

    since_s: float
    targets: set[str] = field(default_factory=set)
    regions: set[int] = field(default_factory=set)
    named: list[tuple[float, Scope]] = field(default_factory=list)


class Clerk:
    """Makes outages by service out of a rule's verdicts."""

    def __init__(self, world: World) -> None:
        self._fleet = world.fleet
        self._open: dict[str, Open] = {}
        self.told: list[Said] = []

    def note(self, now_s: float, down: Bools) -> None:
        """Opens, widens and closes."""
        out: dict[str, Open] = {}
        for column in np.flatnonzero(down.any(axis=0)):
            target = self._fleet.targets[column]
            one = out.setdefault(target.service, Open(now_s))
            one.targets.add(target.id)
            one.regions |= set(np.flatnonzero(down[:, column]).tolist())
        for service in list(self._open.keys() - out.keys()):
            self.told.append(self._said(service, self._open.pop(service), now_s))
        for service, one in out.items():
            known = self._open.setdefault(service, one)
            known.targets |= one.targets
            known.regions |= one.regions
            scope = self._scope(known)
            if not known.named or known.named[-1][1] is not scope:
                known.named.append((now_s, scope))

    def _scope(self, one: Open) -> Scope:
        return Scope.GLOBAL if len(one.regions) > len(self._fleet.regions) / 2 else Scope.REGIONAL

    def end(self) -> list[Said]:
        """All that was told, also what was never closed."""
        return self.told + [self._said(service, one, None) for service, one in self._open.items()]

    def _said(self, service: str, one: Open, end_s: float | None) -> Said:
        return Said(
            scope=self._scope(one),
            subject=("service", service),
            targets=frozenset(one.targets),
            regions=frozenset(self._fleet.regions[r].id for r in one.regions),
            detected_s=one.since_s,
            resolved_s=end_s,
            confirmed_s=one.since_s,
            named=tuple((at_s, scope, ("service", service)) for at_s, scope in one.named),
        )


def told_by_rules(world: World) -> dict[str, list[Said]]:
    """What each rule tells of a world."""
    clerks = {name: Clerk(world) for name in RULES}
    for votes in steps(world):
        for name, rule in RULES.items():
            clerks[name].note(votes.now_s, rule(votes))
    return {name: clerk.end() for name, clerk in clerks.items()}
