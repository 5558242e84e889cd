"""What a failed round's retry says: it went well too, or it failed again."""

from dataclasses import replace

import numpy as np
import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope
from faultline_collector.results import ResultBatch, concatenate, empty_batch
from tests.collector.correlate.test_scopes import service
from tests.collector.correlate.worlds import SECOND_US, World, lab_fleet

WARM_S = 90


def some_targets(agent: Agent, target: Target, at: float) -> Outcome | None:
    """One agent fails on a third of its targets."""
    hit = agent.id == "c1-r1-1" and target.service in ("s00", "s01", "s02", "s03")
    return Outcome.TIMEOUT if hit else None


def retries(results: ResultBatch, found: Outcome, after_us: int) -> ResultBatch:
    """What the retry of each failed result finds."""
    failed = results.select(results.outcome != Outcome.OK)
    return replace(
        failed,
        sequence=failed.sequence + np.uint64(1_000_000),
        started_us=failed.started_us + after_us,
        received_us=failed.received_us + after_us,
        attempt=failed.attempt + np.uint8(1),
        outcome=np.full(len(failed), found, np.uint8),
    )


def detected_s(found: Outcome | None, *, together: bool) -> float:
    """After how long the agent is suspected, by what its retries find and when they come."""
    settings = EngineSettings(hold_s=7, open_agent_nats=7)
    world = World(lab_fleet(), noise=0.0, settings=settings).run(WARM_S)
    began_us, held = world.now_us, empty_batch()
    while not world.last and world.now_us < began_us + 60 * SECOND_US:
        results = world.second(world.now_s, some_targets)
        again = (
            empty_batch() if found is None else retries(results, found, 300_000 if together else SECOND_US)
        )
        now, held = (again, held) if together else (held, again)
        world.detector.observe(concatenate([results, now]))
        world.now_s += 1.0
        world.last |= {outage.id: outage for outage in world.detector.tick(world.now_us)}
    assert world.told() == [(Scope.AGENT, "c1-r1-1")]
    return (world.now_us - began_us) / SECOND_US


@pytest.mark.parametrize("together", [True, False], ids=["with the round", "a second later"])
def test_a_retry_makes_surer_when_it_fails_and_less_sure_when_it_goes_well(together: bool) -> None:
    """A lost packet is lost once: what fails twice is suspected sooner, what fails once later."""
    fails, goes_well = (detected_s(found, together=together) for found in (Outcome.TIMEOUT, Outcome.OK))
    assert fails < detected_s(None, together=together) < goes_well


def test_a_retry_stands_for_a_round_whose_first_attempt_never_came() -> None:
    """An agent that dropped the first attempts still tells by the second ones that a service fails."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    for _ in range(15):
        results = world.second(world.now_s, service("s03", Outcome.HTTP))
        fine = results.select(results.outcome == Outcome.OK)
        world.detector.observe(concatenate([fine, retries(results, Outcome.HTTP, 300_000)]))
        world.now_s += 1.0
        world.detector.tick(world.now_us)
    counts = [s.agents_failing for s in world.detector.standings(world.now_us) if s.service == "s03"]
    assert counts == [3] * 12
