"""The book of open outages: what a cause opens, supports, changes or becomes part of."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from faultline_collector.correlate.calm import calm_us
from faultline_collector.correlate.causes import SPEAKS_NATS, Cause
from faultline_collector.correlate.cells import ROUNDS, Cells
from faultline_collector.correlate.channel import Channel
from faultline_collector.correlate.describe import describe
from faultline_collector.correlate.ended import Ended
from faultline_collector.correlate.layout import Index, Layout
from faultline_collector.correlate.life import (
    CHANGE_INTERVALS,
    CONTAINED,
    MOST_CALMS,
    STALE_INTERVALS,
    STEADY_US,
    SWITCH_TICKS,
    Live,
    carried,
    contained,
    over,
    persistence,
    recovery,
    reshaped,
    revive,
)
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import Mask

AGES_SUSPECTED, AGES_CONFIRMED = 8, 4
"""How often in an interval it is asked whether an open outage has lasted or ended."""
USUAL_US = 3_600_000_000
"""After how long an open slowness is learned as usual."""
OWN_SHARE = 0.3
"""Share of an outage's failing cells that must be its own for only those to be asked."""


class Book:
    """Follows the open outages of one fleet, and says which have changed."""

    def __init__(
        self, layout: Layout, settings: EngineSettings, cells: Cells, senses: tuple[Channel, Channel]
    ) -> None:
        self.live: list[Live] = []
        self.nothing: Mask = np.zeros(layout.shape[0] * layout.shape[1], bool)
        self._layout = layout
        self._settings = settings
        self._cells = cells
        self._senses = senses
        self.ended = Ended(settings)
        self._changed: dict[str, Outage] = {}

    @property
    def unread(self) -> bool:
        """Whether anything has changed."""
        return bool(self._changed)

    def read_changes(self) -> tuple[Outage, ...]:
        """The outages that changed since the last reading."""
        changed = tuple(self._changed.values())
        self._changed.clear()
        return changed

    def restore(self, outages: Iterable[Outage]) -> None:
        """Takes over these: the open ones, and those that were told and have ended, for they may return."""
        for outage in outages:
            if outage.state.is_open:
                self.live.append(revive(self._layout, outage))
            elif outage.confirmed_us is not None and outage.layer != "silence":
                self._take_for(outage)
                self.ended.remember(revive(self._layout, outage))

    def _take_for(self, ended: Outage) -> None:
        """Drops what was found of an ended outage anew, when the past was read again."""
        again = [live for live in self.live if live.is_again(ended)]
        self.live = [live for live in self.live if live not in again]
        for live in again + self.ended.drop_again(ended):
            self._changed.pop(live.outage.id, None)

    def take_over(self, old: "Book", rows: Index, mine: Index, theirs: Index) -> None:
        """Takes over the open outages of another fleet; see `common_cells`."""
        self.live = [carried(live, self.nothing.size, rows, mine, theirs) for live in old.live]
        self._changed = old._changed

    @property
    def failing(self) -> list[Live]:
        """The outages that failures opened, not silence."""
        return [live for live in self.live if not live.is_silence]

    def covering(self, *, slow: bool) -> list[Live]:
        """The outages under which failing (or slowness) is no news: what fails is slow besides."""
        return [live for live in self.failing if slow or not live.slow]

    # -- causes --------------------------------------------------------------------------------------------

    def take(self, cause: Cause, lost: list[Cause], now_us: int) -> None:
        """Enters a cause: as the outage that it is, a wider form of one, a part of one, or a new one."""
        rectangle, bad = self._bad_cells(cause, now_us)
        if not bad.any():
            return
        mine = [live for live in self.failing if live.slow == cause.slow]
        same = next((live for live in mine if live.key == cause.key), None)
        inside = [live for live in mine if live is not same and contained(live.bad, rectangle) >= CONTAINED]
        parent = next((live for live in mine if contained(bad, live.covers) >= CONTAINED), None)
        if any(live.since_us > now_us for live in (same, parent, *inside) if live is not None):
            return
        owner = next((live for live in mine if cause.key in live.absorbed), None)
        if same is None and not inside:
            parent = owner or parent
        if same is not None:
            self._support(same, cause, rectangle, bad, lost, now_us)
            for child in inside:
                if child.outage.state is State.SUSPECTED or same.outage.state is not State.SUSPECTED:
                    self.absorb(child, same, now_us)
        elif inside:
            heir = min(inside, key=lambda live: live.outage.detected_us)
            if self._reshape(heir, cause, rectangle, bad, lost, now_us):
                for child in inside:
                    if child is not heir:
                        self.absorb(child, heir, now_us)
            elif self._is_another(heir, cause, bad):
                self._open(cause, rectangle, bad, lost, now_us)
        elif parent is None:
            self._open(cause, rectangle, bad, lost, now_us)
        elif parent.outage.state is State.SUSPECTED and parent.supported_us < now_us:
            self._reshape(parent, cause, rectangle, bad, lost, now_us)

    def _is_another(self, heir: Live, cause: Cause, bad: Mask) -> bool:
        """Whether a cause is about more than an outage that has had its change: the rest must be told."""
        another = heir.outage.subject != cause.subject
        return heir.changes > 0 and another and contained(bad, heir.bad) < CONTAINED

    def _bad_cells(self, cause: Cause, now_us: int) -> tuple[Mask, Mask]:
        rectangle = self.nothing.copy()
        rectangle.reshape(self._layout.shape)[np.ix_(cause.agents, cause.targets)] = True
        bad = self.nothing.copy()
        recent = self._senses[cause.slow].recent
        near = recent.started_us >= now_us - cause.window_us
        bad[recent.cell[near]] = True
        if cause.scope is Scope.NETWORK:
            by_agent = bad.reshape(self._layout.shape)
            by_agent[cause.agents[cause.voices <= SPEAKS_NATS]] = False
        if cause.subject.kind == "agent":
            for live in self.failing:
                if live.outage.scope is not Scope.AGENT:
                    bad &= ~live.rectangle
        return rectangle, bad & rectangle

    def _described(self, cause: Cause, bad: Mask, lost: list[Cause], now_us: int) -> Outage:
        return describe(self._layout, self._cells, self._senses[cause.slow].recent, cause, bad, lost, now_us)

    def _open(self, cause: Cause, rectangle: Mask, bad: Mask, lost: list[Cause], now_us: int) -> None:
        if self.ended.leaves(cause, bad, now_us) or self._is_stale(cause, bad, now_us):
            return
        outage = self._described(cause, bad, lost, now_us)
        before = self.ended.returning(cause, rectangle, bad, now_us)
        silence = self._silence_of(cause) if before is None else None
        if silence is not None:
            self.live.remove(silence)
        if earlier := before or silence:
            outage = replace(reshaped(earlier.outage, outage, now_us, grow=False), state=State.SUSPECTED)
        live = Live(
            outage=outage,
            rectangle=rectangle,
            bad=bad,
            rate=cause.rate,
            since_us=now_us,
            supported_us=now_us,
            interval_us=int(self._layout.interval_us[cause.targets].max()),
            began_us=now_us if silence is None else silence.outage.detected_us,
            returned_us=(*before.returned_us, now_us) if before is not None else (),
            before=before.outage if before is not None and before.outage.confirmed_us is not None else None,
        )
        if before is not None and live.flaps(now_us):
            live.began_us = before.began_us
        self.live.append(live)
        self.note(live)

    def _silence_of(self, cause: Cause) -> Live | None:
        """The suspected silence of which a cause is the reason: all that its agents asked timed out."""
        speaking = cause.agents[cause.voices > SPEAKS_NATS]
        for live in self.live:
            suspected = live.is_silence and live.outage.state is State.SUSPECTED
            if suspected and speaking.size and live.outage.scope is cause.scope is Scope.NETWORK:
                within = np.isin(live.silent, speaking).mean(), np.isin(speaking, live.silent).mean()
                if max(within) >= CONTAINED:
                    return live
        return None

    def _is_stale(self, cause: Cause, bad: Mask, now_us: int) -> bool:
        """Whether nothing of it has failed for so long that it would be withdrawn at once, or it is over.

        What ended before its cells were known is not told when a stray failure comes later.
        """
        sense, step_us = self._senses[cause.slow], int(self._layout.interval_us[cause.targets].max())
        stale_us = int(STALE_INTERVALS * step_us)
        if int(sense.recent.started_us[bad[sense.recent.cell]].max()) < now_us - stale_us:
            return True
        return cause.window_us > stale_us and over(cause, self._cells, sense.base, now_us, stale_us)

    def _support(
        self, live: Live, cause: Cause, rectangle: Mask, bad: Mask, lost: list[Cause], now_us: int
    ) -> None:
        live.supported_us = now_us
        confirmed = live.outage.state is not State.SUSPECTED
        live.proposal, live.proposed_ticks = (), 0
        if confirmed and not self._may_grow(live, cause, rectangle, bad, now_us):
            live.shade = rectangle
            bad, rectangle = bad & live.rectangle, rectangle & live.rectangle
        new = bad & ~live.bad
        live.bad = bad if live.restored else live.bad | bad
        live.restored = False
        if live.outage.state is State.SUSPECTED:
            live.rate = max(live.rate, cause.rate)
        elif cause.window_us >= live.interval_us:
            live.rate = cause.rate
        if confirmed and (not new.any() or contained(rectangle, live.rectangle) == 1.0):
            return
        outage = self._described(cause, live.bad & rectangle, lost, now_us)
        shaped = reshaped(live.outage, outage, now_us, grow=confirmed)
        live.rectangle = live.rectangle | rectangle if confirmed else rectangle
        shaped = replace(shaped, changed_us=live.outage.changed_us)
        if (shaped.regions, shaped.target_ids) != (live.outage.regions, live.outage.target_ids):
            shaped = replace(shaped, changed_us=now_us)
        if shaped != live.outage:
            live.outage = shaped
            self.note(live)

    def _may_grow(self, live: Live, cause: Cause, rectangle: Mask, bad: Mask, now_us: int) -> bool:
        """Whether a confirmed outage may cover more: what fails there must have lasted as any outage must."""
        more = bad & ~live.rectangle
        if live.restored or contained(rectangle, live.rectangle) == 1.0:
            return True
        if not more.any():
            return False
        beyond, since_us = rectangle & ~live.rectangle, live.grows_us or now_us
        live.grows_us = calm_us(beyond, self._cells, since_us, slow=live.slow)
        return self._lasts(more, cause, now_us, now_us - live.grows_us - self.hold_us)

    def _reshape(
        self, live: Live, cause: Cause, rectangle: Mask, bad: Mask, lost: list[Cause], now_us: int
    ) -> bool:
        live.supported_us = now_us
        suspected = live.outage.state is State.SUSPECTED
        if not suspected and live.changes >= 1:
            return False
        if live.proposal != cause.key:
            live.proposal, live.proposed_ticks, live.proposed_us = cause.key, 0, now_us
        live.proposed_ticks += 1
        if live.proposed_ticks < SWITCH_TICKS or not (
            suspected or self._endures(live, cause, rectangle, bad, now_us)
        ):
            return False
        live.proposal, live.proposed_ticks = (), 0
        live.changes += not suspected
        outage = self._described(cause, bad, lost, now_us)
        live.outage = reshaped(live.outage, outage, now_us, grow=False)
        if contained(rectangle, live.rectangle) < 1.0:
            live.since_us = now_us
        live.rectangle, live.bad, live.rate = rectangle, (live.bad & rectangle) | bad, cause.rate
        live.interval_us = int(self._layout.interval_us[cause.targets].max())
        self.note(live)
        return True

    def _endures(self, live: Live, cause: Cause, rectangle: Mask, bad: Mask, now_us: int) -> bool:
        """Whether a confirmed outage may move to a cause: it lasts, what it adds too, what it drops not."""
        more, less, beyond = bad & ~live.rectangle, live.bad & ~rectangle, rectangle & ~live.rectangle
        live.proposed_us = calm_us(beyond, self._cells, live.proposed_us, slow=live.slow)
        for_us = now_us - live.proposed_us
        if live.outage.state is State.RECOVERING or for_us < max(
            self.hold_us, CHANGE_INTERVALS * live.interval_us
        ):
            return False
        lasting_us = for_us - self.hold_us
        return (
            self._lasts(bad, cause, now_us, lasting_us)
            and (not more.any() or all(self._lasts(more, cause, now_us, us) for us in (lasting_us, for_us)))
            and not (less.any() and self._lasts(less, cause, now_us, lasting_us))
        )

    def _lasts(self, bad: Mask, cause: Cause, now_us: int, lasting_us: int) -> bool:
        base = self._senses[cause.slow].base
        return persistence(bad, cause.rate, self._cells, base, self._layout, now_us, lasting_us)

    # -- lives ---------------------------------------------------------------------------------------------

    def absorb(self, child: Live, parent: Live, now_us: int) -> None:
        """Ends an outage that has turned out to be a part of another."""
        suspected = child.outage.state is State.SUSPECTED
        child.outage = child.outage.with_state(State.WITHDRAWN if suspected else State.RESOLVED, now_us)
        child.outage = replace(
            child.outage,
            why=f"{child.outage.why} It is part of outage {parent.outage.id}.",
            evidence={**child.outage.evidence, "parent": parent.outage.id},
        )
        parent.absorbed |= {child.key} | child.absorbed
        self.live.remove(child)
        self.note(child)

    def is_due(self, live: Live, now_us: int) -> bool:
        """Whether it is time to ask whether an outage has lasted or ended."""
        return now_us - live.aged_us >= live.every_us(AGES_SUSPECTED, AGES_CONFIRMED)

    def age(self, live: Live, now_us: int) -> None:
        """Confirms an outage that has lasted, ends one that is over, or whose cells the fleet has no more."""
        if not live.bad.any():
            self.end(live, now_us)
            return
        live.aged_us = now_us
        live.supported_us = live.supported_us or now_us
        base, bad = self._senses[live.slow].base, self._own(live)
        again_and_again = live.calms >= MOST_CALMS or live.flaps(now_us)
        if live.outage.state is State.SUSPECTED and not again_and_again:
            self._begin_anew(live)
        found = recovery(live, bad, self._cells, base, self._layout, now_us, self.hold_us)
        state = live.outage.state
        if found.done(self._settings):
            if state is not State.FLAPPING or now_us - self._fed_us(live) >= STEADY_US:
                self._close(live, now_us)
        elif state is State.SUSPECTED:
            stale_us = max(STALE_INTERVALS * live.interval_us, 10e6)
            if now_us - min(live.supported_us, self._fed_us(live)) > stale_us:
                self._close(live, now_us)
            elif live.supported_us == now_us and found.persists:
                self.move(live, State.FLAPPING if live.flaps(now_us) else State.CONFIRMED, now_us)
        elif state is State.CONFIRMED and found.begun(self._settings):
            self.move(live, State.RECOVERING, now_us)
        elif state is State.RECOVERING and found.nats < 0:
            self.move(live, State.CONFIRMED, now_us)

    def _begin_anew(self, live: Live) -> None:
        """After a calm a suspicion must hold anew: what was before it is over."""
        began_us = calm_us(live.rectangle, self._cells, live.began_us, slow=live.slow)
        live.calms += began_us != live.began_us and self._fed_us(live) >= live.began_us
        live.began_us = began_us

    def _own(self, live: Live) -> Mask:
        """Its failing cells without those that other outages cover, unless those are nearly all."""
        others = [other.rectangle for other in self.failing if other is not live and other.slow == live.slow]
        own = live.bad & ~np.logical_or.reduce([self.nothing, *others])
        return own if own.sum() >= OWN_SHARE * live.bad.sum() else live.bad

    def _fed_us(self, live: Live) -> int:
        """When the newest failed round of its cells began, or when it was last changed."""
        recent = self._senses[live.slow].recent
        mine = recent.started_us[live.bad[recent.cell]]
        return max(int(mine.max(initial=0)), live.since_us)

    @property
    def hold_us(self) -> int:
        """How long an outage must last before it is confirmed."""
        return int(self._settings.hold_s * 1e6)

    def _close(self, live: Live, now_us: int) -> None:
        self.ended.keep(live, now_us)
        cells = np.flatnonzero(live.rectangle)
        self._cells.floor_us[cells] = now_us
        self.end(live, now_us)

    def end(self, live: Live, now_us: int) -> None:
        """Resolves what was confirmed, withdraws what was not; a return only suspected has not been."""
        self.live.remove(live)
        if live.is_silence and (live.before or live.outage).confirmed_us is not None:
            self.ended.keep(live, now_us)
        if live.before is not None and live.outage.state is State.SUSPECTED:
            live.outage = replace(live.before, changed_us=now_us)
            self.note(live)
            return
        self.move(live, State.WITHDRAWN if live.outage.confirmed_us is None else State.RESOLVED, now_us)

    def move(self, live: Live, state: State, now_us: int) -> None:
        """Moves an outage to another state."""
        live.outage = live.outage.with_state(state, now_us)
        self.note(live)

    def freeze(self, now_us: int) -> None:
        """Keeps open outages and their rings from being learned; what is slow for an hour is usual."""
        for live in self.failing:
            if not live.slow or now_us - live.began_us <= USUAL_US:
                until_us = now_us + (ROUNDS + 2) * live.interval_us
                for sense in self._senses:
                    sense.base.freeze(np.flatnonzero(live.rectangle), until_us)

    def note(self, live: Live) -> None:
        """Has an outage read as changed."""
        self._changed[live.outage.id] = live.outage
