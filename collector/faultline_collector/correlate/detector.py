"""The detector: results in, outages out. It holds the evidence and moves the outages through their lives."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from faultline.columns import TOTAL, Flag
from faultline.outcomes import Outcome
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.causes import Cause
from faultline_collector.correlate.cells import ROUNDS, Cells, common_cells
from faultline_collector.correlate.clocks import Clocks
from faultline_collector.correlate.describe import describe
from faultline_collector.correlate.engine import Standing
from faultline_collector.correlate.explain import Explainer
from faultline_collector.correlate.layout import Layout, lay_out
from faultline_collector.correlate.life import (
    CHANGE_TICKS,
    CONFIRM_NATS,
    CONTAINED,
    STALE_INTERVALS,
    SWITCH_TICKS,
    Live,
    carried,
    contained,
    moved,
    recovery,
    reshaped,
    revive,
)
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.correlate.silence import Dark, Silence, darkness
from faultline_collector.correlate.standing import standings
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import Mask, ResultBatch, Source


class Detector:
    """A `Correlator` for one fleet; deterministic: the same results and ticks give the same outages."""

    def __init__(self, fleet: Fleet, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()
        self._fit(lay_out(fleet))
        self._live: list[Live] = []
        self._closed: list[Live] = []
        self._changed: dict[str, Outage] = {}
        self._news = 0
        self._started_us = 0

    def _fit(self, layout: Layout) -> None:
        settings = self.settings
        agents, targets = layout.shape
        self._layout = layout
        self._cells = Cells(agents, targets, layout.interval_us)
        self._base = Baselines(agents, targets, settings)
        self._clocks = Clocks(agents)
        self._recent = Recent()
        self._silence = Silence(layout, settings)
        self._explainer = Explainer(layout, settings, self._cells, self._base)
        self._sources: tuple[Source, ...] | None = None
        self._target_ids: tuple[str, ...] | None = None
        self._nothing: Mask = np.zeros(agents * targets, bool)

    # -- evidence ------------------------------------------------------------------------------------------

    def observe(self, results: ResultBatch) -> None:
        """Takes deduplicated results in any order; unknown agents and targets are ignored."""
        layout = self._layout
        if not len(results) or not layout.shape[0] or not layout.shape[1]:
            return
        self._learn_words(results)
        agent, target = self._row_of[results.source], self._column_of[results.target]
        known = (agent >= 0) & (target >= 0)
        if not known.all():
            results, agent, target = results.select(known), agent[known], target[known]
            if not len(results):
                return
        received = results.received_us
        ended = results.judged_us + results.timings_us[TOTAL]
        offset, late = self._clocks.correct(agent, ended, received, self.settings.late_s * 1e6)
        self._silence.hear(agent, received)
        inconclusive = results.outcome == Outcome.INCONCLUSIVE
        self._silence.say(agent, received, well=~inconclusive, late=late)
        use = ~inconclusive & (results.flags & Flag.SATURATED == 0)
        if not use.all():
            results, agent, target = results.select(use), agent[use], target[use]
            received, offset, late = received[use], offset[use], late[use]
            if not len(results):
                return
        started = results.judged_us + offset
        evicted = self._cells.put(agent, target, started, results.outcome, results.attempt, late)
        now_us = int(received.max())
        self._base.learn(evicted, now_us)
        bad = (results.outcome != Outcome.OK) & (results.attempt == 0) & ~late
        if bad.any():
            cell = agent[bad] * layout.shape[1] + target[bad]
            until = started[bad] + 8 * layout.interval_us[target[bad]]
            slot = self._cells.slot_of(cell, started[bad])
            self._news += self._recent.add(cell, slot, started[bad], until, results.outcome[bad])

    def _learn_words(self, results: ResultBatch) -> None:
        layout = self._layout
        if results.sources is not self._sources:
            self._sources = results.sources
            self._row_of = np.array([layout.rows.get(s.agent_id, -1) for s in results.sources], np.intp)
        if results.target_ids is not self._target_ids:
            self._target_ids = results.target_ids
            self._column_of = np.array([layout.columns.get(t, -1) for t in results.target_ids], np.intp)

    def contact(self, agent_id: str, at_us: int, *, well: bool) -> None:
        """Notes a sign of life that is not a result."""
        row = self._layout.rows.get(agent_id)
        if row is not None:
            self._silence.hear_one(row, at_us, well=well)

    def heard_lately(self, now_us: int) -> tuple[str, ...]:
        """The agents that are not silent."""
        silent = self._silence.silent(now_us)
        return tuple(a for row, a in enumerate(self._layout.agent_ids) if not silent[row])

    # -- judging -------------------------------------------------------------------------------------------

    def tick(self, now_us: int) -> tuple[Outage, ...]:
        """Judges; gives the outages that changed since the last tick."""
        self._started_us = self._started_us or now_us
        self._recent.trim(now_us)
        self._judge_silence(now_us)
        if not any(live.outage.scope is Scope.COLLECTOR for live in self._live):
            self._judge_failures(now_us)
        self._news = 0
        changed = tuple(self._changed.values())
        self._changed.clear()
        return changed

    def _judge_failures(self, now_us: int) -> None:
        failing = [live for live in self._live if not live.is_silence]
        if self._news or failing:
            self._forget_settled()
        masked = self._nothing
        due = self._looks_due(failing, now_us)
        if failing and not due:
            masked = np.logical_or.reduce([live.rectangle for live in failing])
        news = self._recent.cell[len(self._recent) - min(self._news, len(self._recent)) :]
        if due or (news.size and not masked[news].all()):
            known = [live.key for live in failing]
            chosen, lost = self._explainer.explain(self._recent, now_us, masked, known, None if due else news)
            for cause in chosen:
                self._take(cause, lost, now_us)
        for live in failing:
            calm = live.outage.state is State.CONFIRMED and now_us // 1_000_000 % 5
            if live in self._live and (due or not calm):
                self._age(live, now_us)

    def _forget_settled(self) -> None:
        """Drops failures that an outage's end has settled."""
        fresh = self._recent.started_us >= self._cells.floor_us[self._recent.cell]
        if not fresh.all():
            self._recent.keep(fresh)

    def _looks_due(self, failing: list[Live], now_us: int) -> bool:
        """Whether the open outages are to be weighed anew: often while suspected, seldom later."""
        due = False
        crowd = 1 + len(failing) // 4
        for live in failing:
            per, most_us = (15, 5_000_000) if live.outage.state is State.SUSPECTED else (3, 10_000_000)
            due |= now_us - live.looked_us >= crowd * min(max(live.interval_us // per, 1_000_000), most_us)
        if due:
            for live in failing:
                live.looked_us = now_us
        return due

    def _bad_cells(self, cause: Cause, now_us: int) -> tuple[Mask, Mask]:
        rectangle = self._nothing.copy()
        rectangle[self._explainer.cells_of(cause)] = True
        bad = self._nothing.copy()
        near = self._recent.started_us >= now_us - cause.window_us
        bad[self._recent.cell[near]] = True
        return rectangle, bad & rectangle

    def _take(self, cause: Cause, lost: list[Cause], now_us: int) -> None:
        rectangle, bad = self._bad_cells(cause, now_us)
        if not bad.any():
            return
        mine = [live for live in self._live if not live.is_silence]
        same = next((live for live in mine if live.key == cause.key), None)
        inside = [live for live in mine if live is not same and contained(live.bad, rectangle) >= CONTAINED]
        if same is not None:
            self._support(same, cause, rectangle, bad, lost, now_us)
            for child in inside:
                self._absorb(child, same, now_us)
            return
        if inside:
            heir = min(inside, key=lambda live: live.outage.detected_us)
            if self._reshape(heir, cause, rectangle, bad, lost, now_us):
                for child in inside:
                    if child is not heir:
                        self._absorb(child, heir, now_us)
            return
        parent = next((live for live in mine if contained(bad, live.rectangle) >= CONTAINED), None)
        if parent is None:
            self._open(cause, rectangle, bad, lost, now_us)
        elif parent.outage.state is State.SUSPECTED and parent.supported_us < now_us:
            self._reshape(parent, cause, rectangle, bad, lost, now_us)

    def _open(self, cause: Cause, rectangle: Mask, bad: Mask, lost: list[Cause], now_us: int) -> None:
        outage = describe(self._layout, self._recent, cause, bad, lost, now_us)
        before = next(
            (c for c in self._closed if c.key == cause.key and self._within_reopen(c, now_us)), None
        )
        if before is not None:
            self._closed.remove(before)
            outage = reshaped(before.outage, outage, now_us, grow=False)
            state = State.CONFIRMED if outage.confirmed_us is not None else State.SUSPECTED
            outage = replace(outage, state=state)
        live = Live(
            outage=outage,
            rectangle=rectangle,
            bad=bad,
            rate=cause.rate,
            since_us=now_us,
            supported_us=now_us,
            interval_us=int(self._layout.interval_us[cause.targets].max()),
            form=cause.form,
        )
        self._live.append(live)
        self._note(live)

    def _within_reopen(self, live: Live, now_us: int) -> bool:
        ended = live.outage.resolved_us or 0
        return now_us - ended <= self.settings.reopen_s * 1e6

    def _support(
        self, live: Live, cause: Cause, rectangle: Mask, bad: Mask, lost: list[Cause], now_us: int
    ) -> None:
        live.supported_us = now_us
        live.proposal, live.proposed_ticks = (), 0
        new = bad & ~live.bad
        live.bad |= bad
        live.rate = cause.rate
        if not new.any() and live.outage.state is not State.SUSPECTED:
            return
        confirmed = live.outage.state is not State.SUSPECTED
        if confirmed and contained(rectangle, live.rectangle) == 1.0:
            return
        outage = describe(self._layout, self._recent, cause, live.bad & rectangle, lost, now_us)
        shaped = reshaped(live.outage, outage, now_us, grow=confirmed)
        live.rectangle = live.rectangle | rectangle if confirmed else rectangle
        shaped = replace(shaped, changed_us=live.outage.changed_us)
        if (shaped.regions, shaped.target_ids) != (live.outage.regions, live.outage.target_ids):
            shaped = replace(shaped, changed_us=now_us)
        if shaped != live.outage:
            live.outage = shaped
            self._note(live)

    def _reshape(
        self, live: Live, cause: Cause, rectangle: Mask, bad: Mask, lost: list[Cause], now_us: int
    ) -> bool:
        live.supported_us = now_us
        suspected = live.outage.state is State.SUSPECTED
        if not suspected and live.changes >= 1:
            return False
        if live.proposal != cause.key:
            live.proposal, live.proposed_ticks = cause.key, 0
        live.proposed_ticks += 1
        if live.proposed_ticks < (SWITCH_TICKS if suspected else CHANGE_TICKS):
            return False
        live.proposal, live.proposed_ticks = (), 0
        live.changes += not suspected
        outage = describe(self._layout, self._recent, cause, bad, lost, now_us)
        live.outage = reshaped(live.outage, outage, now_us, grow=not suspected)
        live.rectangle, live.bad, live.rate = rectangle, (live.bad & rectangle) | bad, cause.rate
        live.interval_us = int(self._layout.interval_us[cause.targets].max())
        live.since_us = now_us
        live.form = cause.form
        self._note(live)
        return True

    def _absorb(self, child: Live, parent: Live, now_us: int) -> None:
        suspected = child.outage.state is State.SUSPECTED
        child.outage = child.outage.with_state(State.WITHDRAWN if suspected else State.RESOLVED, now_us)
        child.outage = replace(
            child.outage, why=f"{child.outage.why} It is part of outage {parent.outage.id}."
        )
        self._live.remove(child)
        self._note(child)

    def _age(self, live: Live, now_us: int) -> None:
        live.supported_us = live.supported_us or now_us
        hold_us = self._hold_us(live)
        found = recovery(live, self._cells, self._base, self._layout, now_us, hold_us)
        state = live.outage.state
        if found.done(self.settings):
            self._close(live, now_us)
        elif state is State.SUSPECTED:
            if now_us - live.supported_us > max(STALE_INTERVALS * live.interval_us, 10e6):
                self._close(live, now_us)
            elif live.supported_us == now_us and found.persists >= CONFIRM_NATS:
                self._move(live, State.CONFIRMED, now_us)
        elif state is State.CONFIRMED and found.begun(self.settings):
            self._move(live, State.RECOVERING, now_us)
        elif state is State.RECOVERING and found.nats < 0:
            self._move(live, State.CONFIRMED, now_us)

    def _hold_us(self, live: Live) -> int:
        settings = self.settings
        return int(min(settings.hold_s * 1e6, settings.hold_intervals * live.interval_us))

    def _close(self, live: Live, now_us: int) -> None:
        told = live.outage.confirmed_us is not None
        self._live.remove(live)
        self._closed = [c for c in self._closed if self._within_reopen(c, now_us)]
        self._closed.append(live)
        cells = np.flatnonzero(live.rectangle)
        self._cells.floor_us[cells] = now_us
        self._base.freeze(cells, now_us + ROUNDS * live.interval_us)
        self._move(live, State.RESOLVED if told else State.WITHDRAWN, now_us)

    def _move(self, live: Live, state: State, now_us: int) -> None:
        outage = moved(live, state, now_us)
        if outage is not live.outage:
            live.outage = outage
            self._note(live)
        if state.is_open:
            cells = np.flatnonzero(live.rectangle)
            self._base.freeze(cells, now_us + 3600_000_000)

    def _note(self, live: Live) -> None:
        self._changed[live.outage.id] = live.outage

    # -- silence -------------------------------------------------------------------------------------------

    def _judge_silence(self, now_us: int) -> None:
        lost = self._silence.lost(now_us)
        for live in [live for live in self._live if live.is_silence]:
            gone = lost[live.silent] | ~self._silence.known(live.silent)
            if not gone.size or gone.mean() <= 1.0 - self.settings.probed_again:
                self._end_silence(live, now_us)
            elif live.outage.state is State.SUSPECTED and self._has_held(live, now_us):
                self._move(live, State.CONFIRMED, now_us)
        held = np.zeros(self._layout.shape[0], bool)
        for live in self._live:
            held[live.silent] = True
        if (lost & ~held).any():
            for dark in self._silence.judge(now_us):
                self._go_dark(dark, now_us)

    def _has_held(self, live: Live, now_us: int) -> bool:
        hold_us = min(self.settings.hold_s * 1e6, self.settings.hold_intervals * live.interval_us)
        return now_us - live.outage.onset_us >= hold_us

    def _end_silence(self, live: Live, now_us: int) -> None:
        told = live.outage.confirmed_us is not None
        self._live.remove(live)
        if live.outage.scope is Scope.COLLECTOR:
            self._silence.excuse(np.flatnonzero(self._silence.lost(now_us)))
        self._move(live, State.RESOLVED if told else State.WITHDRAWN, now_us)

    def _go_dark(self, dark: Dark, now_us: int) -> None:
        layout = self._layout
        key = (dark.scope.value, dark.subject.kind, dark.subject.id)
        for live in self._live:
            if live.key == key:
                live.silent = np.union1d(live.silent, dark.silent)
                return
            if live.is_silence and np.isin(dark.silent, live.silent).all():
                return
        narrower = [
            live for live in self._live if live.is_silence and np.isin(live.silent, dark.silent).all()
        ]
        outage = darkness(layout, dark, now_us)
        interval = int(np.median(layout.interval_us)) if layout.shape[1] else 0
        heir = min(narrower, key=lambda live: live.outage.detected_us, default=None)
        if heir is None:
            heir = Live(outage, self._nothing, self._nothing, 1.0, now_us, now_us, interval)
            self._live.append(heir)
        else:
            heir.outage = reshaped(heir.outage, outage, now_us, grow=False)
        heir.silent = dark.silent
        for child in narrower:
            if child is not heir:
                self._absorb(child, heir, now_us)
        self._note(heir)

    # -- reading -------------------------------------------------------------------------------------------

    def restore(self, outages: Iterable[Outage]) -> None:
        """Takes over open outages after a restart; their evidence follows by `observe`."""
        for outage in outages:
            if outage.state.is_open:
                self._live.append(revive(self._layout, outage))

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet; what agents and targets have in common keeps its evidence."""
        old, cells, base, clocks = self._layout, self._cells, self._base, self._clocks
        silence, recent, open_now = self._silence, self._recent, self._live
        self._fit(lay_out(fleet))
        layout = self._layout
        rows = np.array([old.rows.get(a, -1) for a in layout.agent_ids], np.intp)
        columns = np.array([old.columns.get(t, -1) for t in layout.target_ids], np.intp)
        mine, theirs = common_cells(rows, columns, old.shape[1])
        self._cells.take_over(cells, rows, columns)
        self._base.take_over(base, mine, theirs)
        self._clocks.take_over(clocks, rows)
        self._silence.take_over(silence, rows)
        place = np.full(old.shape[0] * old.shape[1], -1, np.intp)
        place[theirs] = mine
        recent.cell = place[recent.cell]
        recent.keep(recent.cell >= 0)
        self._recent = recent
        self._live = [carried(live, self._nothing.size, rows, mine, theirs) for live in open_now]
        self._closed = []

    def outages(self) -> tuple[Outage, ...]:
        """All open outages."""
        return tuple(live.outage for live in self._live)

    def standings(self, now_us: int) -> tuple[Standing, ...]:
        """Every service from every region of the fleet."""
        return standings(self._layout, self._cells, self.outages(), now_us)
