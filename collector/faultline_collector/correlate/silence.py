"""Silence: evidence about the way from agents to the collector, never about targets.

A group is dark when its agents fell silent together, beyond what churn explains, judged by likelihood and not
by a fixed share (after Shah et al. 2017, Disco; real outages darken 42 % of their best group at the median).
"""

from dataclasses import dataclass, replace

import numpy as np

from faultline_collector.correlate.arrivals import SECOND_US, Arrivals
from faultline_collector.correlate.cells import NEVER, Cells
from faultline_collector.correlate.churn import MOST_NATS, TOGETHER_US, Churn
from faultline_collector.correlate.gaps import (
    MANY_CELLS,
    NEVER_HEARD,
    Gaps,
    crowd,
    gaps,
    missing,
    overlaps,
    seconds,
)
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.life import outage_id
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.results import Int64, Mask

PAIR_NATS = 2.5
"""Most that it says besides of two that were last heard at nearly the same time, nats."""
PER_MISSING = 2.0
"""What each planned and missing round says, nats."""
HEARD = -4.0
"""What it says that an agent delivers."""
LEAKS = np.array([0.97, 0.7, 0.4, 0.2])
PATIENT_ROUNDS = 2.5
"""For how many rounds an agent that delivers seldom may be silent without meaning anything."""
ABSENT = 8.0
"""An agent was away, and not only unlucky, when so many rounds are missing."""
MORE_NATS = 3.0
"""What the collector's isolation must explain beyond what networks do: a few others make no isolation."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Every agent at one moment: what its silence says, and says at most (nats), and since when it lasts."""

    value: Floats
    most: Floats
    last: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Dark:
    """A group that fell silent: who of it, and by how much that beats churn."""

    scope: Scope
    subject: Subject
    agents: Index
    silent: Index
    score: float
    since_us: int
    unwell: bool = False


class Silence:
    """When each agent was last heard, and which groups have fallen silent."""

    def __init__(self, layout: Layout, settings: EngineSettings, cells: Cells) -> None:
        self._layout = layout
        self._cells = cells
        self._settings = settings
        self.heard_us: Int64 = np.full(layout.shape[0], NEVER_HEARD, np.int64)
        rate = np.maximum(layout.rate_s, 1e-6)
        self._patience_us = np.maximum(settings.silence_floor_s, PATIENT_ROUNDS / np.minimum(rate, 1.0)) * 1e6
        self._absent_us = np.maximum(self._patience_us, (settings.silence_floor_s + ABSENT / rate) * 1e6)
        rounds = np.ceil(
            ((MOST_NATS + PAIR_NATS) / PER_MISSING + 1.0) / np.maximum(layout.planned.sum(axis=1), 1)
        )
        longest_us = float(layout.interval_us.max(initial=0))
        self._grows_us = (rounds + 0.5) * longest_us + settings.silence_floor_s * 1e6
        self._well_us: Int64 = np.full(layout.shape[0], NEVER_HEARD, np.int64)
        self._unwell_us: Int64 = np.full(layout.shape[0], NEVER_HEARD, np.int64)
        self._unwell_since_us: Int64 = np.zeros(layout.shape[0], np.int64)
        self._forgotten_us: Int64 = np.full(layout.shape[0], NEVER_HEARD, np.int64)
        self._churn = Churn(layout.shape[0])
        self._least = min(settings.costs.collector, settings.costs.region) + settings.open_network_nats
        self._lone_us: Floats = np.full(layout.shape[0], settings.lone_silence_s * 1e6)

    def take_over(self, old: "Silence", rows: Index) -> None:
        """Takes over what was heard of common agents; -1 marks agents that `old` did not have."""
        here = np.flatnonzero(rows >= 0)
        for name in ("heard_us", "_well_us", "_unwell_us", "_unwell_since_us", "_forgotten_us"):
            getattr(self, name)[here] = getattr(old, name)[rows[here]]
        self._churn.take_over(old._churn, rows)

    def hear(self, agent: Index, at_us: Int64) -> None:
        """Notes deliveries."""
        np.maximum.at(self.heard_us, agent, at_us)

    def say(self, agent: Index, at_us: Int64, *, well: Mask, late: Mask) -> None:
        """Notes whether agents trust their own measurements; what comes late says nothing of now."""
        unwell = ~(well | late)
        if unwell.any():
            np.maximum.at(self._unwell_us, agent[unwell], at_us[unwell])
        well = well & ~late
        np.maximum.at(self._well_us, agent[well], at_us[well])

    def hear_one(self, row: int, at_us: int, *, well: bool) -> None:
        """Notes one agent's word about itself."""
        self._note(np.array([row]), self.heard_us[[row]], np.array([at_us]))
        self.heard_us[row] = max(self.heard_us[row], at_us)
        said = self._well_us if well else self._unwell_us
        said[row] = max(said[row], at_us)

    def _note(self, agents: Index, heard_us: Int64, back_us: Int64) -> None:
        """Notes silences as churn, but for short ones, which are chance."""
        long = (heard_us != NEVER_HEARD) & (back_us - heard_us > self._absent_us[agents])
        self._churn.note(agents[long], heard_us[long], back_us[long])

    def silent(self, now_us: int) -> Mask:
        """Which agents are silent beyond their patience."""
        out: Mask = (self.heard_us != NEVER_HEARD) & (now_us - self.heard_us > self._patience_us)
        return out

    def unwell(self, now_us: int) -> Mask:
        """Which agents have said for some time that they do not trust their measurements."""
        said = self._unwell_us > self._well_us
        first = np.where(said & (self._unwell_since_us == 0), self._unwell_us, self._unwell_since_us)
        self._unwell_since_us = np.where(said, first, 0)
        out: Mask = said & (now_us - self._unwell_since_us >= self._settings.unwell_s * 1e6)
        return out

    def told_unwell(self, agents: Index, since_us: int) -> bool:
        """Whether any of these agents has said since then that it does not trust its measurements."""
        return bool((self._unwell_us[agents] >= since_us).any())

    def lost(self, now_us: int) -> Mask:
        """Which agents are silent or unwell."""
        return self.silent(now_us) | self.unwell(now_us)

    @property
    def unheard(self) -> Mask:
        """Which agents were never heard."""
        out: Mask = self.heard_us == NEVER_HEARD
        return out

    def trust(self, now_us: int) -> None:
        """Waits for ever for agents that were heard not long ago."""
        heard = now_us - self.heard_us <= np.maximum(self._patience_us, TOGETHER_US)
        self._patience_us[heard] = np.inf

    def checks(self, arrivals: Arrivals, first_us: int, ticks: int, told: Mask) -> Mask:
        """In which seconds silence may begin, grow or end; to be called before the arrivals are heard.

        Between them nothing changes: a silence says no more after a while than it has said. One agent's
        matters when it lasts long, or the agent is `told` as silent; else only while others are silent
        too, and all together miss as many rounds as the least group must.
        """
        out = np.zeros(ticks, bool)
        end_us = first_us + ticks * SECOND_US
        found, first = gaps(arrivals, self.heard_us, self._patience_us, end_us)
        out[arrivals.tick[first]] = True
        ended = found.until_us < end_us
        self._note(found.agent[ended], found.since_us[ended], found.until_us[ended])
        begins_us = found.since_us + self._patience_us[found.agent]
        high = (seconds(found.until_us, first_us, ticks) + 3).clip(0, ticks)
        worth = np.full(high.size, MOST_NATS + PAIR_NATS)
        crowded = crowd(seconds(begins_us, first_us, ticks), high, worth, self._least, ticks)
        lasts = told[found.agent] | (found.until_us - found.since_us >= self._lone_us[found.agent])
        for row in np.flatnonzero(overlaps(crowded, seconds(begins_us, first_us, ticks), high)):
            missed_us, says = self._misses(found, int(row), arrivals)
            begins_us[row], worth[row] = max(begins_us[row], missed_us), min(worth[row], says)
        low = seconds(begins_us, first_us, ticks)
        high[begins_us > found.until_us] = 0
        crowded = crowd(low, high, worth, self._least, ticks)
        for row in np.flatnonzero(lasts | overlaps(crowded, low, high)):
            self._mark(out, crowded, found, int(row), float(begins_us[row]), first_us)
        return out

    def _misses(self, found: Gaps, row: int, arrivals: Arrivals) -> tuple[float, float]:
        """When the first round is missing in a gap, and what all that are missing in the end say, nats."""
        agent, floor_us = int(found.agent[row]), int(self._settings.silence_floor_s * 1e6)
        if self._layout.planned[agent].sum() > MANY_CELLS:
            return 0.0, np.inf
        due_us = int(found.until_us[row]) - floor_us
        first_us, rounds = missing(self._cells, agent, found.before[row], arrivals, due_us)
        return first_us + floor_us - SECOND_US, PER_MISSING * rounds

    def _mark(self, out: Mask, crowded: Mask, found: Gaps, row: int, begins_us: float, first_us: int) -> None:
        """Marks the seconds in which a silence begins, grows, is long enough to be told alone, and ends."""
        agent, until_us = int(found.agent[row]), int(found.until_us[row]) - first_us
        lone_us = int(found.since_us[row]) - first_us + float(self._lone_us[agent])
        begins_us -= first_us
        for at_us in (begins_us, min(lone_us, until_us), until_us):
            second = int(min(at_us, until_us) // SECOND_US)
            out[max(second, 0) : max(second + 3, 0)] = True
        high = int(min(begins_us + self._grows_us[agent], until_us) // SECOND_US) + 2
        asked = np.arange(int(max(begins_us // SECOND_US, 0)), min(high, out.size))
        out[asked] |= crowded[asked] & self._grows(agent, first_us + asked * SECOND_US)

    def _grows(self, agent: int, now_us: Int64) -> Mask:
        """In which of these seconds a round more of a silent agent is missing than in the one before."""
        cells = self._cells
        cell = agent * cells.targets + np.flatnonzero(self._layout.planned[agent])
        if cell.size > MANY_CELLS or (cells.head[cell] == NEVER).any():
            return np.ones(now_us.size, bool)
        step = cells.interval_us[cell % cells.targets][:, None]
        since_us = now_us - int(self._settings.silence_floor_s * 1e6) - cells.phase_us[cell][:, None]
        out: Mask = (since_us // step != (since_us - SECOND_US) // step).any(axis=0)
        return out

    @property
    def doubted(self) -> bool:
        """Whether any agent says that it is unwell."""
        return bool((self._unwell_us > self._well_us).any())

    def turn(self, now_us: int) -> None:
        """A new epoch: what was seen of churn is learned."""
        self._churn.turn(np.flatnonzero(self.heard_us != NEVER_HEARD), now_us)
        self._lone_us = np.maximum(self._settings.lone_silence_s * 1e6, self._churn.long_us)

    def explain(self, agents: Index) -> None:
        """Takes the present silence of these agents for an outage's, and no churn of theirs."""
        self._churn.explain(agents, self.heard_us[agents])

    def excuse(self, agents: Index) -> None:
        """Takes the present silence of these agents for explained, and for nothing new."""
        self._forgotten_us[agents] = self.heard_us[agents]
        self.explain(agents)

    def judge(self, now_us: int, told: Mask) -> list[Dark]:
        """The dark groups that explain the silence best; the collector alone when it explains more.

        Agents that are `told` are not told alone.
        """
        silent = self.silent(now_us) & (self.heard_us > self._forgotten_us)
        missing = self._missing(np.flatnonzero(silent), now_us)
        silent &= missing > 0
        unwell = self.unwell(now_us) & ~silent
        if not (silent | unwell).any():
            return []
        last = np.where(unwell, self._unwell_since_us, self.heard_us)
        newest = int(last[silent | unwell].max())
        together = (silent | unwell) & (last >= newest - TOGETHER_US)
        most = np.where(unwell, MOST_NATS, self._churn.nats)
        said = np.where(unwell, np.inf, PER_MISSING * missing)
        heard = np.where(silent | unwell | self.unheard, 0.0, HEARD)
        seen = Seen(np.where(together, said, heard), most, last)
        cover = self._cover(seen, together) if together.sum() > 1 else []
        everyone = self._everyone(seen, together & silent)
        bar = sum((d.score for d in cover), MORE_NATS if cover else 0.0)
        if everyone is not None and everyone.score > bar:
            return [everyone]
        named = np.isin(np.arange(last.size), [a for d in cover for a in d.agents])
        named |= told
        return cover + self._alone(now_us, silent & ~named, unwell & ~named, last)

    def _everyone(self, seen: Seen, silent: Mask) -> Dark | None:
        if np.unique(self._layout.region[silent]).size < 2:
            return None
        subject = Subject("collector", "collector")
        return self._dark(Scope.COLLECTOR, subject, seen, silent, np.arange(silent.size))

    def _alone(self, now_us: int, silent: Mask, unwell: Mask, last: Int64) -> list[Dark]:
        gone = silent & (now_us - self.heard_us >= self._lone_us)
        return [
            Dark(
                Scope.AGENT,
                Subject("agent", self._layout.agent_ids[row]),
                np.array([row]),
                np.array([row]),
                MOST_NATS,
                int(last[row]),
                bool(unwell[row]),
            )
            for row in np.flatnonzero(gone | unwell)
        ]

    def _missing(self, agents: Index, now_us: int) -> Floats:
        """How many rounds of each of these agents should have come by their schedule; 0 of all others."""
        cells, out = self._cells, np.zeros(self._layout.shape[0])
        if not agents.size or not cells.targets:
            return out + 0.0
        cell = (agents[:, None] * cells.targets + np.arange(cells.targets)).reshape(-1)
        last, step = cells.last_us(cell), cells.interval_us[cell % cells.targets]
        due_us = now_us - int(self._settings.silence_floor_s * 1e6)
        rounds = np.where(last == NEVER, 0, np.maximum((due_us - last) // step, 0))
        out[agents] = rounds.reshape(agents.size, -1).sum(axis=1)
        return out

    def _cover(self, seen: Seen, together: Mask) -> list[Dark]:
        left = replace(seen, value=seen.value.copy())
        found: list[Dark] = []
        while True:
            options = [
                dark
                for scope, subject, rows in self._groups(together)
                if (dark := self._dark(scope, subject, left, together, rows)) is not None
            ]
            if not options:
                return found
            best = max(options, key=lambda d: (d.score, -d.agents.size, d.subject.id))
            found.append(best)
            left.value[best.agents] = 0.0
            together = together & ~np.isin(np.arange(together.size), best.agents)

    def _groups(self, together: Mask) -> list[tuple[Scope, Subject, Index]]:
        layout = self._layout
        groups = []
        for code in np.unique(layout.region[together]):
            rows = np.flatnonzero(layout.region == code)
            groups.append((Scope.NETWORK, Subject("region", layout.regions[code]), rows))
        for code in np.unique(layout.network[together]):
            subject = Subject("asn", str(layout.asns[code]))
            mine = layout.network == code
            groups.append((Scope.NETWORK, subject, np.flatnonzero(mine)))
            places = np.unique(layout.region[mine])
            if places.size > 1:
                for place in np.unique(layout.region[mine & together]):
                    groups.append((Scope.NETWORK, subject, np.flatnonzero(mine & (layout.region == place))))
        return groups

    def _dark(self, scope: Scope, subject: Subject, seen: Seen, together: Mask, rows: Index) -> Dark | None:
        hit = rows[together[rows]]
        if hit.size < 2:
            return None
        last, most = seen.last[hit], seen.most.copy()
        together_nats = most[hit] + closeness(last)
        most[hit] = np.minimum(together_nats, MOST_NATS + (PAIR_NATS if hit.size == 2 else 0.0))
        said = np.minimum(seen.value, most)[rows]
        mixed = np.log1p(LEAKS * np.expm1(said)[:, None]).sum(axis=0)
        costs = self._settings.costs
        cost = costs.collector if scope is Scope.COLLECTOR else costs.region
        score = float(mixed.max()) - cost
        if score < self._settings.open_network_nats:
            return None
        return Dark(scope, subject, rows, hit, score, int(last.min()))


def closeness(last: Int64) -> Floats:
    """How much less likely by chance agents fell silent so close to the middle of these times, nats.

    Whoever is the middle is as close as the half of them are.
    """
    apart_us = 2.0 * np.abs(last - np.median(last))
    apart_us = np.maximum(apart_us, max(float(np.median(apart_us)), SECOND_US))
    out: Floats = np.maximum(np.log(TOGETHER_US / apart_us), 0.0)
    return out


def darkness(layout: Layout, dark: Dark, now_us: int) -> Outage:
    """A dark group as an outage that is suspected from now on."""
    name = layout.name(dark.subject.kind, dark.subject.id)
    out = {
        "asn": f"the network {name} is out or cut off",
        "region": f"the access of {name} is out",
        "collector": "the collector or its way to the agents is out; what cannot be seen is unknown",
        "agent": "the trouble is its own",
    }[dark.subject.kind]
    many = f"{dark.silent.size} of {dark.agents.size} agents fell silent together"
    lone = f"{name} says that its own checks fail" if dark.unwell else f"{name} has fallen silent"
    return Outage(
        id=outage_id((dark.scope.value, dark.subject.kind, dark.subject.id), now_us),
        state=State.SUSPECTED,
        scope=dark.scope,
        subject=dark.subject,
        target_ids=(),
        regions=tuple(sorted({layout.regions[layout.region[a]] for a in dark.silent})),
        asns=tuple(sorted({layout.asns[layout.network[a]] for a in dark.silent})),
        layer="silence",
        severity="down",
        confidence=float(1.0 - np.exp(-dark.score)),
        onset_us=dark.since_us,
        onset_after_us=dark.since_us,
        onset_before_us=now_us,
        detected_us=now_us,
        why=f"{lone if dark.scope is Scope.AGENT else many}: {out}.",
        changed_us=now_us,
        evidence={"silent": [layout.agent_ids[a] for a in dark.silent], "score_nats": round(dark.score, 1)},
    )
