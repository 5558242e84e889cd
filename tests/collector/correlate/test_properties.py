"""What must hold whatever is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Outage, Scope
from faultline_collector.results import ResultBatch, concatenate
from tests.collector.correlate.test_retries import retries
from tests.collector.correlate.worlds import EPOCH_US, Fault, World, lab_fleet

FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLEET = lab_fleet(countries=2, services=6)
FAST = lab_fleet(countries=2, services=6, interval_s=1.0)
REGIONS = tuple(region.id for region in FLEET.regions)
KNOWN_S = 18
"""Until every cell of a fleet that probes each second knows what is usual."""

OFTEN = lab_fleet(countries=2, services=6, interval_s=2.0)


def tell(fleet: Fleet, batches: list[ResultBatch]) -> list[Outage]:
    """What a detector tells of these seconds, change by change."""
    detector = Detector(fleet, EngineSettings(hold_s=7))
    told: list[Outage] = []
    for second, batch in enumerate(batches):
        detector.observe(batch)
        told += detector.tick(EPOCH_US + (second + 1) * 1_000_000)
    return told


def assert_same(told: list[Outage], expected: list[Outage]) -> None:
    """Word for word, but for rounding."""
    assert expected
    for one, other in zip(told, expected, strict=True):
        assert replace(one, confidence=other.confidence) == other
        assert abs(one.confidence - other.confidence) < 1e-9


def verdicts(told: list[Outage], called: Mapping[str, str]) -> list[tuple[object, ...]]:
    """What is told in words that do not depend on ids, its regions by these names."""
    return [
        (
            called.get(o.subject.id, o.subject.id),
            sorted(called[region] for region in o.regions),
            (o.scope, o.state, o.severity, o.layer, o.asns, o.target_ids),
            (o.onset_us, o.detected_us, o.confirmed_us, o.resolved_us),
        )
        for o in told
    ]


def seconds(world: World, count: int, fault: Fault, begin: int = 20) -> list[ResultBatch]:
    """What is received in each second; the fault begins after `begin`."""
    fine: Fault = lambda agent, target, at: None  # noqa: E731
    return [world.second(float(s), fault if s >= begin else fine) for s in range(count)]


def some_service(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One service fails everywhere."""
    return Outcome.HTTP if target.service == "s02" else None


def some_places(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One service fails in one region."""
    return Outcome.TIMEOUT if target.service == "s02" and agent.region in ("c0-r0", "c1-r2") else None


def deliveries(fault: Fault, jitter_us: int = 1) -> list[ResultBatch]:
    """What comes each fourth second, of rounds each second one and of their retries; a third fails late."""
    world = World(OFTEN, noise=0.01)
    each = seconds(world, 60, lambda a, t, at: fault(a, t, at) if round(at * 1000) % 3 == 0 else None, 36)
    found = (Outcome.OK, Outcome.HTTP)
    told = [concatenate([b, retries(b, found[n % 2], 700_000)]) for n, b in enumerate(each)]
    told = [replace(b, received_us=b.received_us + world.rng.integers(0, jitter_us, len(b))) for b in told]
    return [concatenate(told[n : n + 4]) for n in range(0, len(told), 4)]


def tell_deliveries(batches: list[ResultBatch]) -> list[Outage]:
    """What is told when four seconds of results come together."""
    nothing = batches[0].select(slice(0, 0))
    return tell(OFTEN, [part for batch in batches for part in (nothing, nothing, nothing, batch)])


@FEW
@given(st.integers(0, 2**31), st.sampled_from([some_service, some_places]))
def test_order_within_a_delivery_does_not_matter(seed: int, fault: Fault) -> None:
    """Rounds and their retries may come in any order, several of one path together."""
    batches = deliveries(fault, jitter_us=900_000)
    rng = np.random.default_rng(seed)
    shuffled = [batch.select(rng.permutation(len(batch))) for batch in batches]
    assert_same(tell_deliveries(shuffled), tell_deliveries(batches))


@FEW
@given(st.integers(0, 2**31), st.sampled_from([some_service, some_places]))
def test_duplicates_change_nothing(seed: int, fault: Fault) -> None:
    """A result that comes twice, in one delivery or once more in the next, says what it says once."""
    batches = deliveries(fault)
    rng = np.random.default_rng(seed)
    some = [batch.select(rng.random(len(batch)) < 0.3) for batch in batches]
    before = [some[0], *some[:-1]]
    twice = [concatenate([*parts]) for parts in zip(batches, some, before, strict=True)]
    assert_same(tell_deliveries(twice), tell_deliveries(batches))


@FEW
@given(st.sets(st.sampled_from([a.id for a in FLEET.agents])), st.integers(20, 40))
def test_silence_never_creates_a_target_outage(silent: set[str], begin: int) -> None:
    """Whoever falls silent, no service, provider or component is blamed."""
    world = World(FLEET, noise=0.0).run(begin)
    world.silent = silent
    world.run(40)
    assert {scope for scope, _ in world.told()} <= {Scope.NETWORK, Scope.COLLECTOR, Scope.AGENT}
    assert {o.layer for o in world.last.values()} <= {"silence"}


def in_order(told: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """As it was told, but for silences, of which those of one second are told by name."""
    return sorted(told, key=lambda words: str(words) if "silence" in str(words) else "")


def troubled(places: Mapping[str, str]) -> list[ResultBatch]:
    """What is received when each region has its trouble, or none."""
    world = World(FAST, noise=0.003)
    hit = {"s01": ("service", "services"), "s02": ("service", "services"), "s03": ("services",)}

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        trouble = places[agent.region]
        fails = trouble == "access" or trouble in hit.get(target.service, ())
        return Outcome.TIMEOUT if fails and int(at * 10) % 3 else None

    out = seconds(world, KNOWN_S, fault, KNOWN_S)
    world.silent = {agent.id for agent in FAST.agents if places[agent.region] == "silent"}
    return out + [world.second(float(s), fault) for s in range(KNOWN_S, KNOWN_S + 22)]


@FEW
@given(
    st.permutations(REGIONS),
    st.lists(
        st.sampled_from(["", "service", "service", "services", "access", "silent"]), min_size=6, max_size=6
    ),
)
def test_names_of_regions_do_not_matter(names: list[str], troubles: list[str]) -> None:
    """Calling the regions otherwise changes their names in what is told, and nothing else."""
    called = dict(zip(REGIONS, names, strict=True))
    other = replace(FAST, agents=tuple(replace(a, region=called[a.region]) for a in FAST.agents))
    batches = troubled(dict(zip(REGIONS, troubles, strict=True)))
    as_they_are = dict(zip(REGIONS, REGIONS, strict=True))
    expected = in_order(verdicts(tell(FAST, batches), called))
    assert in_order(verdicts(tell(other, batches), as_they_are)) == expected


def surety(agreeing: Sequence[str], share: float) -> list[float]:
    """How sure it is, second by second, that a service fails of which these agents fail a share of rounds."""
    failing = np.random.default_rng(1).random((len(FAST.agents), 60)) < share
    rows = {agent.id: row for row, agent in enumerate(FAST.agents) if agent.id in agreeing}

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        hit = target.service == "s02" and agent.id in rows and failing[rows[agent.id], int(at)]
        return Outcome.HTTP if hit else None

    world = World(FAST, noise=0.0, settings=EngineSettings(hold_s=60)).run(KNOWN_S)
    sure = []
    for _ in range(8):
        told = [o.confidence for o in world.run(1, fault).open() if o.subject.id == "s02"]
        sure.append(max(told, default=0.0))
    return sure


@FEW
@given(
    st.permutations([a.id for a in FAST.agents]),
    st.tuples(st.integers(3, 17), st.integers(4, 18)).map(sorted),
    st.floats(0.7, 1.0),
)
def test_more_agreeing_agents_never_lower_confidence(
    order: list[str], counts: list[int], share: float
) -> None:
    """The more agents agree that a service fails, the surer it is at any time, to a thousandth."""
    less, more = (surety(order[:count], share) for count in counts)
    assert all(surer >= sure - 0.001 for sure, surer in zip(less, more, strict=True)), (less, more)
