"""Exact enumeration as an oracle: on small worlds the screen and the greedy choice lose next to nothing."""

from collections.abc import Iterator

import numpy as np
import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.causes import Cause
from faultline_collector.correlate.explain import Explainer, Moment
from faultline_collector.correlate.layout import lay_out
from faultline_collector.correlate.nulls import bursts
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.screen import Family
from faultline_collector.results import Mask
from tests.collector.correlate.worlds import Fault, World, lab_fleet

FLEET = lab_fleet(countries=2, services=6)
LAYOUT = lay_out(FLEET)


def every_family() -> Iterator[Family]:
    """All families there are."""
    sizes = {
        "service": len(LAYOUT.services),
        "provider": len(LAYOUT.providers),
        "network": len(LAYOUT.asns),
        "region": len(LAYOUT.regions),
        "agent": len(LAYOUT.agent_ids),
    }
    return ((kind, code) for kind, size in sizes.items() for code in range(size))


def every_cause(explainer: Explainer, recent: Recent, now_us: int, masked: Mask) -> list[Cause]:
    """Every cause of every family that is worth opening, without the screen."""
    settings = explainer._settings
    null = bursts(LAYOUT, explainer._base, recent, now_us, masked, explainer._windows_us, settings.costs)
    moment = Moment(now_us, recent, recent, masked, masked, {}, null, None)
    return [
        cause
        for family in every_family()
        for cause in explainer._candidates(family, moment)
        if cause.score >= explainer.threshold(cause, {})
    ]


def best_pair(explainer: Explainer, recent: Recent, now_us: int) -> float:
    """The most that any one or two causes explain, by enumeration."""
    nothing = np.zeros(LAYOUT.shape[0] * LAYOUT.shape[1], bool)
    best = 0.0
    for first in every_cause(explainer, recent, now_us, nothing):
        masked = nothing.copy()
        masked[explainer.cells_of(first)] = True
        rest = every_cause(explainer, recent, now_us, masked)
        best = max(best, first.rank + max((cause.rank for cause in rest), default=0.0))
    return best


FAULTS: list[object] = [
    pytest.param(lambda a, t, at: Outcome.HTTP if t.service == "s02" else None, id="global"),
    pytest.param(
        lambda a, t, at: Outcome.TIMEOUT if t.service == "s02" and a.region == "c0-r1" else None,
        id="regional",
    ),
    pytest.param(lambda a, t, at: Outcome.CONNECT if t.provider == "p1" else None, id="provider"),
    pytest.param(lambda a, t, at: Outcome.TIMEOUT if a.asn == 201 else None, id="network"),
    pytest.param(lambda a, t, at: Outcome.DNS if a.id == "c1-r1-1" else None, id="agent"),
    pytest.param(
        lambda a, t, at: Outcome.HTTP if t.service == "s04" or a.asn == 101 else None, id="two at once"
    ),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("lasting_s", [4, 9])
def test_greedy_is_as_good_as_enumeration(fault: Fault, lasting_s: int) -> None:
    """What the screen and the greedy choice find explains what the best one or two causes do, to two nats."""
    world = World(FLEET).run(25).run(lasting_s, fault)
    now_us = world.now_us
    failing = world.detector._senses[0]
    explainer, recent = failing.explainer, failing.recent
    nothing = np.zeros(LAYOUT.shape[0] * LAYOUT.shape[1], bool)
    chosen = explainer.explain(recent, now_us, nothing).chosen
    assert sum(cause.rank for cause in chosen) >= best_pair(explainer, recent, now_us) - 2.0
