"""What each agent's failures say of itself, and how much of it a bad minute of its own explains, as it goes.

Running sums for one agent after the other; `nulls.bursts` says the same exactly of what is remembered.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.evidence import LOG_FAIL, LOG_OK, LONGEST, SPREAD
from faultline_collector.correlate.groups import Groups
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.correlate.nulls import BURST_MEAN_US
from faultline_collector.results import Int8

DRIFT = 0.8
"""Share of what was planned that is believed to have gone well; less than all, for agents that are away."""
COARSE = 1.6
"""By how much a window may be longer than what lies in it: the step from one to the next."""
LEAST_NATS = 1.0
SUPPOSED: list[float] = SPREAD.tolist()
FAILS: list[float] = LOG_FAIL.tolist()
FINES: list[float] = LOG_OK.tolist()


@dataclass(slots=True)
class Trouble:
    """An agent's failures since it was last well, nats.

    What they say for each rate less what went well, how many still stand for probes that were planned, what
    their layers add, all that they could say, and how much of that was passed on; the service that failed
    last, and when another had.
    """

    at_us: int = 0
    since_us: int = 0
    rates: list[float] = field(default_factory=lambda: [0.0] * len(FAILS))
    failed: float = 0.0
    focus: float = 0.0
    total: float = 0.0
    given: float = 0.0
    layers: list[float] = field(default_factory=lambda: [0.0] * len(SUPPOSED))
    service: int = -1
    several_us: float = 0.0

    def age(self, now_us: int, planned: float, step_us: int) -> None:
        """Takes what went well meanwhile from it: what was `planned` per microsecond and did not fail."""
        apart_us = now_us - self.at_us
        fine = max(planned * apart_us - self.failed, 0.0)
        self.failed = max(self.failed - planned * apart_us, 0.0)
        self.rates = [max(nats + fine * says, 0.0) for nats, says in zip(self.rates, FINES, strict=True)]
        if not any(self.rates):
            self.since_us, self.focus, self.total, self.given = now_us, 0.0, 0.0, 0.0
        if apart_us:
            faded = 2.0 ** (-apart_us / step_us)
            self.layers = [weight * faded for weight in self.layers]

    def add(self, now_us: int, nats: float, layer: int, usual: float, service: int) -> None:
        """One failure more, that says so much of any layer beside `usual` ones."""
        self.layers[layer] += 1.0
        share = (self.layers[layer] + SUPPOSED[layer]) / (sum(self.layers) + sum(SUPPOSED))
        self.focus += max(math.log(share / usual), 0.0)
        self.total += nats
        self.failed += 1.0
        surprise = nats + math.log(usual)
        self.rates = [before + surprise + fails for before, fails in zip(self.rates, FAILS, strict=True)]
        if service != self.service:
            self.several_us = max(self.several_us, self.at_us)
            self.service = service
        self.at_us = now_us

    def lasted(self, now_us: int, longest_us: float) -> float:
        """What having lasted so long says against a bad minute, nats."""
        return min(COARSE * (now_us - self.since_us), longest_us) / BURST_MEAN_US


class Troubles:
    """The present trouble of every agent; `burst_nats` is what a bad minute costs."""

    def __init__(self, groups: Groups, burst_nats: float, base: Baselines) -> None:
        self._groups = groups
        self._burst_nats = burst_nats if groups.agents > 1 else math.inf
        self._base = base
        self._planned = (DRIFT * groups.part("agent", groups.rate)).tolist()
        self._of = [Trouble(several_us=0.0 if many else math.inf) for many in groups.many_services]
        self._longest_us = LONGEST * groups.step_us
        self._says: Floats = np.zeros(groups.agents)
        self._at_us: Floats = np.zeros(groups.agents)
        self._falls: Floats = DRIFT * groups.part("agent", groups.rate) * -LOG_OK[-1]

    def add(self, agent: Index, target: Index, nats: Floats, outcome: Int8, now_us: int) -> Floats:
        """Notes failures that say so many nats at most; gives which share of that no bad minute explains.

        None while it is next to nothing.
        """
        usual = self._base.layer_share.tolist()
        service = self._groups.service_of[target]
        shares = []
        for row, of, said, layer in self._each(agent, service, nats, outcome):
            trouble = self._of[row]
            trouble.age(now_us, self._planned[row], self._groups.step_us)
            trouble.add(now_us, said, layer, usual[layer], of)
            most = max(trouble.rates)
            minute = self._burst_nats + trouble.lasted(now_us, self._longest_us)
            room = min(trouble.total - max(most - minute, 0.0) - trouble.given, said)
            room = room if room >= LEAST_NATS else 0.0
            shares.append(room / said)
            trouble.given += room
            self._says[row] = min(most, minute) + trouble.focus
            self._at_us[row] = now_us
        return np.array(shares)

    @staticmethod
    def _each(
        agent: Index, service: Index, nats: Floats, outcome: Int8
    ) -> Iterator[tuple[int, int, float, int]]:
        return zip(agent.tolist(), service.tolist(), nats.tolist(), outcome.tolist(), strict=True)

    def says(self, agents: Index | int, now_us: int) -> Floats:
        """What these agents say of themselves beyond a bad minute, nats; less the longer ago it was."""
        out: Floats = self._says[agents] - self._falls[agents] * (now_us - self._at_us[agents])
        return out

    def several(self, row: int, now_us: int) -> bool:
        """Whether an agent has lately failed two services, where it probes as many."""
        return now_us - self._of[row].several_us <= self._longest_us
