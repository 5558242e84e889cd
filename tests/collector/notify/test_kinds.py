"""Which notices the life of an outage makes."""

from dataclasses import replace
from itertools import pairwise

import pytest

from faultline_collector.notify.kinds import Kind, kinds_of
from faultline_collector.outages import Outage, Scope, State, Subject
from tests.collector.notify.worlds import NOW_US, life, outage

FIRST, CONFIRMED, RESOLVED = life()
RECOVERING = CONFIRMED.with_state(State.RECOVERING, NOW_US + 1)
WIDER = replace(CONFIRMED, scope=Scope.GLOBAL)
OTHER = replace(CONFIRMED, subject=Subject("provider", "edgeline"), scope=Scope.PROVIDER)
WITHDRAWN = FIRST.with_state(State.WITHDRAWN, NOW_US)
CHILD = replace(CONFIRMED, evidence={"parent": "o-0"})
RETURN = replace(RESOLVED, state=State.SUSPECTED)
FLAPPING = CONFIRMED.with_state(State.FLAPPING, NOW_US + 2)
ENDED_CHILD = replace(RESOLVED, evidence={"parent": "o-0"})


@pytest.mark.parametrize(
    ("before", "after", "made"),
    [
        pytest.param(None, FIRST, (), id="suspected"),
        pytest.param(FIRST, replace(FIRST, scope=Scope.GLOBAL), (), id="a suspicion that widens"),
        pytest.param(FIRST, WITHDRAWN, (), id="withdrawn"),
        pytest.param(FIRST, CONFIRMED, (Kind.CONFIRMED,), id="confirmed"),
        pytest.param(None, CONFIRMED, (Kind.CONFIRMED,), id="confirmed at once"),
        pytest.param(CONFIRMED, CONFIRMED, (), id="kept again"),
        pytest.param(CONFIRMED, replace(CONFIRMED, confidence=0.5), (), id="less sure"),
        pytest.param(CONFIRMED, WIDER, (Kind.CHANGED,), id="another scope"),
        pytest.param(CONFIRMED, OTHER, (Kind.CHANGED,), id="another subject"),
        pytest.param(CONFIRMED, RECOVERING, (), id="recovering"),
        pytest.param(RECOVERING, CONFIRMED, (), id="not recovering after all"),
        pytest.param(RECOVERING, RESOLVED, (Kind.RESOLVED,), id="resolved"),
        pytest.param(RESOLVED, RESOLVED, (), id="resolved and kept again"),
        pytest.param(RESOLVED, CONFIRMED, (Kind.REOPENED,), id="back"),
        pytest.param(RESOLVED, RETURN, (), id="perhaps back"),
        pytest.param(RETURN, RESOLVED, (), id="not back after all"),
        pytest.param(RETURN, CONFIRMED, (Kind.REOPENED,), id="really back"),
        pytest.param(RETURN, FLAPPING, (Kind.FLAPPING,), id="back once too often"),
        pytest.param(
            FLAPPING, replace(FLAPPING, scope=Scope.GLOBAL), (Kind.CHANGED,), id="another scope of what flaps"
        ),
        pytest.param(FLAPPING, replace(FLAPPING, confidence=0.5), (), id="flapping and less sure"),
        pytest.param(RETURN, ENDED_CHILD, (), id="perhaps back, and a part of another"),
        pytest.param(FIRST, RETURN, (Kind.CONFIRMED, Kind.RESOLVED), id="kept only when it was perhaps back"),
        pytest.param(FIRST, RESOLVED, (Kind.CONFIRMED, Kind.RESOLVED), id="kept only when it was over"),
        pytest.param(None, CHILD, (), id="a part of another"),
        pytest.param(CONFIRMED, ENDED_CHILD, (Kind.MERGED,), id="told, and then a part of another"),
        pytest.param(FIRST, ENDED_CHILD, (), id="never told, and a part of another"),
    ],
)
def test_a_step_makes_these_notices(before: Outage | None, after: Outage, made: tuple[Kind, ...]) -> None:
    """One for what is confirmed, one for each change that matters, none for the rest."""
    assert kinds_of(before, after) == made


def test_a_whole_life_makes_two_notices() -> None:
    """Suspected, confirmed, recovering, confirmed again, recovering, resolved: two notices."""
    steps = [None, FIRST, CONFIRMED, RECOVERING, CONFIRMED, RECOVERING, RESOLVED]
    made = [
        kind for before, after in pairwise(steps) if after is not None for kind in kinds_of(before, after)
    ]
    assert made == [Kind.CONFIRMED, Kind.RESOLVED]
    assert kinds_of(None, outage()) == ()
