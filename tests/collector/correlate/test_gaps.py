"""Gaps in deliveries: silence is asked about only where a round is missing."""

import numpy as np
import pytest

from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Scope
from faultline_collector.results import concatenate
from tests.collector.correlate.worlds import EPOCH_US, SECOND_US, World, lab_fleet

SPARSE = lab_fleet(countries=2, services=4, interval_s=60.0)
"""Each agent delivers so seldom that several at a time are often quiet for long."""
BUSIER = lab_fleet(countries=2, services=30, interval_s=60.0)
"""Each agent delivers nothing for longer than usual once an interval, when nothing is due."""
CROWDED = lab_fleet(countries=2, services=210, interval_s=60.0)
"""Each agent has so many rounds that one is missing in nearly every second."""
EPOCH_S = 60


class Watched(Detector):
    """Counts the seconds in which silence is judged."""

    judged = 0

    def _judge_silence(self, now_us: int) -> None:
        self.judged += 1
        super()._judge_silence(now_us)


class EverySecond(Watched):
    """Judges silence in every second, whether it may say more or not."""

    def run(self, results, first_us, ticks):  # type: ignore[no-untyped-def]
        """As a detector does."""
        checks = self._silence.checks
        self._silence.checks = lambda *args: np.ones_like(checks(*args))  # type: ignore[method-assign]
        try:
            return super().run(results, first_us, ticks)
        finally:
            self._silence.checks = checks  # type: ignore[method-assign]


def told(detector: Watched, fleet: Fleet, dark: tuple[str, ...]) -> list[tuple[Scope, str, int, int]]:
    """What is told of a quarter of an hour, in the last ten minutes of which some agents are silent."""
    world = World(fleet, noise=0.0)
    last = {}
    for epoch in range(15):
        parts = []
        for second in range(EPOCH_S):
            at_s = epoch * EPOCH_S + second
            world.silent = set(dark) if at_s >= 5 * EPOCH_S + 7 else set()
            parts.append(world.second(at_s, lambda agent, target, at: None))
        first_us = EPOCH_US + (epoch * EPOCH_S + 1) * SECOND_US
        for outage in detector.run(concatenate(parts), first_us, EPOCH_S):
            last[outage.id] = outage
    return [(o.scope, o.subject.id, o.detected_us, o.changed_us) for o in last.values()]


def silent_of(fleet: Fleet, asn: int) -> tuple[str, ...]:
    """The agents of one network."""
    return tuple(agent.id for agent in fleet.agents if agent.asn == asn)


@pytest.mark.parametrize("fleet", [SPARSE, BUSIER, CROWDED], ids=["sparse", "busier", "crowded"])
@pytest.mark.parametrize("asn", [100, 101, 202])
def test_what_is_told_is_the_same_as_with_every_second_judged(fleet: Fleet, asn: int) -> None:
    """And it is told at the same second, with a small part of the work."""
    detector, thorough = Watched(fleet), EverySecond(fleet)
    dark = silent_of(fleet, asn)
    found = told(detector, fleet, dark)
    assert found == told(thorough, fleet, dark)
    assert [(scope, subject) for scope, subject, _, _ in found] == [(Scope.NETWORK, str(asn))]
    assert detector.judged < thorough.judged / 3


def test_agents_that_are_quiet_because_nothing_is_due_are_not_asked_about() -> None:
    """Though many deliver nothing for longer than agents usually may, in every interval anew."""
    starts = np.sort(World(BUSIER).phase * 60.0, axis=1)
    longest_s = np.diff(starts, axis=1, append=starts[:, :1] + 60.0).max(axis=1)
    detector = Watched(BUSIER)
    assert np.count_nonzero(longest_s * 1e6 > detector._waiting._patience_us) > 5
    assert told(detector, BUSIER, ()) == []
    assert detector.judged < 30
