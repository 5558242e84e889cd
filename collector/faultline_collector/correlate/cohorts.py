"""Cohorts: agents that have only their software in common, an old bundle of authorities or a version.

When DST Root CA X3 expired (2021-09-30), agents with old bundles failed TLS on a third of all targets in one
step: an outage of agents, not of the world.
"""

from collections.abc import Iterator

import numpy as np

from faultline_collector.correlate.causes import SPEAKS_NATS, Cause, beyond, leaked, mixed, penalties
from faultline_collector.correlate.evidence import RATES, Block
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.nulls import alone, burst
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Scope, Subject
from faultline_collector.results import Mask

MOST_OF = 0.5
"""Share of a cohort's agents that must fail a target for it to be one of those that the cohort fails."""
TIMES = 4.0
"""How much more often than all other agents they must fail it."""
LEAST_NETWORKS = 2


def members(layout: Layout, code: int) -> Index:
    """The agents of a cohort."""
    return np.flatnonzero((layout.bundle == code) | (layout.release == code))


def failed_targets(layout: Layout, recent: Recent, agents: Index, masked: Mask) -> Index:
    """The targets that these agents fail and the others do not."""
    use = ~masked[recent.cell]
    cell = np.unique(recent.cell[use])
    agent, target = np.divmod(cell, max(layout.shape[1], 1))
    inside = np.isin(agent, agents)
    size = layout.shape[1]
    planned = layout.planned[agents].sum(axis=0)
    others = np.maximum(layout.planned.sum(axis=0) - planned, 1)
    here = np.bincount(target[inside], minlength=size) / np.maximum(planned, 1)
    there = np.bincount(target[~inside], minlength=size) / others
    return np.flatnonzero((here >= MOST_OF) & (here >= TIMES * there))


def cohort_causes(layout: Layout, code: int, block: Block, settings: EngineSettings) -> Iterator[Cause]:
    """A cohort that fails these targets; several networks and services must speak for it."""
    ratio = block.ratio()
    failed, fine = block.failed.sum(axis=1), block.fine.sum(axis=1)
    bad_minute = burst(block.surprise.sum(axis=1), failed, fine, block.windows_us, settings.costs)
    null = np.maximum(bad_minute, alone(ratio, settings.costs.agent))
    voice = leaked(beyond(ratio, null, settings.access_cap_nats))
    heard = voice.sum(axis=3) - penalties(settings.costs.part_of_group)
    window, rate, leak = (int(i) for i in np.unravel_index(int(heard.argmax()), heard.shape))
    voices: Floats = voice[window, rate, leak]
    networks = np.unique(layout.network[block.agents[voices > SPEAKS_NATS]])
    services = np.unique(layout.service[block.targets])
    if networks.size < LEAST_NETWORKS or services.size < LEAST_NETWORKS:
        return
    fit = mixed(ratio).sum(axis=3) - penalties(settings.costs.part_of_group)
    yield Cause(
        family="cohort",
        scope=Scope.AGENT,
        subject=Subject("cohort", layout.cohorts[code][1]),
        agents=block.agents,
        targets=block.targets,
        gain=float(heard[window, rate, leak]),
        fit=float(fit.max()),
        cost=settings.costs.cohort + settings.costs.each_service * services.size,
        rate=float(RATES[rate]),
        window_us=float(block.windows_us[window]),
        layers=block.layers,
        voices=voices,
        form="cohort",
    )
