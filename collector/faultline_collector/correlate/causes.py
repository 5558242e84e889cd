"""Causes: rectangles of agents and targets, and how much each explains beyond what it costs.

After Shrink (Kandula 2005) and Sherlock (Bahl 2007): few shared causes explain many symptoms; a leak says
that a group need not be hit as a whole.
"""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np

from faultline_collector.correlate.evidence import RATE_COST
from faultline_collector.correlate.layout import Floats, Index
from faultline_collector.correlate.screen import MOST_NATS
from faultline_collector.outages import Scope, Subject

Key: TypeAlias = tuple[str, str, str, str]
"""Scope, subject's kind and id, and "slow" where it is slowness: what makes two causes the same thing."""

LEAKS = np.array([0.97, 0.5])
"""Share of a group's agents that a cause really hits."""
SPEAKS_NATS = 1.0
"""From when on a network counts as speaking for a cause, nats."""
NETWORKS_OF_WIDE = 3
"""Networks that must speak for a cause everywhere, where there are as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """One explanation: who and what it covers, and what speaks for it (nats).

    `gain` is what it explains beyond what agents explain by themselves, capped for each; `fit` is all that it
    explains.
    """

    family: str
    scope: Scope
    subject: Subject
    agents: Index
    targets: Index
    gain: float
    fit: float
    cost: float
    rate: float
    window_us: float
    layers: Floats
    voices: Floats
    form: str = ""
    slow: bool = False

    @property
    def score(self) -> float:
        """How much it explains beyond its cost, nats."""
        return self.gain - self.cost

    @property
    def rank(self) -> float:
        """How well it fits less its cost, without caps: what it is compared with other causes by, nats."""
        return self.fit - self.cost

    @property
    def key(self) -> Key:
        """What makes two causes the same thing."""
        return self.scope.value, self.subject.kind, self.subject.id, "slow" if self.slow else ""


def leaked(part: Floats) -> Floats:
    """Likelihood ratios when only a share of a group is hit: [.., leaks, agents] of [.., agents]."""
    more = np.expm1(np.minimum(np.maximum(part, -30.0), MOST_NATS))
    out: Floats = np.log1p(LEAKS[:, None] * more[..., None, :])
    return out


def mixed(part: Floats) -> Floats:
    """As `leaked`, however much an agent says: beyond its bound each nat counts as one."""
    out = leaked(part)
    out += np.maximum(part - MOST_NATS, 0.0)[..., None, :]
    return out


def beyond(ratio: Floats, null: Floats, cap: float) -> Floats:
    """What each agent gives beyond its own best explanation, capped: [windows, rates, agents].

    An agent that explains its failures by itself says nothing; one that is fine speaks against.
    """
    more = np.minimum(np.maximum(ratio - null, 0.0), cap)
    out: Floats = np.where(ratio > 0, more, ratio)
    return out


def most(ratio: Floats, null: Floats, cap: float) -> Floats:
    """The most that each agent can give, whatever the window, rate and leak: [agents]."""
    out: Floats = np.minimum(np.maximum(ratio.max(axis=(0, 1)) - null, 0.0), cap)
    return out


@cache
def penalties(part_of_group: float) -> Floats:
    """What each rate and leak costs: [rates, leaks]."""
    leak = np.where(LEAKS < 0.9, part_of_group, 0.0)
    out: Floats = RATE_COST[:, None] + leak[None, :]
    return out


def group_sum(values: Floats, member: Floats) -> Floats:
    """Sums over agents, the last axis, by group; `member` is [groups, agents] of ones and zeros."""
    out: Floats = values.reshape(-1, values.shape[-1]) @ member.T
    return out.reshape(*values.shape[:-1], len(member))
