"""What must hold whatever is sent."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Outage, Scope
from faultline_collector.results import ResultBatch, concatenate
from tests.collector.correlate.test_retries import retries
from tests.collector.correlate.worlds import EPOCH_US, Fault, World, lab_fleet

FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLEET = lab_fleet(countries=2, services=6)
OFTEN = lab_fleet(countries=2, services=6, interval_s=2.0)


def tell(fleet: Fleet, batches: list[ResultBatch]) -> list[Outage]:
    """What a detector tells of these seconds."""
    detector = Detector(fleet)
    told: dict[str, Outage] = {}
    for second, batch in enumerate(batches):
        detector.observe(batch)
        told |= {o.id: o for o in detector.tick(EPOCH_US + (second + 1) * 1_000_000)}
    return list(told.values())


def verdicts(told: list[Outage]) -> list[tuple[object, ...]]:
    """The same in words that do not depend on ids."""
    return [(o.scope, o.subject.id, o.state, o.detected_us, o.confirmed_us, o.regions) for o in told]


def judge(fleet: Fleet, batches: list[ResultBatch]) -> list[tuple[object, ...]]:
    """Both at once."""
    return verdicts(tell(fleet, batches))


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


def deliveries(fault: Fault) -> list[ResultBatch]:
    """What comes each fourth second, of rounds each second one and of their retries; a third fails late."""
    world = World(OFTEN, noise=0.01)
    each = seconds(world, 60, lambda a, t, at: fault(a, t, at) if round(at * 1000) % 3 == 0 else None, 36)
    found = (Outcome.OK, Outcome.HTTP)
    told = [concatenate([b, retries(b, found[n % 2], 700_000)]) for n, b in enumerate(each)]
    told = [replace(b, received_us=b.received_us + world.rng.integers(0, 900_000, len(b))) for b in told]
    return [concatenate(told[n : n + 4]) for n in range(0, len(told), 4)]


def tell_deliveries(batches: list[ResultBatch]) -> list[Outage]:
    """What is told when four seconds of results come together."""
    nothing = batches[0].select(slice(0, 0))
    return tell(OFTEN, [part for batch in batches for part in (nothing, nothing, nothing, batch)])


@FEW
@given(st.integers(0, 2**31), st.sampled_from([some_service, some_places]))
def test_order_within_a_delivery_does_not_matter(seed: int, fault: Fault) -> None:
    """Rounds and their retries may come in any order, several of one path together."""
    batches = deliveries(fault)
    rng = np.random.default_rng(seed)
    shuffled = [batch.select(rng.permutation(len(batch))) for batch in batches]
    expected = tell_deliveries(batches)
    assert expected
    for told, one in zip(tell_deliveries(shuffled), expected, strict=True):
        assert replace(told, confidence=one.confidence) == one
        assert abs(told.confidence - one.confidence) < 1e-9


@FEW
@given(st.integers(0, 2**31), st.sampled_from([some_service, some_places]))
def test_duplicates_change_nothing(seed: int, fault: Fault) -> None:
    """A result that comes twice says what it says once."""
    batches = deliveries(fault)
    rng = np.random.default_rng(seed)
    twice = [concatenate([b, b.select(rng.random(len(b)) < 0.3)]) for b in batches]
    expected = verdicts(tell_deliveries(batches))
    assert expected
    assert verdicts(tell_deliveries(twice)) == expected


@FEW
@given(st.permutations(["c0-r0", "c0-r1", "c0-r2", "c1-r0", "c1-r1", "c1-r2"]))
def test_names_of_regions_do_not_matter(names: list[str]) -> None:
    """Calling the regions otherwise changes their names in what is told, and nothing else."""
    called = dict(zip(sorted({a.region for a in FLEET.agents}), names, strict=True))
    other = replace(FLEET, agents=tuple(replace(a, region=called[a.region]) for a in FLEET.agents))
    batches = seconds(World(FLEET, noise=0.01), 40, some_places)
    expected = [(*o[:5], tuple(sorted(called[r] for r in o[5]))) for o in judge(FLEET, batches)]  # type: ignore[attr-defined]
    assert judge(other, batches) == expected


@FEW
@given(
    st.sampled_from([a.id for a in FLEET.agents]),
    st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=30),
    st.floats(0.2, 1.0),
)
def test_one_agent_never_creates_a_wide_outage(who: str, outcomes: list[Outcome], share: float) -> None:
    """Whatever one agent sends, nothing but an outage of that agent can come of it."""
    rng = np.random.default_rng(len(outcomes))

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        if agent.id != who or rng.random() > share:
            return None
        return outcomes[int(at * 7 + ord(target.id[-1])) % len(outcomes)]

    told = judge(FLEET, seconds(World(FLEET, noise=0.0), 60, fault))
    assert {(scope, subject) for scope, subject, *_ in told} <= {(Scope.AGENT, who)}


@FEW
@given(st.sets(st.sampled_from([a.id for a in FLEET.agents])), st.integers(20, 40))
def test_silence_never_creates_a_target_outage(silent: set[str], begin: int) -> None:
    """Whoever falls silent, no service, provider or component is blamed."""
    world = World(FLEET, noise=0.0).run(begin)
    world.silent = silent
    world.run(40)
    assert {scope for scope, _ in world.told()} <= {Scope.NETWORK, Scope.COLLECTOR, Scope.AGENT}
    assert {o.layer for o in world.last.values()} <= {"silence"}


@FEW
@given(st.integers(1, 8), st.integers(9, 18))
def test_more_agreeing_agents_never_lower_confidence(few: int, many: int) -> None:
    """The more agents of a fleet agree that a service fails, the surer the verdict."""

    def seen_by(count: int) -> Fault:
        chosen = {a.id for a in FLEET.agents[:count]}
        return lambda agent, target, at: (
            Outcome.HTTP if target.service == "s02" and agent.id in chosen else None
        )

    sure = []
    for count in (few, many):
        world = World(FLEET, noise=0.0).run(20)
        world.run(30, seen_by(count))
        sure.append(max((o.confidence for o in world.open()), default=0.0))
    assert sure[1] >= sure[0] - 1e-6
