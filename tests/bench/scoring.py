"""How well a rule told what truly broke: found, right scope when, false alarms, delays, regions, ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from faultline_collector.outages import Outage, Scope
from faultline_collector.worlds.making import World
from faultline_collector.worlds.scenario import Truth, seconds
from faultline_collector.worlds.writing import regions_of, targets_of

EARLY_S, LATE_S = 60.0, 180.0
"""An outage told so long before a fault, or so long after its end, still speaks of it."""

LOSS = 0.0017
"""What a healthy probe fails: of 408,087 real pings."""

MOMENTS_S = (30, 60, 300)
"""After so many seconds it is asked what is told of a fault."""

NOTHING, ANOTHER = "nothing", "another subject"
"""What is told where nothing is, and where the scope is right but not its subject."""

_YEAR_S = 365.25 * 86_400
_TIMEOUT_S, _FAST_S = 10.0, 0.3


@dataclass(frozen=True, slots=True)
class Said:
    """An outage as a rule told it; times in seconds since the world's start."""

    scope: Scope
    subject: tuple[str, str]
    targets: frozenset[str]
    regions: frozenset[str]
    detected_s: float
    resolved_s: float | None
    onset_s: float | None = None
    confirmed_s: float | None = None
    named: tuple[tuple[float, Scope, tuple[str, str]], ...] = ()

    def at(self, moment_s: float) -> tuple[Scope, tuple[str, str]] | None:
        """Scope and subject as they were told at a moment; None before and after."""
        if self.detected_s > moment_s or (self.resolved_s is not None and self.resolved_s <= moment_s):
            return None
        past = [(scope, subject) for at_s, scope, subject in self.named if at_s <= moment_s]
        return past[-1] if past else (self.scope, self.subject)


def said_of(outage: Outage, world: World, course: Sequence[Outage] = ()) -> Said:
    """What Faultline told, in the form of all rules; `course` are the outage's changes in order."""

    def since(at_us: int | None) -> float | None:
        return None if at_us is None else (at_us - world.scenario.start_us) / 1e6

    return Said(
        scope=outage.scope,
        subject=(outage.subject.kind, outage.subject.id),
        targets=frozenset(outage.target_ids),
        regions=frozenset(outage.regions),
        detected_s=(outage.detected_us - world.scenario.start_us) / 1e6,
        resolved_s=since(outage.resolved_us),
        onset_s=since(outage.onset_us),
        confirmed_s=since(outage.confirmed_us),
        named=tuple(
            (since(one.changed_us) or 0.0, one.scope, (one.subject.kind, one.subject.id)) for one in course
        ),
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """What truly broke; times in seconds since the world's start."""

    scope: Scope
    subject: tuple[str, str]
    targets: frozenset[str]
    regions: frozenset[str]
    begin_s: float
    end_s: float
    optional: bool
    bound_s: float

    def concerns(self, said: Said) -> bool:
        """Whether an outage speaks of what this broke."""
        if said.subject == self.subject:
            return True
        if self.targets:
            return bool(said.targets & self.targets) and bool(said.regions & self.regions)
        return bool(said.regions) and said.regions <= self.regions

    def is_in_time(self, said: Said) -> bool:
        """Whether an outage was told while this was going on, or nearly so."""
        return self.begin_s - EARLY_S <= said.detected_s <= self.end_s + LATE_S

    def is_named_by(self, said: Said) -> bool:
        """Whether scope and subject are right."""
        return said.scope is self.scope and said.subject[1] == self.subject[1]

    def told_at(self, moment_s: float, mine: Sequence[Said]) -> str:
        """In a word what is told of this at a moment: what is right, if it is told, else the latest."""
        told = [name for said in mine if (name := said.at(moment_s)) is not None]
        if not told:
            return NOTHING
        right = any((scope, subject[1]) == (self.scope, self.subject[1]) for scope, subject in told)
        scope = self.scope if right else told[-1][0]
        return scope.value if right or scope is not self.scope else ANOTHER


def facts_of(world: World) -> list[Fact]:
    """What truly broke in a world."""
    return [
        Fact(
            scope=truth.scope,
            subject=(truth.subject.kind, truth.subject.id),
            targets=frozenset(targets_of(world.fleet, truth)),
            regions=frozenset(regions_of(world.fleet, truth)),
            begin_s=seconds(world.scenario, truth.began[0]),
            end_s=seconds(world.scenario, truth.ended[0]),
            optional=truth.optional,
            bound_s=bound_s(world, truth),
        )
        for truth in world.scenario.truth
    ]


def bound_s(world: World, truth: Truth) -> float:
    """The least mean delay that a fault allows, all probes that it hits taken for independent tries."""
    hit = regions_of(world.fleet, truth)
    agents = sum(a.region in hit and (not truth.asns or a.asn in truth.asns) for a in world.fleet.agents)
    agents = 1 if truth.subject.kind == "agent" else agents
    targets = len(targets_of(world.fleet, truth)) or len(world.fleet.targets)
    between_s = world.scenario.fleet.interval.total_seconds() / max(1, agents * targets)
    observed_s = _TIMEOUT_S if truth.layer == "timeout" else _FAST_S
    return observed_s + least_delay_s(between_s, truth.severity)


def least_delay_s(between_s: float, loss: float) -> float:
    """The least mean delay with one false alarm a target-year (Lorden 1971, Moustakides 1986), seconds.

    `between_s` lies between two tries, `loss` is what of them fails while it is out.
    """
    p1 = min(0.97, max(loss, 2 * LOSS))
    information = p1 * math.log(p1 / LOSS) + (1 - p1) * math.log((1 - p1) / (1 - LOSS))
    threshold = math.log(_YEAR_S / between_s)
    return between_s * max(math.ceil(threshold / math.log(p1 / LOSS)), threshold / information)


@dataclass(slots=True)
class Score:
    """Sums over worlds; `target_years` is the time watched times the targets."""

    faults: int = 0
    found: int = 0
    right: int = 0
    false: int = 0
    false_agents: int = 0
    on_blips: int = 0
    unresolved: int = 0
    told: int = 0
    notices: int = 0
    target_years: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    beyond_bound_s: list[float] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)
    onset_errors_s: list[float] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)
    bounds_s: list[float] = field(default_factory=list)
    scopes: dict[tuple[str, str], int] = field(default_factory=dict)
    scopes_at: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def add(self, world: World, said: Sequence[Said]) -> None:
        """Adds what a rule told of a world."""
        facts = facts_of(world)
        self.target_years += world.scenario.length_s / _YEAR_S * len(world.fleet.targets)
        claims = [_claimed(one, facts) for one in said]
        for fact in facts:
            if not fact.optional:
                self._judge(fact, [one for one, claimed in zip(said, claims, strict=True) if fact in claimed])
        for one, claimed in zip(said, claims, strict=True):
            self._count_false(one, claimed)

    def _judge(self, fact: Fact, mine: list[Said]) -> None:
        self.faults += 1
        mine.sort(key=lambda one: one.detected_s)
        named = [one for one in mine if fact.is_named_by(one)]
        told = (named or mine)[-1].scope.value if mine else "nothing"
        self.scopes[fact.scope.value, told] = self.scopes.get((fact.scope.value, told), 0) + 1
        self._ask_when(fact, mine)
        self.bounds_s.append(fact.bound_s)
        if not mine:
            return
        self.found += 1
        self.right += bool(named)
        self.told += len(mine)
        self.notices += sum(one.confirmed_s is not None for one in mine)
        delay_s = max(0.0, mine[0].detected_s - fact.begin_s)
        self.delays_s.append(delay_s)
        self.beyond_bound_s.append(delay_s - fact.bound_s)
        last = (named or mine)[-1]
        self.overlaps.append(len(last.regions & fact.regions) / max(1, len(last.regions | fact.regions)))
        if last.onset_s is not None:
            self.onset_errors_s.append(abs(last.onset_s - fact.begin_s))
        ends = [one.resolved_s for one in mine if one.resolved_s is not None]
        self.unresolved += len(ends) < len(mine)
        if len(ends) == len(mine):
            self.recoveries_s.append(max(ends) - fact.end_s)

    def _ask_when(self, fact: Fact, mine: list[Said]) -> None:
        """What is told some time after the beginning, of faults that last so long."""
        for after_s in MOMENTS_S:
            if fact.begin_s + after_s <= fact.end_s:
                key = (after_s, fact.scope.value, fact.told_at(fact.begin_s + after_s, mine))
                self.scopes_at[key] = self.scopes_at.get(key, 0) + 1

    def merge(self, other: "Score") -> None:
        """Adds what another score has counted."""
        for name in ("faults", "found", "right", "false", "false_agents", "on_blips", "unresolved", "told",
                     "notices", "target_years", "delays_s", "beyond_bound_s", "overlaps", "onset_errors_s",
                     "recoveries_s", "bounds_s"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for key, count in other.scopes.items():
            self.scopes[key] = self.scopes.get(key, 0) + count
        for moment, count in other.scopes_at.items():
            self.scopes_at[moment] = self.scopes_at.get(moment, 0) + count

    def right_at(self, after_s: int) -> tuple[int, int]:
        """Of how many faults scope and subject were right so long after the beginning, and of how many."""
        rows = [(true, told, n) for (at_s, true, told), n in self.scopes_at.items() if at_s == after_s]
        return sum(n for true, told, n in rows if true == told), sum(n for _, _, n in rows)

    def _count_false(self, one: Said, claimed: list[Fact]) -> None:
        if not claimed:
            self.false_agents += one.scope is Scope.AGENT
            self.false += one.scope is not Scope.AGENT
        elif all(fact.optional for fact in claimed):
            self.on_blips += one.confirmed_s is not None

    @property
    def overlap(self) -> float:
        """The mean overlap of regions (Jaccard)."""
        return fmean(self.overlaps) if self.overlaps else math.nan

    @property
    def false_a_year(self) -> tuple[float, float]:
        """False alarms a target-year, and the upper end of their one-sided 95 % interval."""
        return self.false / self.target_years, most_likely(self.false) / self.target_years


def _claimed(said: Said, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that an outage speaks of: those it names, else those of its scope, else any."""
    near = [fact for fact in facts if fact.concerns(said) and fact.is_in_time(said)]
    named = [fact for fact in near if fact.is_named_by(said)]
    kin = [fact for fact in near if fact.scope is said.scope and not fact.optional]
    return [fact for fact in named if not fact.optional] or named or kin or near


def quantile(values: Sequence[float], part: float) -> float:
    """A quantile; nan where there are no values."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def most_likely(count: int, confidence: float = 0.95) -> float:
    """The largest Poisson mean that a count does not speak against (Garwood 1936)."""
    low, high = 0.0, 10.0 + 4 * count
    for _ in range(60):
        middle = (low + high) / 2
        at_most = sum(math.exp(k * math.log(middle) - middle - math.lgamma(k + 1)) for k in range(count + 1))
        low, high = (middle, high) if at_most > 1 - confidence else (low, middle)
    return high
