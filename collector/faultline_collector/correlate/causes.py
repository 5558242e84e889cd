"""Causes: rectangles of agents and targets, and how much each explains beyond what it costs.

After Shrink (Kandula 2005) and Sherlock (Bahl 2007): few shared causes explain many symptoms; a leak says that
a group need not be hit as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from faultline_collector.correlate.evidence import RATE_COST, RATES, Block
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.nulls import alone, burst, flaky
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Scope, Subject

LEAKS = np.array([0.97, 0.5])
"""Share of a group's agents that a cause really hits."""
OWN_ONSET = 1.5
"""What it costs a region to have an onset of its own, nats."""
NETWORKS_OF_WIDE = 3
"""Networks that must speak for a cause everywhere, where there are as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """One explanation: who and what it covers, and its score (gain less cost, nats)."""

    family: str
    scope: Scope
    subject: Subject
    agents: Index
    targets: Index
    gain: float
    cost: float
    rate: float
    window_us: float
    layers: Floats
    voices: Floats
    form: str = ""

    @property
    def score(self) -> float:
        """How much it explains beyond its cost, nats."""
        return self.gain - self.cost

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two causes the same thing."""
        return self.scope.value, self.subject.kind, self.subject.id


def speak(ratio: Floats, null: Floats, cap: float) -> Floats:
    """What each agent gives beyond its own best explanation, capped, with the leak: [agents, windows, rates, leaks].

    An agent that explains its failures by itself says nothing; one that is fine speaks against.
    """
    beyond = np.clip(ratio - null[:, None, None], 0.0, cap)
    part = np.where(ratio > 0, beyond, np.maximum(ratio, -30.0))[..., None]
    out: Floats = np.log1p(LEAKS * np.expm1(part))
    return out


@cache
def penalties(part_of_group: float) -> Floats:
    """What each rate and leak costs: [rates, leaks]."""
    leak = np.where(LEAKS < 0.9, part_of_group, 0.0)
    out: Floats = RATE_COST[:, None] + leak[None, :]
    return out


def group_sum(values: Floats, member: Floats) -> Floats:
    """Sums over agents by group; `member` is [groups, agents] of ones and zeros."""
    out: Floats = (member @ values.reshape(len(values), -1)).reshape(len(member), *values.shape[1:])
    return out


@dataclass(frozen=True, slots=True, eq=False)
class ServiceForm:
    """A set of targets that may fail as one: a service, one component, a provider."""

    family: str
    subject: Subject
    everywhere: Scope
    somewhere: Scope
    columns: Index
    cost: float


def service_forms(
    layout: Layout, service: int, block: Block, settings: EngineSettings
) -> Iterator[ServiceForm]:
    """A service as a whole, and each of its components."""
    name = layout.services[service]
    family, subject = f"service:{name}", Subject("service", name)
    every = np.arange(block.targets.size)
    yield ServiceForm(family, subject, Scope.GLOBAL, Scope.REGIONAL, every, settings.costs.service)
    components = {layout.component[t] for t in block.targets}
    if len(components) > 1:
        for component in sorted(components):
            some = np.flatnonzero([layout.component[t] == component for t in block.targets])
            yield ServiceForm(family, subject, Scope.GLOBAL, Scope.REGIONAL, some, settings.costs.component)


def provider_form(layout: Layout, provider: int, block: Block, settings: EngineSettings) -> ServiceForm:
    """A provider with all its services."""
    name = layout.providers[provider]
    return ServiceForm(
        f"provider:{name}",
        Subject("provider", name),
        Scope.PROVIDER,
        Scope.PROVIDER,
        np.arange(block.targets.size),
        settings.costs.provider,
    )


def wide_causes(
    layout: Layout, block: Block, form: ServiceForm, bursts: Floats, settings: EngineSettings
) -> Iterator[Cause]:
    """The form everywhere and in the regions that fit best."""
    ratio = block.ratio(form.columns)
    null = flaky(block, form.columns, settings.costs)
    null = np.maximum(null, alone(ratio, settings.costs.path))
    null = np.maximum(null, bursts[block.agents])
    voice = speak(ratio, null, settings.agent_cap_nats)
    codes = layout.region[block.agents]
    by_region = group_sum(voice, layout.in_region[:, block.agents])
    own = by_region.max(axis=1) - penalties(settings.costs.part_of_group)
    own_window = by_region.argmax(axis=1)
    make = _Maker(layout, block, form, voice)
    yield from _somewhere(make, own, own_window, codes, settings)
    yield from _everywhere(make, by_region, own, own_window, settings)


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    layout: Layout
    block: Block
    form: ServiceForm
    voice: Floats

    def cause(
        self, scope: Scope, agents: Index, gain: float, cost: float, at: tuple[int, int, int], name: str
    ) -> Cause:
        window, rate, leak = at
        return Cause(
            family=self.form.family,
            scope=scope,
            subject=self.form.subject,
            agents=self.block.agents[agents],
            targets=self.block.targets[self.form.columns],
            gain=gain,
            cost=cost,
            rate=float(RATES[rate]),
            window_us=float(self.block.windows_us[window]),
            layers=self.block.layers,
            voices=self.voice[agents, window, rate, leak],
            form=name,
        )


def _somewhere(
    make: _Maker, own: Floats, own_window: Index, codes: Index, settings: EngineSettings
) -> Iterator[Cause]:
    each = settings.costs.each_region
    worth = np.maximum(own - each, 0)
    rate, leak = np.unravel_index(int(worth.sum(axis=0).argmax()), worth.shape[1:])
    hit = np.flatnonzero(worth[:, rate, leak] > 0)
    present = np.unique(codes)
    if not hit.size or hit.size == present.size:
        return
    cost = make.form.cost + settings.costs.some_regions + each * hit.size
    agents = np.flatnonzero(np.isin(codes, hit))
    window = int(np.median(own_window[hit, rate, leak]))
    gain = float(own[hit, rate, leak].sum())
    yield make.cause(make.form.somewhere, agents, gain, cost, (window, int(rate), int(leak)), "somewhere")


def _everywhere(
    make: _Maker, by_region: Floats, own: Floats, own_window: Index, settings: EngineSettings
) -> Iterator[Cause]:
    layout, block = make.layout, make.block
    agents = np.arange(block.agents.size)
    networks = layout.network[block.agents]
    by_network = group_sum(make.voice, layout.in_network[:, block.agents])
    capped = np.minimum(by_network, settings.network_cap_nats)
    total = capped.sum(axis=0) - penalties(settings.costs.part_of_group)
    at = np.unravel_index(int(total.argmax()), total.shape)
    window, rate, leak = (int(i) for i in at)
    cost = make.form.cost
    if _networks_speak(by_network[:, window, rate, leak], networks):
        yield make.cause(
            make.form.everywhere, agents, float(total[at]), cost, (window, rate, leak), "everywhere"
        )
    hit = own[:, rate, leak] > settings.costs.each_region
    if not hit.any():
        return
    windows = own_window[:, rate, leak]
    typical = int(np.median(windows[hit]))
    if not _networks_speak(by_network[:, typical, rate, leak], networks):
        return
    rest = by_region[~hit, typical, rate, leak].sum()
    gain = float((own[hit, rate, leak] - OWN_ONSET).sum() + rest)
    yield make.cause(make.form.everywhere, agents, gain, cost, (typical, rate, leak), "everywhere in turn")


def _networks_speak(by_network: Floats, networks: Index) -> bool:
    needed = min(NETWORKS_OF_WIDE, np.unique(networks).size)
    return int((by_network > 1.0).sum()) >= needed


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
    own = alone(ratio, settings.costs.agent)
    voice = speak(ratio, np.maximum(own, bad_minute), settings.access_cap_nats)
    lonely = speak(ratio, bad_minute, 1e9)
    for group in groups:
        one = group.name == "agent"
        heard = (lonely if one else voice)[group.rows].sum(axis=0) - penalties(settings.costs.part_of_group)
        if one:
            heard = heard[..., :1]
        at = np.unravel_index(int(heard.argmax()), heard.shape)
        window, rate, leak = (int(i) for i in at)
        cost = float(getattr(settings.costs, group.name))
        if heard[at] > cost:
            yield Cause(
                family="access",
                scope=Scope.AGENT if one else Scope.NETWORK,
                subject=group.subject,
                agents=block.agents[group.rows],
                targets=block.targets,
                gain=float(heard[at]),
                cost=cost,
                rate=float(RATES[rate]),
                window_us=float(block.windows_us[window]),
                layers=block.layers,
                voices=voice[group.rows, window, rate, leak],
                form=group.name,
            )


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
