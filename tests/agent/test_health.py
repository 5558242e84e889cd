"""Whether the agent itself can reach anything."""

import pytest

from faultline_agent.health import Condition, OwnHealth

NAMES = ("a", "b", "c")


def judged(now: float = 100.0, at: float = 99.0, **ok: bool) -> Condition:
    """The condition after one finding on each named reference."""
    health = OwnHealth(NAMES, fresh_s=20.0)
    for name, good in ok.items():
        health.note(name, at, ok=good, sentence="" if good else f"{name} does not answer")
    return health.condition(now)


@pytest.mark.parametrize(
    ("findings", "well"),
    [
        ({}, True),
        ({"a": False}, True),
        ({"a": False, "b": False}, False),
        ({"a": False, "b": True}, True),
        ({"a": False, "b": False, "c": True}, False),
        ({"a": False, "b": True, "c": True}, True),
        ({"a": True, "b": True, "c": True}, True),
    ],
)
def test_most_of_at_least_two_references_must_fail(findings: dict[str, bool], well: bool) -> None:
    """One silent reference is its own problem, not the agent's."""
    assert judged(**findings).well is well


def test_old_findings_say_nothing() -> None:
    """An agent that could not check for a while is not called unwell for ever."""
    assert judged(now=119.0, a=False, b=False) != Condition(True)
    assert judged(now=119.1, a=False, b=False) == Condition(True)


def test_a_new_finding_replaces_the_old_one() -> None:
    """Recovery shows at once."""
    health = OwnHealth(NAMES, fresh_s=20.0)
    for name in NAMES:
        health.note(name, 1.0, ok=False, sentence="silent")
    assert not health.condition(2.0).well
    health.note("a", 2.0, ok=True)
    health.note("b", 2.0, ok=True)
    assert health.condition(2.0).well


def test_sentence_names_the_first_reference_that_fails() -> None:
    """The operator reads what was seen."""
    assert judged(a=True, b=False, c=False).sentence == (
        "2 of 3 references do not answer; b: b does not answer"
    )
