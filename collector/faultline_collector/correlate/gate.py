"""The gate before the full evaluation: running sums per group, after Page (1954).

Each failure adds what it could be worth at most; what went well is taken from the schedule; all for each rate
that is looked for. While a group's sums are below what its cheapest cause must be worth, nothing can have
happened to it. What one agent says, however often, is worth a look only so often.
"""

import numpy as np

from faultline_collector.correlate.arrivals import SECOND_US
from faultline_collector.correlate.evidence import LOG_FAIL, LOG_OK, RATES
from faultline_collector.correlate.groups import KINDS, Groups
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.correlate.screen import REGION_NATS, WORTH
from faultline_collector.results import Mask

DRIFT = 0.8
"""Share of what was planned that is believed to have gone well; less than all, for agents that are away."""

SPARED = 30.0
"""What may have gone well within one second before it counts against that second's failures, nats: in a group
that probes thousands of times a second a few fail in every one."""

NO_PLACE = -1
LOOKS_AGENT = 8
"""How often in an interval the failures of one agent alone make for a look."""


class Gate:
    """A sum for every group and rate; `bars` are what groups of each kind must be worth, nats."""

    def __init__(self, groups: Groups, bars: dict[str, float]) -> None:
        self._groups = groups
        self._level = np.zeros((groups.size, RATES.size))
        self._at_us = np.zeros(groups.size)
        self._bar = groups.spread(bars)
        self._bar[groups.nobody] = np.inf
        self._drift = DRIFT * groups.rate[:, None] * -LOG_OK
        self._aside = np.maximum(self._drift * SECOND_US - SPARED, 0.0)
        self._rest_us = groups.step_us / LOOKS_AGENT
        self._next_us = np.zeros(groups.agents)
        self._looked = np.empty(0, np.intp)
        self._places = groups.numbers("place").reshape(groups.regions, -1)
        self._service = np.full(groups.size, NO_PLACE)
        self._service[self._places] = np.arange(self._places.shape[1])

    def add(self, cell: Index, nats: Floats, now_us: int) -> Index:
        """Adds failures; gives the groups that may now be worth a look."""
        groups = self._groups.of(cell)
        touched = groups.reshape(-1)
        fallen = self._drift[touched] * (now_us - self._at_us[touched])[:, None]
        level = np.maximum(self._level[touched] - fallen, 0.0)
        self._at_us[touched] = now_us
        if cell.size == 1:
            level += nats + LOG_FAIL
            self._level[touched] = level
        else:
            self._level[touched] = level
            np.add.at(self._level, groups, nats[None, :, None] + LOG_FAIL)
            level = self._level[touched]
        high: Mask = (level - self._aside[touched]).max(axis=1) >= self._bar[touched]
        if not high.any():
            return touched[high]
        agent = np.tile(self._groups.places(cell)[0], len(KINDS))
        high &= now_us >= self._next_us[agent]
        self._looked = agent[high]
        return self._together(touched[high], now_us)

    def _together(self, high: Index, now_us: int) -> Index:
        """Of places only those that are enough, together with what their service's others say."""
        service = self._service[high]
        alone: Index = high[service == NO_PLACE]
        if alone.size == high.size:
            return alone
        places = self._places[:, np.unique(service[service != NO_PLACE])]
        fallen = self._drift[places] * (now_us - self._at_us[places])[..., None]
        said = np.maximum((self._level[places] - fallen).max(axis=2) - REGION_NATS, 0.0)
        enough = (said > 0) & (said.sum(axis=0) >= WORTH["service"])
        out: Index = np.concatenate((alone, places[enough]))
        return out

    def settle(self, groups: Index, worth: Floats, now_us: int) -> None:
        """After a look: what these groups are really worth now."""
        self._level[groups] = np.maximum(np.minimum(self._level[groups], worth[groups, None]), 0.0)
        self._at_us[groups] = now_us
        self._next_us[self._looked] = now_us + self._rest_us
