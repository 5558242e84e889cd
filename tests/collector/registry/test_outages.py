"""Outages in the registry: every field, every transition, newest first."""

from dataclasses import replace
from pathlib import Path

import pytest

from faultline_collector.config import CollectorConfig
from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.registry.registry import Registry, Transition

OUTAGE = Outage(
    id="o-1",
    state=State.SUSPECTED,
    scope=Scope.REGIONAL,
    subject=Subject("service", "twitter"),
    target_ids=("twitter-web", "twitter-login"),
    regions=("in-west",),
    asns=(55836,),
    layer="connect",
    severity="down",
    confidence=0.987654321,
    onset_us=1_795_348_800_000_000,
    onset_after_us=1_795_348_795_000_000,
    onset_before_us=1_795_348_801_000_000,
    detected_us=1_795_348_810_000_000,
    why="3 of 3 agents in West India — „refused“",
    changed_us=1_795_348_810_000_000,
    evidence={"fails": {"in-west": [3, 3]}, "lost": [{"cause": "agent", "nats": -4.5}], "note": None},
)


def test_every_field_comes_back(registry: Registry) -> None:
    """Also from the evidence, which is any plain data."""
    resolved = replace(
        OUTAGE.with_state(State.RESOLVED, 2**53), confirmed_us=5, id="o-2", family=6, evidence={}
    )
    registry.save_outages([OUTAGE, resolved])
    assert registry.outage("o-1") == (
        OUTAGE,
        (Transition(OUTAGE.changed_us, State.SUSPECTED, Scope.REGIONAL),),
    )
    found = registry.outage("o-2")
    assert found is not None
    assert found[0] == resolved
    assert registry.outage("o-3") is None


def test_saving_again_changes_nothing(registry: Registry) -> None:
    """A tick that is saved twice leaves one transition."""
    registry.save_outages([OUTAGE])
    registry.save_outages([OUTAGE, OUTAGE])
    registry.save_outages([])
    assert registry.outages() == (OUTAGE,)
    found = registry.outage("o-1")
    assert found is not None
    assert len(found[1]) == 1


def test_transitions_tell_the_life(registry: Registry) -> None:
    """A change of state or of scope is a transition, a change of anything else is not."""
    wider = replace(OUTAGE, scope=Scope.GLOBAL, changed_us=OUTAGE.changed_us + 1)
    surer = replace(wider, confidence=0.999, changed_us=OUTAGE.changed_us + 2)
    life = [OUTAGE, wider, surer, surer.with_state(State.CONFIRMED, OUTAGE.changed_us + 3)]
    life.append(life[-1].with_state(State.RESOLVED, OUTAGE.changed_us + 4))
    for outage in life:
        registry.save_outages([outage])
    found = registry.outage("o-1")
    assert found is not None
    assert found[0] == life[-1]
    assert [(step.at_us - OUTAGE.changed_us, step.state, step.scope) for step in found[1]] == [
        (0, State.SUSPECTED, Scope.REGIONAL),
        (1, State.SUSPECTED, Scope.GLOBAL),
        (3, State.CONFIRMED, Scope.GLOBAL),
        (4, State.RESOLVED, Scope.GLOBAL),
    ]


def test_transition_without_a_time_is_at_detection(registry: Registry) -> None:
    """An outage may be saved before it ever changed."""
    registry.save_outages([replace(OUTAGE, changed_us=0)])
    found = registry.outage("o-1")
    assert found is not None
    assert found[1][0].at_us == OUTAGE.detected_us


@pytest.fixture
def three(registry: Registry) -> Registry:
    """Outages detected one after another: open, withdrawn after 10 s, resolved after 5 s."""
    begin = OUTAGE.detected_us
    open_one = replace(OUTAGE, id="open", detected_us=begin)
    withdrawn = replace(OUTAGE, id="withdrawn", detected_us=begin + 1).with_state(State.WITHDRAWN, begin + 10)
    resolved = replace(OUTAGE, id="resolved", detected_us=begin + 2).with_state(State.RESOLVED, begin + 5)
    registry.save_outages([open_one, withdrawn, resolved])
    return registry


def test_outages_come_newest_first(three: Registry) -> None:
    """By the moment of detection; the limit keeps the newest."""
    assert [outage.id for outage in three.outages()] == ["resolved", "withdrawn", "open"]
    assert [outage.id for outage in three.outages(limit=1)] == ["resolved"]


def test_open_outages_only(three: Registry) -> None:
    """What a restarted collector takes over."""
    assert [outage.id for outage in three.outages(open_only=True)] == ["open"]


def test_since_leaves_out_what_had_ended(three: Registry) -> None:
    """An outage that was going on at that time belongs to the answer."""
    begin = OUTAGE.detected_us
    assert [outage.id for outage in three.outages(since_us=begin + 6)] == ["withdrawn", "open"]
    assert [outage.id for outage in three.outages(since_us=begin + 5)] == ["resolved", "withdrawn", "open"]
    assert [outage.id for outage in three.outages(since_us=begin + 6, open_only=True)] == ["open"]


def test_outages_outlast_configuration_and_restart(tmp_path: Path, config: CollectorConfig) -> None:
    """They are history, whatever is probed now."""
    url = f"sqlite:///{tmp_path}/registry.db"
    first = Registry(url)
    first.save_outages([OUTAGE])
    first.apply(config)
    first.close()
    second = Registry(url)
    assert second.outages(open_only=True) == (OUTAGE,)
    second.close()
    second.close()
