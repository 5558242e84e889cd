"""The detector: results in, outages out. It holds the evidence and moves the outages through their lives."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.arrivals import SECOND_US, Arrivals, Intake
from faultline_collector.correlate.block import Block, News
from faultline_collector.correlate.book import Book
from faultline_collector.correlate.cells import Cells, Evicted, common_cells
from faultline_collector.correlate.channel import Channel, channels
from faultline_collector.correlate.clocks import Clocks
from faultline_collector.correlate.engine import Standing
from faultline_collector.correlate.layout import Index, Layout, lay_out
from faultline_collector.correlate.life import Live, reshaped
from faultline_collector.correlate.overdue import Overdue, Waiting
from faultline_collector.correlate.paces import Paces
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.correlate.silence import Dark, Silence, darkness
from faultline_collector.correlate.standing import standings
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import Int8, Int64, Mask, ResultBatch, concatenate

MOST_EPOCH_US = 60_000_000
"""Longest epoch; else it is the shortest interval, so that no cell comes twice in one."""
LOOKS_SUSPECTED, LOOKS_CONFIRMED = 15, 2
"""How often in an interval open outages are weighed anew; a confirmed one that another cause may fit better
counts as suspected."""


RETURN_US = 15_000_000
"""How long a network's suspected silence is kept when its agents are back: they may bring timeouts."""


class Detector:
    """A `Correlator` for one fleet; deterministic: the same results and ticks give the same outages."""

    def __init__(self, fleet: Fleet, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()
        self._pending: list[ResultBatch] = []
        self._fit(lay_out(fleet))

    def _fit(self, layout: Layout) -> None:
        settings = self.settings
        agents, targets = layout.shape
        self._layout = layout
        self._cells = Cells(agents, targets, layout.interval_us)
        self._senses = channels(layout, settings, self._cells)
        self._failing, self._slowness = self._senses
        self._clocks = Clocks(agents)
        self._paces = Paces(agents * targets, settings.slow_least_s * 1e6)
        self._silence = Silence(layout, settings, self._cells)
        self._waiting = Waiting(self._cells, layout.rate_s)
        self._intake = Intake(layout, self._cells, self._clocks, self._paces, settings.late_s * 1e6)
        self._book = Book(layout, settings, self._cells, self._senses)
        shortest_us = int(layout.interval_us.min()) if targets else MOST_EPOCH_US
        self.epoch_us = min(max(shortest_us, SECOND_US), MOST_EPOCH_US)
        self._epoch = -1

    # -- evidence ------------------------------------------------------------------------------------------

    def observe(self, results: ResultBatch) -> None:
        """Takes deduplicated results in any order; unknown agents and targets are ignored."""
        if len(results):
            self._pending.append(results)

    def contact(self, agent_id: str, at_us: int, *, well: bool) -> None:
        """Notes a sign of life that is not a result."""
        row = self._layout.rows.get(agent_id)
        if row is not None:
            self._silence.hear_one(row, at_us, well=well)

    def trust(self, now_us: int) -> None:
        """Takes the silence of agents that are not silent now for nothing, for ever: the end of a trace."""
        self._silence.trust(now_us)

    def _enter(self, arrivals: Arrivals, part: slice) -> None:
        """Enters some of the arrivals as evidence."""
        agent, received = arrivals.agent[part], arrivals.received_us[part]
        if not agent.size:
            return
        self._silence.hear(agent, received)
        use, late = arrivals.use[part], arrivals.late[part]
        outcome = arrivals.outcome[part]
        self._silence.say(agent, received, well=outcome != Outcome.INCONCLUSIVE, late=late)
        cell, slot, started = arrivals.cell[part], arrivals.slot[part], arrivals.started_us[part]
        attempt, slow = arrivals.attempt[part], arrivals.slow[part]
        if not use.all():
            cell, slot, started, slow = cell[use], slot[use], started[use], slow[use]
            outcome, attempt, late = outcome[use], attempt[use], late[use]
        evicted, answers = self._cells.put(cell, slot, outcome, attempt, late, slow)
        self._learn(evicted)
        if answers.size:
            self._failing.recent.drop(cell[answers], slot[answers])
            fine = answers[outcome[answers] == Outcome.OK]
            self._failing.base.excuse(cell[fine] // self._layout.shape[1])
        for sense, bad in (
            (self._failing, (outcome != Outcome.OK) & (attempt == 0) & ~late),
            (self._slowness, slow),
        ):
            if bad.any():
                self._note(sense, cell[bad], slot[bad], started[bad], outcome[bad])

    def _learn(self, evicted: Evicted) -> None:
        for sense in self._senses:
            sense.base.learn(evicted)

    def _wait(self, overdue: Overdue, which: Index) -> None:
        """Enters overdue rounds as timeouts for the time being."""
        cell, slot = overdue.cell[which], overdue.slot[which]
        if cell.size:
            self._learn(self._cells.wait(cell, slot))
            timeouts = np.full(cell.size, Outcome.TIMEOUT, np.uint8)
            self._note(self._failing, cell, slot, overdue.started_us[which], timeouts)

    def _note(self, sense: Channel, cell: Index, slot: Int64, started_us: Int64, outcome: Int8) -> None:
        until_us = started_us + 8 * self._layout.interval_us[cell % self._layout.shape[1]]
        sense.recent.add(cell, slot, started_us, until_us, outcome)

    # -- judging -------------------------------------------------------------------------------------------

    def tick(self, now_us: int) -> tuple[Outage, ...]:
        """Judges; gives the outages that changed since the last tick."""
        pending, self._pending = self._pending, []
        return self.run(concatenate(pending), now_us, 1)

    def run(self, results: ResultBatch, first_us: int, ticks: int) -> tuple[Outage, ...]:
        """Judges once a second, `ticks` times from `first_us` on, as so many ticks would; all in one epoch.

        Gives what changed, in order.
        """
        self._turn_epoch(first_us)
        if not self._layout.shape[1]:
            results = results.select(slice(0, 0))
        arrivals = self._intake.read(results, first_us, ticks)
        overdue = self._waiting.find(arrivals, first_us, ticks)
        block = Block(arrivals, overdue, self._failing.base, self._slowness.base, ticks)
        silent = self._silence.checks(arrivals, first_us, ticks, self._told_silent())
        silent[arrivals.tick[arrivals.outcome == Outcome.INCONCLUSIVE]] = True
        busy = silent.copy()
        for news in block.news:
            busy[news.busy()] = True
        changed: list[Outage] = []
        for tick in range(ticks):
            now_us = first_us + tick * SECOND_US
            for sense in self._senses:
                sense.base.advance()
            due = self._is_due(now_us)
            if busy[tick] or due:
                hot = [self._hot(sense, block.news[sense.slow], tick, now_us) for sense in self._senses]
                if due or silent[tick] or any(groups.size for groups in hot):
                    self._catch_up(block, tick)
                    changed += self._judge(now_us, hot)
        self._catch_up(block, ticks)
        return tuple(changed)

    def _hot(self, sense: Channel, news: News, tick: int, now_us: int) -> Index:
        """The groups that the bad news of one second may have made worth a look."""
        cell, nats, outcome = news.of(tick)
        if not cell.size:
            return cell
        if covering := self._book.covering(slow=sense.slow):
            free = ~np.logical_or.reduce([live.covers[cell] for live in covering])
            cell, nats, outcome = cell[free], nats[free], outcome[free]
        return sense.gate.add(cell, nats, outcome, now_us) if cell.size else cell

    def _catch_up(self, block: Block, tick: int) -> None:
        """Enters what has come up to a second as evidence."""
        arrivals, overdue = block.arrivals, block.overdue
        end = int(np.searchsorted(arrivals.tick, tick, "right"))
        self._enter(arrivals, slice(block.entered, end))
        now = (overdue.tick > block.upto) & (overdue.tick <= tick)
        short = np.flatnonzero(now & (overdue.until <= tick))
        if short.size:
            cell = overdue.cell[short]
            fine = self._cells.outcome(cell, overdue.slot[short]) == Outcome.OK
            self._failing.base.excuse(cell[fine] // self._layout.shape[1])
        self._wait(overdue, np.flatnonzero(now & (overdue.until > tick)))
        block.entered, block.upto = end, tick

    def _turn_epoch(self, now_us: int) -> None:
        """What is learned is taken anew only between epochs, however results are handed over."""
        epoch = now_us // self.epoch_us
        if epoch != self._epoch:
            self._epoch = epoch
            self._book.freeze(now_us)
            self._clocks.settle()
            self._paces.turn(self._failing.base.frozen_until_us, now_us)
            for sense in self._senses:
                sense.base.turn(now_us)
            self._waiting.turn(epoch * self.epoch_us)
            self._silence.turn(now_us)

    def _is_due(self, now_us: int) -> bool:
        """Whether there is something to judge though nothing bad has come."""
        if self._book.unread or self._silence.doubted:
            return True
        live, silences = self._book.live, [live for live in self._book.live if live.is_silence]
        if silences and self._is_silence_due(silences, now_us):
            return True
        return any(self._book.is_due(one, now_us) for one in live if not one.is_silence)

    def _is_silence_due(self, silences: list[Live], now_us: int) -> bool:
        """Whether fewer agents of a silence are lost than when it was judged, or more, or it has lasted."""
        gone = self._silence.lost(now_us) | self._silence.unheard
        return any(
            live.lost != np.count_nonzero(gone[live.silent])
            or (live.outage.state is State.SUSPECTED and self._has_held(live, now_us))
            or (live.back_us and self._may_end(live, now_us))
            for live in silences
        )

    def _judge(self, now_us: int, hot: list[Index]) -> tuple[Outage, ...]:
        self._judge_silence(now_us)
        if not any(live.outage.scope is Scope.COLLECTOR for live in self._book.live):
            for sense, groups in zip(self._senses, hot, strict=True):
                self._judge_sense(sense, now_us, groups)
        return self._book.read_changes()

    def _judge_sense(self, sense: Channel, now_us: int, hot: Index) -> None:
        book, recent = self._book, sense.recent
        mine = [live for live in book.failing if live.slow == sense.slow]
        due = self._looks_due(mine, now_us)
        if not (due or hot.size or any(book.is_due(live, now_us) for live in mine)):
            return
        recent.trim(now_us)
        self._forget_settled(recent)
        if due or hot.size:
            if due:
                for live in mine:
                    live.forget_shade()
            covering = [live for live in book.covering(slow=sense.slow) if not due or live not in mine]
            masked = np.logical_or.reduce([book.nothing, *(live.covers for live in covering)])
            known = {live.key: live.began_us for live in mine}
            told = np.logical_or.reduce([book.nothing, *(live.covers for live in mine)])
            found = sense.explainer.explain(recent, now_us, masked, known, None if due else hot, told)
            if hot.size:
                sense.gate.settle(hot, found.worth, now_us)
            for cause in found.chosen:
                book.take(cause, found.lost, now_us)
        for live in mine:
            if live in book.live and live.since_us <= now_us and (due or book.is_due(live, now_us)):
                book.age(live, now_us)

    def _forget_settled(self, recent: Recent) -> None:
        """Drops failures that an outage's end has settled."""
        fresh = recent.started_us >= self._cells.floor_us[recent.cell]
        if not fresh.all():
            recent.keep(fresh)

    def _looks_due(self, failing: list[Live], now_us: int) -> bool:
        """Whether the open outages are to be weighed anew: often while suspected, seldom later."""
        crowd = 1 + len(failing) // 4
        due = any(
            now_us - live.looked_us
            >= crowd * live.every_us(LOOKS_SUSPECTED, LOOKS_SUSPECTED if live.proposal else LOOKS_CONFIRMED)
            for live in failing
        )
        if due:
            for live in failing:
                live.looked_us = now_us
        return due

    # -- silence -------------------------------------------------------------------------------------------

    def _judge_silence(self, now_us: int) -> None:
        lost = self._silence.lost(now_us)
        gone = lost | self._silence.unheard
        for live in [live for live in self._book.live if live.is_silence and live.since_us <= now_us]:
            live.lost = int(np.count_nonzero(gone[live.silent]))
            back = live.lost <= (1.0 - self.settings.probed_again) * live.silent.size
            live.back_us = (live.back_us or now_us) if back else 0
            if back:
                if self._may_end(live, now_us):
                    self._end_silence(live, now_us)
            elif live.outage.state is State.SUSPECTED and self._has_held(live, now_us):
                self._book.move(live, State.CONFIRMED, now_us)
        told = self._told_silent()
        if (lost & ~told).any():
            for dark in self._silence.judge(now_us, told):
                self._go_dark(dark, now_us)

    def _told_silent(self) -> Mask:
        """The agents that open outages tell as silent."""
        out = np.zeros(self._layout.shape[0], bool)
        for live in self._book.live:
            out[live.silent] = True
        return out

    def _has_held(self, live: Live, now_us: int) -> bool:
        return now_us - live.began_us >= self._book.hold_us

    def _may_end(self, live: Live, now_us: int) -> bool:
        """Whether a silence whose agents are back is over: what is only suspected may be timeouts."""
        suspected = live.outage.scope is Scope.NETWORK and live.outage.state is State.SUSPECTED
        if not suspected or self._silence.told_unwell(live.silent, live.began_us):
            return True
        return now_us - live.back_us >= RETURN_US

    def _end_silence(self, live: Live, now_us: int) -> None:
        """Agents that come back later than the others are not told one by one."""
        lost = np.flatnonzero(self._silence.lost(now_us))
        everyone = live.outage.scope is Scope.COLLECTOR
        self._silence.excuse(lost if everyone else np.intersect1d(lost, live.silent))
        self._book.end(live, now_us)

    def _go_dark(self, dark: Dark, now_us: int) -> None:
        layout = self._layout
        if dark.scope is not Scope.AGENT:
            self._silence.explain(dark.silent)
        key = (dark.scope.value, dark.subject.kind, dark.subject.id, "")
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
            nothing, began_us = self._book.nothing, outage.onset_us
            before = self._book.ended.silence(key, now_us)
            if before is not None:
                again = reshaped(before.outage, outage, now_us, grow=True)
                outage = replace(again, state=State.SUSPECTED)
            heir = Live(outage, nothing, nothing, 1.0, now_us, now_us, interval, began_us)
            heir.before = before.outage if before is not None else None
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
        """Takes over outages after a restart: open ones, then those that ended."""
        self._book.restore(outages)

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet; what agents and targets have in common keeps its evidence."""
        old, cells, senses, clocks = self._layout, self._cells, self._senses, self._clocks
        silence, paces, book = self._silence, self._paces, self._book
        self._fit(lay_out(fleet))
        layout = self._layout
        rows = np.array([old.rows.get(a, -1) for a in layout.agent_ids], np.intp)
        columns = np.array([old.columns.get(t, -1) for t in layout.target_ids], np.intp)
        mine, theirs = common_cells(rows, columns, old.shape[1])
        self._cells.take_over(cells, rows, columns)
        self._waiting.await_all()
        self._clocks.take_over(clocks, rows)
        self._silence.take_over(silence, rows)
        self._paces.take_over(paces, mine, theirs)
        place = np.full(old.shape[0] * old.shape[1], -1, np.intp)
        place[theirs] = mine
        for sense, before in zip(self._senses, senses, strict=True):
            sense.base.take_over(before.base, mine, theirs)
            sense.recent.take_over(before.recent, place)
        self._book.take_over(book, rows, mine, theirs)

    def outages(self) -> tuple[Outage, ...]:
        """All open outages."""
        return tuple(live.outage for live in self._book.live)

    def standings(self, now_us: int) -> tuple[Standing, ...]:
        """Every service from every region of the fleet."""
        return standings(self._layout, self._cells, self.outages(), now_us)
