"""A small world in which probes take their time: what they find comes when they have ended."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from faultline_collector.fleet import Agent, Target
from faultline_collector.results import ResultBatch, concatenate, empty_batch
from tests.collector.correlate.worlds import EPOCH_US, SECOND_US, Fault, World

Takes = Callable[[Agent, Target, float], float]

LAG_US = 200_000


def at_once(agent: Agent, target: Target, at: float) -> float:
    """As all probes usually do."""
    return 0.1


@dataclass
class PacedWorld(World):
    """`takes` says for how many seconds a probe that begins `at` a second lasts."""

    takes: Takes = at_once

    def __post_init__(self) -> None:
        super().__post_init__()
        self.coming = empty_batch()

    def second(self, at_s: float, fault: Fault) -> ResultBatch:
        """What is received in one second, of probes that began then or before."""
        begun = super().second(at_s, fault)
        starts = (begun.started_us - EPOCH_US) / SECOND_US
        took = [
            self.takes(self.fleet.agents[agent], self.fleet.targets[target], at)
            for agent, target, at in zip(begun.source, begun.target, starts, strict=True)
        ]
        took_us = np.array([round(seconds * SECOND_US) for seconds in took], np.int32)
        begun = replace(begun, timings_us={"total": took_us}, received_us=begun.started_us + took_us + LAG_US)
        self.coming = concatenate([self.coming, begun]) if len(self.coming) else begun
        here = self.coming.received_us < EPOCH_US + round((at_s + 1.0) * SECOND_US)
        received, self.coming = self.coming.select(here), self.coming.select(~here)
        return received
