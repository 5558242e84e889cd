"""Causes that agents share: one agent, a network, a region's access, a network in one region."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faultline_collector.correlate.causes import Cause, beyond, leaked, mixed, most, penalties
from faultline_collector.correlate.evidence import RATES, Block
from faultline_collector.correlate.layout import Index, Layout
from faultline_collector.correlate.nulls import alone, burst
from faultline_collector.correlate.screen import MOST_NATS
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Scope, Subject

ONE_OF_MANY = 4.0
"""How much more an access must explain than one service or provider that fails there, nats."""
PART_OF_AGENT = np.array([0.0, 2.0, 4.0, 6.0])
"""What supposing each rate costs an agent: one that is out fails nearly always, nats."""


@dataclass(frozen=True, slots=True, eq=False)
class AccessGroup:
    """Agents that share their way to everything; `rows` are those of a block."""

    name: str
    subject: Subject
    rows: Index


def access_causes(
    layout: Layout, block: Block, groups: list[AccessGroup], settings: EngineSettings
) -> Iterator[Cause]:
    """Agents, networks, regions and networks in a region whose targets all fail."""
    ratio = block.ratio()
    bad_minute = burst(
        block.surprise.sum(axis=1),
        block.failed.sum(axis=1),
        block.fine.sum(axis=1),
        block.windows_us,
        settings.costs,
    )
    null = np.maximum(alone(ratio, settings.costs.agent), bad_minute)
    cap = settings.access_cap_nats
    speaking, lonely = most(ratio, null, cap), most(ratio, bad_minute, MOST_NATS)
    for group in groups:
        rows, one = group.rows, group.name == "agent"
        cost = float(getattr(settings.costs, group.name))
        if (lonely if one else speaking)[rows].sum() <= cost:
            continue
        said = ratio[..., rows]
        voice = beyond(said, bad_minute[rows], MOST_NATS) if one else beyond(said, null[rows], cap)
        heard = leaked(voice).sum(axis=3) - penalties(settings.costs.part_of_group)
        if one:
            heard = heard[..., :1] - PART_OF_AGENT[:, None]
        at = np.unravel_index(int(heard.argmax()), heard.shape)
        window, rate, leak = (int(i) for i in at)
        if heard[at] <= cost or not _services_fail(layout, block, rows, window):
            continue
        fit = mixed(said).sum(axis=3)
        if float(fit.max()) <= _narrower(layout, block, rows) + ONE_OF_MANY:
            continue
        yield Cause(
            family="access",
            scope=Scope.AGENT if one else Scope.NETWORK,
            subject=group.subject,
            agents=block.agents[rows],
            targets=block.targets,
            gain=float(heard[at]),
            fit=float((fit - penalties(settings.costs.part_of_group)).max()),
            cost=cost,
            rate=float(RATES[rate]),
            window_us=float(block.windows_us[window]),
            layers=block.layers,
            voices=leaked(beyond(said[window, rate], null[rows], cap))[leak],
            form=group.name,
        )


def _narrower(layout: Layout, block: Block, rows: Index) -> float:
    """How well one service, or one provider, that fails alone explains these agents, nats."""
    service, provider = layout.service[block.targets], layout.provider[block.targets]
    codes = [(service, code) for code in np.unique(service)]
    codes += [(provider, code) for code in np.unique(provider[provider >= 0])]
    sets = np.array([of == code for of, code in codes], np.float64)
    sets = sets[sets.sum(axis=1) < block.targets.size]
    return float(mixed(block.ratios(sets, rows)).sum(axis=-1).max(initial=0.0))


def _services_fail(layout: Layout, block: Block, rows: Index, window: int) -> bool:
    """Whether agents fail on two services, where they probe as many: one alone is the service's trouble."""
    services = layout.service[block.targets]
    failing = (block.failed[window][:, rows] > 0).any(axis=1)
    probed = layout.planned[np.ix_(block.agents[rows], block.targets)].any(axis=0)
    return np.unique(services[failing]).size >= min(2, np.unique(services[probed]).size)


def access_groups(layout: Layout, agents: Index, kind: str, code: int) -> list[AccessGroup]:
    """The agents that share a network or a region, as a whole, in parts, and each by itself."""
    found = [
        AccessGroup("agent", Subject("agent", layout.agent_ids[agent]), np.array([row]))
        for row, agent in enumerate(agents)
    ]
    every = np.arange(agents.size)
    if kind == "network":
        asn = Subject("asn", str(layout.asns[code]))
        found.append(AccessGroup("network", asn, every))
        region = layout.region[agents]
        places = np.unique(region)
        if places.size > 1:
            found += [
                AccessGroup("network_in_region", asn, np.flatnonzero(region == place)) for place in places
            ]
    elif kind == "region":
        found.append(AccessGroup("region", Subject("region", layout.regions[code]), every))
    return [group for group in found if group.name == "agent" or group.rows.size > 1]
