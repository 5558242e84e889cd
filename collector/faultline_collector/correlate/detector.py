"""The detector: results in, outages out. It holds the evidence and moves the outages through their lives."""

from collections.abc import Iterable

import numpy as np

from faultline.columns import TOTAL, Flag
from faultline.outcomes import Outcome
from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.book import Book
from faultline_collector.correlate.cells import Cells, common_cells
from faultline_collector.correlate.clocks import Clocks
from faultline_collector.correlate.engine import Standing
from faultline_collector.correlate.explain import Explainer
from faultline_collector.correlate.layout import Layout, lay_out
from faultline_collector.correlate.life import Live, reshaped
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.correlate.silence import Dark, Silence, darkness
from faultline_collector.correlate.standing import standings
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import ResultBatch, Source


class Detector:
    """A `Correlator` for one fleet; deterministic: the same results and ticks give the same outages."""

    def __init__(self, fleet: Fleet, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()
        self._fit(lay_out(fleet), Recent())
        self._news = 0

    def _fit(self, layout: Layout, recent: Recent) -> None:
        settings = self.settings
        agents, targets = layout.shape
        self._layout = layout
        self._cells = Cells(agents, targets, layout.interval_us)
        self._base = Baselines(agents, targets, settings)
        self._clocks = Clocks(agents)
        self._recent = recent
        self._silence = Silence(layout, settings)
        self._explainer = Explainer(layout, settings, self._cells, self._base)
        self._sources: tuple[Source, ...] | None = None
        self._target_ids: tuple[str, ...] | None = None
        self._book = Book(layout, settings, self._cells, self._base, recent)

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
        self._recent.trim(now_us)
        self._judge_silence(now_us)
        if not any(live.outage.scope is Scope.COLLECTOR for live in self._book.live):
            self._judge_failures(now_us)
        self._news = 0
        return self._book.read_changes()

    def _judge_failures(self, now_us: int) -> None:
        book = self._book
        failing = book.failing
        if self._news or failing:
            self._forget_settled()
        masked = book.nothing
        due = self._looks_due(failing, now_us)
        if failing and not due:
            masked = np.logical_or.reduce([live.rectangle for live in failing])
        news = self._recent.cell[len(self._recent) - min(self._news, len(self._recent)) :]
        if due or (news.size and not masked[news].all()):
            known = [live.key for live in failing]
            chosen, lost = self._explainer.explain(self._recent, now_us, masked, known, None if due else news)
            for cause in chosen:
                book.take(cause, lost, now_us)
        for live in failing:
            calm = live.outage.state is State.CONFIRMED and now_us // 1_000_000 % 5
            if live in book.live and live.since_us <= now_us and (due or not calm):
                book.age(live, now_us)

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

    # -- silence -------------------------------------------------------------------------------------------

    def _judge_silence(self, now_us: int) -> None:
        lost = self._silence.lost(now_us)
        for live in [live for live in self._book.live if live.is_silence and live.since_us <= now_us]:
            gone = lost[live.silent] | ~self._silence.known(live.silent)
            if not gone.size or gone.mean() <= 1.0 - self.settings.probed_again:
                self._end_silence(live, now_us)
            elif live.outage.state is State.SUSPECTED and self._has_held(live, now_us):
                self._book.move(live, State.CONFIRMED, now_us)
        held = np.zeros(self._layout.shape[0], bool)
        for live in self._book.live:
            held[live.silent] = True
        if (lost & ~held).any():
            for dark in self._silence.judge(now_us):
                self._go_dark(dark, now_us)

    def _has_held(self, live: Live, now_us: int) -> bool:
        return now_us - live.outage.onset_us >= self._book.hold_us

    def _end_silence(self, live: Live, now_us: int) -> None:
        if live.outage.scope is Scope.COLLECTOR:
            self._silence.excuse(np.flatnonzero(self._silence.lost(now_us)))
        self._book.end(live, now_us)

    def _go_dark(self, dark: Dark, now_us: int) -> None:
        layout = self._layout
        key = (dark.scope.value, dark.subject.kind, dark.subject.id)
        for live in self._book.live:
            if live.key == key:
                live.silent = np.union1d(live.silent, dark.silent)
                return
            if live.is_silence and np.isin(dark.silent, live.silent).all():
                return
        narrower = [
            live for live in self._book.live if live.is_silence and np.isin(live.silent, dark.silent).all()
        ]
        outage = darkness(layout, dark, now_us)
        interval = int(np.median(layout.interval_us)) if layout.shape[1] else 0
        heir = min(narrower, key=lambda live: live.outage.detected_us, default=None)
        if heir is None:
            heir = Live(outage, self._book.nothing, self._book.nothing, 1.0, now_us, now_us, interval)
            self._book.live.append(heir)
        else:
            heir.outage = reshaped(heir.outage, outage, now_us, grow=False)
        heir.silent = dark.silent
        for child in narrower:
            if child is not heir:
                self._book.absorb(child, heir, now_us)
        self._book.note(heir)

    # -- reading -------------------------------------------------------------------------------------------

    def restore(self, outages: Iterable[Outage]) -> None:
        """Takes over open outages after a restart; their evidence follows by `observe`."""
        self._book.restore(outages)

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet; what agents and targets have in common keeps its evidence."""
        old, cells, base, clocks = self._layout, self._cells, self._base, self._clocks
        silence, recent, book = self._silence, self._recent, self._book
        self._fit(lay_out(fleet), recent)
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
        self._book.take_over(book, rows, mine, theirs)

    def outages(self) -> tuple[Outage, ...]:
        """All open outages."""
        return tuple(live.outage for live in self._book.live)

    def standings(self, now_us: int) -> tuple[Standing, ...]:
        """Every service from every region of the fleet."""
        return standings(self._layout, self._cells, self.outages(), now_us)
