"""Causes that services share: a service, a component or a provider, everywhere or for some."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faultline_collector.correlate.causes import (
    NETWORKS_OF_WIDE,
    SPEAKS_NATS,
    Cause,
    beyond,
    group_sum,
    leaked,
    mixed,
    most,
    penalties,
)
from faultline_collector.correlate.evidence import RATES, WINDOWS, Block
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.nulls import alone, flaky
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Scope, Subject
from faultline_collector.results import Mask

OWN_ONSET = 1.5
"""What it costs a region to have an onset of its own, nats."""


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
    """A service as a whole, each of its components, and each of its families: IPv4 or IPv6 alone."""
    name = layout.services[service]
    family, subject = "service", Subject("service", name)
    every = np.arange(block.targets.size)
    yield ServiceForm(family, subject, Scope.GLOBAL, Scope.REGIONAL, every, settings.costs.service)
    components = {layout.component[t] for t in block.targets}
    if len(components) > 1:
        for component in sorted(components):
            some = np.flatnonzero([layout.component[t] == component for t in block.targets])
            yield ServiceForm(family, subject, Scope.GLOBAL, Scope.REGIONAL, some, settings.costs.component)
    for some in layout.families_of(block.targets):
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
    cap = settings.agent_cap(agents)
    if most(ratio, null, cap).sum() < form.cost:
        return
    sums = _Sums(
        layout,
        block,
        form,
        voice=leaked(beyond(ratio, null, cap)),
        fit=mixed(ratio),
        network_cap=settings.network_cap(networks),
        settings=settings,
    )
    yield from sums.causes()


def _choice(groups: int, hit: int) -> float:
    """What it costs to say which of the groups are hit: how many, and which so many of them; nats."""
    return math.log(groups * math.comb(groups, hit))


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Agents by a code, and what each group says: [windows, rates, leaks, groups]; `said` is capped.

    `own` is [rates, leaks, groups], each group in its best window.
    """

    codes: Index
    said: Floats
    fits: Floats
    own: Floats


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
        self._penalties = penalties(settings.costs.part_of_group)
        region, network = layout.region[block.agents], layout.network[block.agents]
        self._places = self._by(region, layout.in_region[:, block.agents], voice, fit)
        self._networks = self._by(network, layout.in_network[:, block.agents], voice, fit)
        self._voice = voice

    def _by(self, codes: Index, member: Floats, voice: Floats, fit: Floats) -> "_Groups":
        said, fits = group_sum(voice, member), group_sum(fit, member)
        return _Groups(codes=codes, said=said, fits=fits, own=said.max(axis=0) - self._penalties[..., None])

    def causes(self) -> Iterator[Cause]:
        """The form in some regions, through some networks, everywhere at once, and everywhere in turn."""
        costs = self._settings.costs
        places = self._somewhere(self._places, costs.some_regions, "somewhere")
        of_service = self._form.family == "service"
        ways = (
            self._somewhere(self._networks, costs.some_networks, "through networks") if of_service else None
        )
        for found in (places, ways, self._at_once(), self._in_turn()):
            if found is not None and self._services_speak(found):
                yield found

    def _somewhere(self, groups: "_Groups", some: float, name: str) -> Cause | None:
        """The form in those regions, or through those networks, that fit best; `some` is what that costs."""
        each = self._settings.costs.each_region
        worth = np.maximum(groups.own - each, 0)
        total = worth.sum(axis=2)
        if float(total.max()) < self._form.cost + some:
            return None
        rate, leak = (int(i) for i in np.unravel_index(int(total.argmax()), total.shape))
        own, several = groups.own[rate, leak], self._several_speak(groups, rate, leak)
        hit, among = np.flatnonzero((own > each) & several), np.unique(groups.codes).size
        if 0 < hit.size < among and _choice(among, hit.size) < each * hit.size:
            hit = np.flatnonzero((own > SPEAKS_NATS) & several)
        if not hit.size or hit.size == among:
            return None
        cost = self._form.cost + some + each * hit.size
        own_window = groups.said[:, rate, leak].argmax(axis=0)
        window = int(np.median(own_window[hit]))
        agents = np.flatnonzero(np.isin(groups.codes, hit))
        gain = float(own[hit].sum())
        fit = float(self._fit_of_each(groups, hit).max())
        fit += max(0.0, each * hit.size - _choice(among, hit.size))
        return self._cause(self._form.somewhere, agents, gain, fit, cost, (window, rate, leak), name)

    def _fit_of_each(self, groups: "_Groups", hit: Index | Mask) -> Floats:
        """How well these groups fit, each with its own onset or all with one: [rates, leaks]."""
        fits = groups.fits[..., hit]
        own, one = (fits.max(axis=0) - OWN_ONSET).sum(axis=2), fits.sum(axis=3).max(axis=0)
        out: Floats = np.maximum(own, one) - self._penalties
        return out

    def _several_speak(self, groups: "_Groups", rate: int, leak: int) -> Mask:
        """In which groups two agents speak, or the only one; beside two such groups, in which any does."""
        codes, size = groups.codes, groups.own.shape[2]
        window = groups.said[:, rate, leak].argmax(axis=0)[codes]
        voice = self._voice[window, rate, leak, np.arange(codes.size)]
        speaking = np.bincount(codes, voice > SPEAKS_NATS, size)
        several: Mask = (speaking > 0) & (speaking >= np.minimum(np.bincount(codes, minlength=size), 2))
        out: Mask = speaking > 0 if np.count_nonzero(several) >= 2 else several
        return out

    def _at_once(self) -> Cause | None:
        total = np.minimum(self._networks.said, self._network_cap).sum(axis=3) - self._penalties
        at = np.unravel_index(int(total.argmax()), total.shape)
        window, rate, leak = (int(i) for i in at)
        if total[at] < self._form.cost or not self._networks_speak(window, rate, leak):
            return None
        fits = self._places.fits.sum(axis=3) - self._penalties
        best = np.unravel_index(int(fits.argmax()), fits.shape)
        place = (int(best[0]), int(best[1]), int(best[2]))
        return self._wide(float(total[at]), float(fits[best]), place, "everywhere")

    def _in_turn(self) -> Cause | None:
        each = self._settings.costs.each_region
        hits = np.maximum(self._places.own - each, 0).sum(axis=2)
        rate, leak = (int(i) for i in np.unravel_index(int(hits.argmax()), hits.shape))
        own, said, fits = self._places.own[rate, leak], self._places.said, self._places.fits
        hit = own > each
        best = said[:, rate, leak].argmax(axis=0)
        window = int(np.median(best[hit])) if hit.any() else 0
        gain = (own[hit] - OWN_ONSET).sum() + said[window, rate, leak, ~hit].sum()
        enough = hit.any() and gain >= self._form.cost
        if not (enough and self._networks_speak(window, rate, leak)):
            return None
        fit = self._fit_of_each(self._places, hit)[rate, leak] + fits[window, rate, leak, ~hit].sum()
        return self._wide(float(gain), float(fit), (window, rate, leak), "everywhere in turn")

    def _wide(self, gain: float, fit: float, at: tuple[int, int, int], name: str) -> Cause:
        agents = np.arange(self._block.agents.size)
        return self._cause(self._form.everywhere, agents, gain, fit, self._form.cost, at, name)

    def _networks_speak(self, window: int, rate: int, leak: int) -> bool:
        networks = np.unique(self._layout.network[self._block.agents]).size
        speaking = int((self._networks.said[window, rate, leak] > SPEAKS_NATS).sum())
        return speaking >= min(NETWORKS_OF_WIDE, networks)

    def _services_speak(self, cause: Cause) -> bool:
        """A provider needs two of its services, each with failures that speak for it as far as it reaches."""
        if self._form.family != "provider":
            return True
        window = min(int(np.searchsorted(self._block.windows_us, cause.window_us)), WINDOWS - 1)
        rows = np.isin(self._block.agents, cause.agents)
        agents = (self._block.failed[window][:, rows] > 0).sum(axis=1)
        services = self._layout.service[self._block.targets]
        failing = np.unique(services[agents >= 2])
        if cause.form.startswith("everywhere"):
            wide = [self._is_wide(np.flatnonzero(services == code), window) for code in failing]
            failing = failing[np.array(wide, bool)]
        return failing.size >= 2

    def _is_wide(self, columns: Index, window: int) -> bool:
        """Whether these targets by themselves rather fail everywhere than in some regions only."""
        said = leaked(self._block.ratio(columns)[window])
        by_region = group_sum(said, self._layout.in_region[:, self._block.agents])
        costs = self._settings.costs
        some = np.maximum(by_region - costs.each_region, 0.0).sum(axis=2) - costs.some_regions
        wide = by_region.sum(axis=2)
        return float((wide - self._penalties).max()) >= float((some - self._penalties).max())

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
            voices=self._voice[window, rate, leak, agents],
            form=name,
        )
