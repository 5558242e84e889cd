"""Causes: rectangles of agents and targets, and how much each explains beyond what it costs.

After Shrink (Kandula 2005) and Sherlock (Bahl 2007): few shared causes explain many symptoms; a leak says
that a group need not be hit as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np

from faultline_collector.correlate.evidence import RATE_COST, RATES, WINDOWS, Block
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.nulls import alone, burst, flaky
from faultline_collector.correlate.screen import MOST_NATS
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Scope, Subject
from faultline_collector.results import Mask

Key: TypeAlias = tuple[str, str, str, str]
"""Scope, subject's kind and id, and "slow" where it is slowness: what makes two causes the same thing."""

LEAKS = np.array([0.97, 0.5])
"""Share of a group's agents that a cause really hits."""
SPEAKS_NATS = 1.0
"""From when on a network counts as speaking for a cause, nats."""
ONE_OF_MANY = 4.0
"""How much more an access must explain than one service or provider that fails there, nats."""
PART_OF_AGENT = np.array([0.0, 2.0, 4.0, 6.0])
"""What supposing each rate costs an agent: one that is out fails nearly always, nats."""
OWN_ONSET = 1.5
"""What it costs a region to have an onset of its own, nats."""
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
    """Likelihood ratios of agents when only a share of a group is hit: [..., leaks]."""
    out: Floats = np.log1p(LEAKS * np.expm1(np.clip(part, -30.0, MOST_NATS))[..., None])
    return out


def beyond(ratio: Floats, null: Floats, cap: float) -> Floats:
    """What each agent gives beyond its own best explanation, capped: [agents, windows, rates].

    An agent that explains its failures by itself says nothing; one that is fine speaks against.
    """
    out: Floats = np.where(ratio > 0, np.clip(ratio - null[:, None, None], 0.0, cap), ratio)
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
    family, subject = "service", Subject("service", name)
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
        "provider",
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
    agents, networks = block.agents.size, len(layout.asns)
    null = flaky(block, form.columns, settings.costs)
    null = np.maximum(null, alone(ratio, settings.costs.path))
    null = np.maximum(null, bursts[block.agents])
    if agents == 1:
        null = np.zeros(1)
    sums = _Sums(
        layout,
        block,
        form,
        voice=leaked(beyond(ratio, null, settings.agent_cap(agents))),
        fit=leaked(ratio),
        network_cap=settings.network_cap(networks),
        settings=settings,
    )
    yield from sums.causes()


class _Sums:
    """One form's evidence summed by region and network: capped for believing it, uncapped for ranking it."""

    def __init__(
        self,
        layout: Layout,
        block: Block,
        form: ServiceForm,
        voice: Floats,
        fit: Floats,
        network_cap: float,
        settings: EngineSettings,
    ) -> None:
        self._network_cap = network_cap
        self._layout, self._block, self._form, self._settings = layout, block, form, settings
        self._codes = layout.region[block.agents]
        self._voice = voice
        in_region = layout.in_region[:, block.agents]
        self._by_region = group_sum(voice, in_region)
        self._fit_by_region = group_sum(fit, in_region)
        self._by_network = group_sum(voice, layout.in_network[:, block.agents])
        self._penalties = penalties(settings.costs.part_of_group)
        self._own = self._by_region.max(axis=1) - self._penalties
        self._own_window = self._by_region.argmax(axis=1)
        self._own_fit = self._fit_by_region.max(axis=1) - self._penalties

    def causes(self) -> Iterator[Cause]:
        """The form in some regions, everywhere at once, and everywhere in turn."""
        for found in (self._somewhere(), self._at_once(), self._in_turn()):
            if found is not None and self._services_speak(found):
                yield found

    def _somewhere(self) -> Cause | None:
        each = self._settings.costs.each_region
        worth = np.maximum(self._own - each, 0)
        rate, leak = (int(i) for i in np.unravel_index(int(worth.sum(axis=0).argmax()), worth.shape[1:]))
        hit = np.flatnonzero((worth[:, rate, leak] > 0) & self._several_speak(rate, leak))
        if not hit.size or hit.size == np.unique(self._codes).size:
            return None
        cost = self._form.cost + self._settings.costs.some_regions + each * hit.size
        window = int(np.median(self._own_window[hit, rate, leak]))
        agents = np.flatnonzero(np.isin(self._codes, hit))
        gain = float(self._own[hit, rate, leak].sum())
        fit = float(self._own_fit[hit, rate, leak].sum())
        return self._cause(self._form.somewhere, agents, gain, fit, cost, (window, rate, leak), "somewhere")

    def _several_speak(self, rate: int, leak: int) -> Mask:
        """In which regions two agents speak, or the only one."""
        window = self._own_window[self._codes, rate, leak]
        voice = self._voice[np.arange(self._codes.size), window, rate, leak]
        size = self._own.shape[0]
        speaking = np.bincount(self._codes, voice > SPEAKS_NATS, size)
        out: Mask = speaking >= np.minimum(np.bincount(self._codes, minlength=size), 2)
        return out

    def _at_once(self) -> Cause | None:
        total = np.minimum(self._by_network, self._network_cap).sum(axis=0) - self._penalties
        at = np.unravel_index(int(total.argmax()), total.shape)
        window, rate, leak = (int(i) for i in at)
        if not self._networks_speak(window, rate, leak):
            return None
        fits = self._fit_by_region.sum(axis=0) - self._penalties
        best = np.unravel_index(int(fits.argmax()), fits.shape)
        place = (int(best[0]), int(best[1]), int(best[2]))
        return self._wide(float(total[at]), float(fits[best]), place, "everywhere")

    def _in_turn(self) -> Cause | None:
        hits = np.maximum(self._own - self._settings.costs.each_region, 0).sum(axis=0)
        rate, leak = (int(i) for i in np.unravel_index(int(hits.argmax()), hits.shape))
        hit = self._own[:, rate, leak] > self._settings.costs.each_region
        if not hit.any():
            return None
        window = int(np.median(self._own_window[hit, rate, leak]))
        if not self._networks_speak(window, rate, leak):
            return None
        gain = (self._own[hit, rate, leak] - OWN_ONSET).sum() + self._by_region[
            ~hit, window, rate, leak
        ].sum()
        fit = (self._own_fit[hit, rate, leak] - OWN_ONSET).sum()
        fit += self._fit_by_region[~hit, window, rate, leak].sum()
        return self._wide(float(gain), float(fit), (window, rate, leak), "everywhere in turn")

    def _wide(self, gain: float, fit: float, at: tuple[int, int, int], name: str) -> Cause:
        agents = np.arange(self._block.agents.size)
        return self._cause(self._form.everywhere, agents, gain, fit, self._form.cost, at, name)

    def _networks_speak(self, window: int, rate: int, leak: int) -> bool:
        networks = np.unique(self._layout.network[self._block.agents]).size
        speaking = int((self._by_network[:, window, rate, leak] > SPEAKS_NATS).sum())
        return speaking >= min(NETWORKS_OF_WIDE, networks)

    def _services_speak(self, cause: Cause) -> bool:
        """A provider needs two of its services, each with failures of its own in the cause's window."""
        if self._form.family != "provider":
            return True
        window = int(np.searchsorted(self._block.windows_us, cause.window_us))
        rows = np.isin(self._block.agents, cause.agents)
        agents = (self._block.failed[rows, :, min(window, WINDOWS - 1)] > 0).sum(axis=0)
        services = self._layout.service[self._block.targets]
        return int(np.unique(services[agents >= 2]).size) >= 2

    def _cause(
        self,
        scope: Scope,
        agents: Index,
        gain: float,
        fit: float,
        cost: float,
        at: tuple[int, int, int],
        name: str,
    ) -> Cause:
        window, rate, leak = at
        return Cause(
            family=self._form.family,
            scope=scope,
            subject=self._form.subject,
            agents=self._block.agents[agents],
            targets=self._block.targets[self._form.columns],
            gain=gain,
            fit=fit,
            cost=cost,
            rate=float(RATES[rate]),
            window_us=float(self._block.windows_us[window]),
            layers=self._block.layers,
            voices=self._voice[agents, window, rate, leak],
            form=name,
        )


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
    voice = leaked(beyond(ratio, np.maximum(own, bad_minute), settings.access_cap_nats))
    lonely = leaked(beyond(ratio, bad_minute, MOST_NATS))
    fits = leaked(ratio)
    unbounded, single = _mixed(ratio), _narrower(layout, block)
    for group in groups:
        one = group.name == "agent"
        heard = (lonely if one else voice)[group.rows].sum(axis=0) - penalties(settings.costs.part_of_group)
        if one:
            heard = heard[..., :1] - PART_OF_AGENT[:, None]
        at = np.unravel_index(int(heard.argmax()), heard.shape)
        window, rate, leak = (int(i) for i in at)
        cost = float(getattr(settings.costs, group.name))
        fit = float((fits[group.rows].sum(axis=0) - penalties(settings.costs.part_of_group)).max())
        narrower = float(single[:, group.rows].sum(axis=1).max())
        wider = float(unbounded[group.rows].sum(axis=0).max())
        if (
            heard[at] > cost
            and wider > narrower + ONE_OF_MANY
            and _services_fail(layout, block, group.rows, window)
        ):
            yield Cause(
                family="access",
                scope=Scope.AGENT if one else Scope.NETWORK,
                subject=group.subject,
                agents=block.agents[group.rows],
                targets=block.targets,
                gain=float(heard[at]),
                fit=fit,
                cost=cost,
                rate=float(RATES[rate]),
                window_us=float(block.windows_us[window]),
                layers=block.layers,
                voices=voice[group.rows, window, rate, leak],
                form=group.name,
            )


def _mixed(part: Floats) -> Floats:
    """As `leaked`, however much an agent says."""
    out: Floats = np.logaddexp(np.log1p(-LEAKS), np.log(LEAKS) + part[..., None])
    return out


def _narrower(layout: Layout, block: Block) -> Floats:
    """How well one service, or one provider, that fails alone explains each agent: [those, agents, ...]."""
    every = np.arange(block.targets.size)
    service, provider = layout.service[block.targets], layout.provider[block.targets]
    sets = [every[service == code] for code in np.unique(service)]
    sets += [every[provider == code] for code in np.unique(provider[provider >= 0])]
    some = [columns for columns in sets if columns.size < every.size]
    return np.stack([_mixed(block.ratio(columns)) for columns in some or [every[:0]]])


def _services_fail(layout: Layout, block: Block, rows: Index, window: int) -> bool:
    """Whether agents fail on two services, where they probe as many: one alone is the service's trouble."""
    services = layout.service[block.targets]
    failing = (block.failed[rows, :, window] > 0).any(axis=0)
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
