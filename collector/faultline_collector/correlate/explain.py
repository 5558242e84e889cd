"""The fewest causes that explain the failures: greedily the best one, then the best of what it leaves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from faultline_collector.correlate.access import access_causes, access_groups
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.causes import NETWORKS_OF_WIDE, SPEAKS_NATS, Cause, Key
from faultline_collector.correlate.cells import NEVER, Cells
from faultline_collector.correlate.cohorts import cohort_causes, failed_targets, members
from faultline_collector.correlate.evidence import Block, weigh, windows_us
from faultline_collector.correlate.groups import Groups
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.nulls import bursts
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.screen import Family, Screen
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.correlate.wide import provider_form, service_forms, wide_causes
from faultline_collector.outages import Scope
from faultline_collector.results import Mask

SLACK_NATS = 3.0
"""By how much a cause may be worth more than its family's bound."""
KNOWN_NATS = 3.0
"""What a cause that is open already has ahead of others, so that scopes do not flutter."""
OF_AGENTS_NATS = 3.0
"""What a network must be worth beyond its agents, two of which are told already."""
TOGETHER_US = 150_000_000
"""Agents fell out together when their outages began within this, microseconds."""
RIVAL_SHARE = 0.7
"""How much of the best explanation another must explain to be tried in its place."""
MOST_CAUSES = 8
"""New causes named in one tick."""


@dataclass(slots=True)
class Moment:
    """What an explanation stands on besides the cells: the time, the failures, and what must not speak.

    `near` are the failures of the agents that have news; what outages have `told` is no agent's bad minute.
    `pending` are the known causes still to be weighed, whatever speaks for them.
    """

    now_us: int
    recent: Recent
    near: Recent
    masked: Mask
    told: Mask
    known: Mapping[Key, int]
    bursts: Floats
    news: Index | None
    pending: frozenset[Key] = frozenset()
    weighed: dict[Family, list[Cause]] = field(default_factory=dict)
    worth: Floats = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The causes worth opening, best first, the best of those that lost, and what is left to each group."""

    chosen: list[Cause]
    lost: list[Cause]
    worth: Floats


class Explainer:
    """Finds the causes of one moment; holds no evidence of its own."""

    def __init__(
        self, layout: Layout, groups: Groups, settings: EngineSettings, cells: Cells, base: Baselines
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._cells = cells
        self._base = base
        self._groups = groups
        self._screen = Screen(layout, groups, settings)
        self._every_agent = np.arange(layout.shape[0])
        self._every_target = np.arange(layout.shape[1])
        steps = layout.interval_us if layout.shape[1] else np.array([1_000_000])
        self._windows_us = windows_us(float(steps.min()), float(steps.max()))

    def explain(
        self,
        recent: Recent,
        now_us: int,
        masked: Mask,
        known: Mapping[Key, int] | None = None,
        news: Index | None = None,
        told: Mask | None = None,
    ) -> Explanation:
        """Explains the failures that are not masked.

        `known` ones are open already, since when in microseconds, and cover the cells that are `told`;
        with `news` only these groups are looked at, else all, and the known ones whatever speaks for them.
        """
        known, told = known or {}, masked if told is None else told
        bursts = np.zeros(self._layout.shape[0])
        moment = Moment(now_us, recent, recent, masked.copy(), told, known, bursts, None, frozenset(known))
        if news is not None:
            moment.pending = frozenset()
            self._turn_to(news, moment)
        chosen: list[Cause] = []
        lost: list[Cause] = []
        unsure: list[Floats] = []
        while len(chosen) + len(unsure) < MOST_CAUSES + len(moment.known):
            ranked = self._ranked(moment)
            if not ranked:
                break
            best = self._best(ranked, moment)
            if self._is_sure(best, moment):
                chosen.append(best)
                lost.extend(c for c in ranked if c.key != best.key)
            else:
                unsure.append(moment.worth)
            self._explained(moment, best)
        return Explanation(chosen, lost, np.maximum.reduce([moment.worth, *unsure]))

    def _turn_to(self, news: Index, moment: Moment) -> None:
        """Has only these groups looked at from now on."""
        recent = moment.recent
        touched = np.zeros(self._groups.size, bool)
        touched[news] = True
        agent = recent.cell // self._layout.shape[1]
        concerned = np.zeros(self._layout.shape[0], bool)
        concerned[agent[touched[self._groups.of(recent.cell)].any(axis=0)]] = True
        moment.news, moment.near = news, recent.select(concerned[agent])

    def _best(self, ranked: list[Cause], moment: Moment) -> Cause:
        """The first, unless another kind of cause explains nearly as much and leaves less unexplained."""
        best = ranked[0]
        rivals = (c for c in ranked if c.family != best.family and c.rank >= RIVAL_SHARE * best.rank)
        rival = next(rivals, None)
        if rival is None:
            return best
        with_best, with_rival = (cause.rank + self._left(cause, moment) for cause in (best, rival))
        return rival if with_rival > with_best else best

    def _left(self, cause: Cause, moment: Moment) -> float:
        """What the best cause explains of what another leaves, nats."""
        after = replace(
            moment, masked=moment.masked.copy(), bursts=moment.bursts.copy(), weighed=moment.weighed.copy()
        )
        self._explained(after, cause)
        return max((c.rank for c in self._ranked(after)[:1]), default=0.0)

    def _explained(self, moment: Moment, cause: Cause) -> None:
        """Takes the cells of a cause for explained."""
        moment.masked[self.cells_of(cause)] = True
        moment.pending -= {cause.key}
        self._forget(moment, cause)

    def _ranked(self, moment: Moment) -> list[Cause]:
        """The causes worth opening, best first; families that cannot beat the best are not weighed."""
        layout, settings = self._layout, self._settings
        explained = moment.masked | moment.told
        failures = moment.recent if moment.pending else moment.near
        moment.bursts[:] = bursts(
            layout, self._base, failures, moment.now_us, explained, self._windows_us, settings.costs
        )
        look = self._screen.look(
            moment.near, self._base, moment.now_us, moment.masked, moment.bursts, moment.news
        )
        moment.worth = look.worth
        bounds = [(bound - self._cost(family), family) for bound, family in look.families]
        looked = {family for _, family in bounds}
        bounds += [(np.inf, family) for family in self._known(moment) if family not in looked]
        bounds.sort(key=lambda b: (-b[0], b[1]))
        found: list[Cause] = []
        best = 0.0
        for bound, family in bounds:
            if bound + SLACK_NATS < best:
                break
            if family not in moment.weighed:
                moment.weighed[family] = [
                    cause
                    for cause in self._heard(family, moment)
                    if cause.score >= self.threshold(cause, moment.known)
                ]
            for cause in moment.weighed[family]:
                found.append(cause)
                best = max(best, self._rank(cause, moment))
        return sorted(found, key=lambda c: (-self._rank(c, moment), c.key, c.form))

    def _known(self, moment: Moment) -> list[Family]:
        """The families of what is open already and still to be weighed."""
        layout = self._layout
        words: dict[str, tuple[str, Sequence[str]]] = {
            "service": ("service", layout.services),
            "provider": ("provider", layout.providers),
            "asn": ("network", [str(asn) for asn in layout.asns]),
            "region": ("region", layout.regions),
            "agent": ("agent", layout.agent_ids),
            "cohort": ("cohort", [name for _, name in layout.cohorts]),
        }
        found = []
        for _, kind, name, _ in sorted(moment.pending):
            family, names = words.get(kind, ("", ()))
            if name in names:
                found.append((family, names.index(name)))
        return found

    def _forget(self, moment: Moment, best: Cause) -> None:
        """Drops what was weighed with cells that the best cause now explains."""
        for family in list(moment.weighed):
            if self._touches(family, best):
                del moment.weighed[family]

    def _touches(self, family: Family, best: Cause) -> bool:
        kind, code = family
        layout = self._layout
        match kind:
            case "service":
                return bool((layout.service[best.targets] == code).any())
            case "provider":
                return bool((layout.provider[best.targets] == code).any())
            case "network":
                return bool((layout.network[best.agents] == code).any())
            case "region":
                return bool((layout.region[best.agents] == code).any())
            case "cohort":
                return True
            case _:
                return bool((best.agents == code).any())

    def _cost(self, family: Family) -> float:
        return float(getattr(self._settings.costs, family[0]))

    def threshold(self, cause: Cause, known: Mapping[Key, int]) -> float:
        """What a cause must score."""
        if cause.key in known:
            return 0.0
        if cause.scope is Scope.NETWORK:
            return self._network_threshold(cause, known)
        return self._settings.open_agent_nats if cause.scope is Scope.AGENT else self._settings.open_nats

    def _is_sure(self, cause: Cause, moment: Moment) -> bool:
        """Where most cells were learning most of a region's agents must fail: nobody knows what was usual.

        What failed then says no more when they are known. Until they do, what the cause explains is kept from
        lesser ones. What fails all its targets is no guess: an agent, or most of a network's.
        """
        if cause.scope is Scope.AGENT or cause.key in moment.known:
            return True
        cell = self.cells_of(cause)
        begun = np.count_nonzero(self._cells.head[cell] != NEVER)
        if 2 * np.count_nonzero(self._cells.learning(cell, cause.window_us)) <= begun:
            return True
        recent = moment.recent
        agent, target = np.divmod(recent.cell, self._layout.shape[1])
        use = ~moment.masked[recent.cell] & (recent.started_us >= moment.now_us - cause.window_us)
        use &= np.isin(agent, cause.agents) & np.isin(target, cause.targets)
        size = len(self._layout.regions)
        failing = np.bincount(self._layout.region[np.unique(agent[use])], minlength=size)
        probing = np.flatnonzero(self._layout.planned[:, cause.targets].any(axis=1))
        asked = cause.agents if cause.scope is Scope.NETWORK else probing
        every = np.bincount(self._layout.region[asked], minlength=size)
        return bool((2 * failing > every).any())

    def _network_threshold(self, cause: Cause, known: Mapping[Key, int]) -> float:
        """Agents that are out already, since the same time, need little more to be one network.

        Those that fell out one by one are none.
        """
        names = {agent: ("agent", "agent", self._layout.agent_ids[agent], "") for agent in cause.agents}
        begun = sorted(known[name] for name in names.values() if name in known)
        if len(begun) < 2:
            return self._settings.open_network_nats
        if min(b - a for a, b in pairwise(begun)) <= TOGETHER_US:
            return OF_AGENTS_NATS
        new = [agent for agent in cause.agents[cause.voices > SPEAKS_NATS] if names[agent] not in known]
        return self._settings.open_network_nats if new else np.inf

    def _rank(self, cause: Cause, moment: Moment) -> float:
        return cause.rank + (KNOWN_NATS if cause.key in moment.known else 0.0)

    def cells_of(self, cause: Cause) -> Index:
        """The flat cells of a cause's rectangle."""
        out: Index = (cause.agents[:, None] * self._layout.shape[1] + cause.targets[None, :]).reshape(-1)
        return out

    def block(self, agents: Index, targets: Index, now_us: int, masked: Mask) -> Block:
        """The evidence of some agents and targets."""
        return weigh(self._cells, self._base, agents, targets, now_us, masked)

    def _heard(self, family: Family, moment: Moment) -> Iterable[Cause]:
        """Slowness is told only by several networks, or several agents of one; never by one agent."""
        for cause in self._candidates(family, moment):
            if not self._base.slow:
                yield cause
            elif cause.scope is not Scope.AGENT and self._several(cause):
                yield replace(cause, slow=True)

    def _several(self, cause: Cause) -> bool:
        speaking = cause.agents[cause.voices > SPEAKS_NATS]
        networks = np.unique(self._layout.network[cause.agents]).size
        needed = min(NETWORKS_OF_WIDE, networks)
        return speaking.size > 1 and np.unique(self._layout.network[speaking]).size >= needed

    def _candidates(self, family: Family, moment: Moment) -> Iterable[Cause]:
        kind, code = family
        if kind == "cohort":
            return self._cohort(code, moment)
        wide = kind in ("service", "provider")
        return self._wide(kind, code, moment) if wide else self._access(kind, code, moment)

    def _cohort(self, code: int, moment: Moment) -> Iterable[Cause]:
        layout = self._layout
        agents = members(layout, code)
        targets = failed_targets(layout, moment.recent, agents, moment.masked)
        if not targets.size:
            return ()
        block = self.block(agents, targets, moment.now_us, moment.masked)
        return cohort_causes(layout, code, block, self._settings)

    def _wide(self, kind: str, code: int, moment: Moment) -> list[Cause]:
        layout, settings = self._layout, self._settings
        members = layout.targets_of_service(code) if kind == "service" else layout.targets_of_provider(code)
        block = self.block(self._every_agent, members, moment.now_us, moment.masked)
        if kind == "service":
            forms = list(service_forms(layout, code, block, settings))
        else:
            forms = [provider_form(layout, code, block, settings)]
        return [
            cause for form in forms for cause in wide_causes(layout, block, form, moment.bursts, settings)
        ]

    def _access(self, kind: str, code: int, moment: Moment) -> Iterable[Cause]:
        layout = self._layout
        where = {"network": layout.network, "region": layout.region, "agent": self._every_agent}[kind]
        agents = np.flatnonzero(where == code)
        groups = access_groups(layout, agents, kind, code)
        for targets in (self._every_target, *layout.families_of(self._every_target)):
            block = self.block(agents, targets, moment.now_us, moment.masked)
            yield from access_causes(layout, block, groups, self._settings)
