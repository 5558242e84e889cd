"""The fewest causes that explain the failures: greedily the best one, then the best of what it leaves."""

from collections.abc import Iterable

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.causes import (
    Cause,
    access_causes,
    group_sum,
    provider_form,
    service_forms,
    wide_causes,
)
from faultline_collector.correlate.cells import Cells
from faultline_collector.correlate.evidence import Block, Floats, weigh
from faultline_collector.correlate.layout import Index, Layout
from faultline_collector.correlate.nulls import bursts
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.screen import Hot
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Scope
from faultline_collector.results import Mask

MOST_CAUSES = 8
"""Causes named in one tick."""


class Explainer:
    """Finds the causes of one moment; holds no evidence of its own."""

    def __init__(self, layout: Layout, settings: EngineSettings, cells: Cells, base: Baselines) -> None:
        self._layout = layout
        self._settings = settings
        self._cells = cells
        self._base = base
        self._every_agent = np.arange(layout.shape[0])
        self._every_target = np.arange(layout.shape[1])

    def explain(
        self, hot: Hot, recent: Recent, now_us: int, masked: Mask, known: Iterable[tuple[str, str, str]] = ()
    ) -> tuple[list[Cause], list[Cause]]:
        """The causes worth opening, best first, and the best of those that lost; `known` ones are open already."""
        masked = masked.copy()
        open_keys = frozenset(known)
        chosen: list[Cause] = []
        lost: list[Cause] = []
        while len(chosen) < MOST_CAUSES:
            burst = bursts(self._layout, self._base, recent, now_us, masked, self._settings.costs)
            found = self._candidates(hot, now_us, masked, burst)
            found = [c for c in found if c.score >= self.threshold(c, open_keys)]
            if not found:
                break
            found.sort(key=lambda c: (-self._rank(c, open_keys), c.key, c.form))
            best = found[0]
            chosen.append(best)
            lost.extend(c for c in found[1:] if c.key != best.key)
            masked[self.cells_of(best)] = True
        return chosen, lost

    def threshold(self, cause: Cause, known: frozenset[tuple[str, str, str]]) -> float:
        """What a cause must score."""
        if cause.key in known:
            return 0.0
        wide_access = cause.scope is Scope.NETWORK
        return self._settings.open_network_nats if wide_access else self._settings.open_nats

    def _rank(self, cause: Cause, known: frozenset[tuple[str, str, str]]) -> float:
        return cause.score + (3.0 if cause.key in known else 0.0)

    def cells_of(self, cause: Cause) -> Index:
        """The flat cells of a cause's rectangle."""
        out: Index = (cause.agents[:, None] * self._layout.shape[1] + cause.targets[None, :]).reshape(-1)
        return out

    def block(self, agents: Index, targets: Index, now_us: int, masked: Mask) -> Block:
        """The evidence of some agents and targets."""
        return weigh(self._cells, self._base, agents, targets, now_us, masked)

    def _candidates(self, hot: Hot, now_us: int, masked: Mask, burst: Floats) -> list[Cause]:
        layout, settings = self._layout, self._settings
        found: list[Cause] = []
        for service in sorted(hot.services):
            block = self.block(self._every_agent, layout.targets_of_service(service), now_us, masked)
            for form in service_forms(layout, service, block, settings):
                found.extend(wide_causes(layout, block, form, burst, settings))
        for provider in sorted(self._providers(hot)):
            block = self.block(self._every_agent, layout.targets_of_provider(provider), now_us, masked)
            if self._services_that_speak(block) >= 2:
                form = provider_form(layout, provider, block, settings)
                found.extend(wide_causes(layout, block, form, burst, settings))
        rows = self._access_rows(hot)
        if rows.size:
            block = self.block(rows, self._every_target, now_us, masked)
            found.extend(access_causes(layout, block, burst, settings))
        return found

    def _providers(self, hot: Hot) -> set[int]:
        layout = self._layout
        of_hot = [int(layout.provider[layout.service == s][0]) for s in sorted(hot.services)]
        twice = {p for p in of_hot if p >= 0 and of_hot.count(p) >= 2}
        return twice | set(hot.providers)

    def _services_that_speak(self, block: Block) -> int:
        layout = self._layout
        speaking = block.surprise.max(axis=2) > 0
        agents = group_sum(speaking.T.astype(np.float64), layout.service[block.targets], len(layout.services))
        return int(((agents > 0).sum(axis=1) >= 2).sum())

    def _access_rows(self, hot: Hot) -> Index:
        layout = self._layout
        rows = np.isin(layout.network, sorted(hot.networks)) | np.isin(layout.region, sorted(hot.regions))
        rows[sorted(hot.agents)] = True
        networks = np.unique(layout.network[sorted(hot.agents)]) if hot.agents else []
        rows |= np.isin(layout.network, networks)
        return np.flatnonzero(rows)
