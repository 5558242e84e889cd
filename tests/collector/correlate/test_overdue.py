"""Rounds that do not come when they are due are taken for timeouts until they come."""

from dataclasses import replace
from itertools import pairwise

import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Outage, Scope
from faultline_collector.results import ResultBatch, concatenate
from tests.collector.correlate.paced import PacedWorld
from tests.collector.correlate.test_scopes import service
from tests.collector.correlate.worlds import EPOCH_US, SECOND_US, lab_fleet

WARM_S = 300
HANGS_S = 20.0
SLOW = lab_fleet(interval_s=30.0)


def hangs(agent: Agent, target: Target, at: float) -> float:
    """Probes of one service last until they are given up."""
    return HANGS_S if target.service == "s03" else 0.1


def answers_late(agent: Agent, target: Target, at: float) -> float:
    """For a while one service answers only after almost five seconds."""
    return 4.8 if target.service == "s03" and WARM_S <= at < WARM_S + 60 else 0.1


def two_paces(fleet: Fleet) -> Fleet:
    """Some targets are probed more often than others."""
    often = [replace(t, interval_s=20.0) if t.service > "s05" else t for t in fleet.targets]
    return replace(fleet, targets=tuple(often))


@pytest.mark.parametrize("fleet", [SLOW, two_paces(SLOW)], ids=["one interval", "two intervals"])
def test_a_service_that_hangs_is_suspected_before_its_first_probe_is_given_up(fleet: Fleet) -> None:
    """What should have come and has not, while its agent delivers later rounds, is evidence already."""
    world = PacedWorld(fleet, noise=0.0).run(WARM_S)
    world.takes = hangs
    world.run(HANGS_S, service("s03", Outcome.TIMEOUT))
    assert world.told() == [(Scope.GLOBAL, "s03")]
    world.run(60, service("s03", Outcome.TIMEOUT))
    (outage,) = world.open()
    assert outage.onset_after_us <= EPOCH_US + (WARM_S + 2) * SECOND_US
    assert outage.layer == "timeout"


def test_what_comes_late_but_well_has_not_failed() -> None:
    """A service that answers slower than its rounds are due is told as slow, and never as failing."""
    world = PacedWorld(SLOW, noise=0.0, takes=answers_late).run(WARM_S)
    world.run(60)
    assert {(o.scope, o.subject.id, o.layer) for o in world.last.values()} == {
        (Scope.GLOBAL, "s03", "latency")
    }
    world.run(120)
    assert world.open() == []


def judged(batches: list[ResultBatch], starts: list[int]) -> list[Outage]:
    """What is told of these seconds when they are judged in blocks that start at these."""
    detector = Detector(SLOW)
    told: dict[str, Outage] = {}
    for first, end in pairwise([*starts, len(batches)]):
        first_us = EPOCH_US + (first + 1) * SECOND_US
        for outage in detector.run(concatenate(batches[first:end]), first_us, end - first):
            told[outage.id] = outage
    return list(told.values())


def test_many_seconds_at_once_are_judged_as_one_by_one() -> None:
    """Rounds that become overdue and come within one block of a replay count as when they are seen live."""
    world = PacedWorld(SLOW, takes=answers_late)
    broken = service("s05", Outcome.HTTP)
    batches = [
        world.second(float(s), lambda agent, target, at: broken(agent, target, at) if at > WARM_S else None)
        for s in range(WARM_S + 90)
    ]
    one_by_one = judged(batches, list(range(len(batches))))
    assert {o.subject.id for o in one_by_one} == {"s03", "s05"}
    epochs = [0, *range(9, len(batches), 30)]
    assert judged(batches, epochs) == one_by_one
