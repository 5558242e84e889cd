"""The life of outages: suspected, confirmed, recovering, resolved or withdrawn; pure bookkeeping."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.causes import SPEAKS_NATS, Cause, Key, leaked
from faultline_collector.correlate.cells import Cells
from faultline_collector.correlate.evidence import LOG_FAIL, LOG_OK, RATES, Block, weigh
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import Int64, Mask

SWITCH_TICKS = 2
CHANGE_INTERVALS = 2
"""How long another explanation must hold before a confirmed outage moves to it, in intervals."""
CONTAINED = 0.7
"""Share of one cause's failing cells within another's that makes it a part of it."""
CONFIRM_NATS, CONFIRM_EACH = 8.0, 2.5
"""What rounds begun after the hold must say for a suspicion to be confirmed, and for each agent; nats."""
GUARD_HOLDS, GUARD_INTERVALS = 1.5, 2
"""How long after an outage's end what fails within it opens nothing new, times the hold or intervals."""
STALE_INTERVALS = 2.0
OVER_NATS = -4.0
"""What a cause's newest rounds say when it is over, nats: of one that is active one time in fifty."""
MOST_CALMS = 3
"""After how many calms a suspicion need not hold anew: what comes again and again is told."""
FLAPPING_RETURNS, FLAPPING_US = 3, 900_000_000
"""How often an outage must have come back after its end within which time to be flapping."""
STEADY_US = 300_000_000
"""How long nothing must have failed for a flapping outage to be over."""
FAILED_SAYS, FINE_SAYS = 5.0, 0.43
"""What one failure and one success say of an onset, nats: at a rate of a third."""
STILL_SHARE = 0.25
"""How many may go on failing at an end, of the agents that are well again."""
SURELY = 1e6
"""Nats by which a window in which nearly all are well goes before one that reaches back to their failing."""
MOST_ONE_SAYS = 3.0
"""Most that one agent says against an end, nats: one that goes on failing alone keeps nothing open."""


UNCOUNTED = -1
"""Stands for how many of the agents of a silence are lost, before they were counted."""


@dataclass(slots=True, eq=False)
class Live:
    """An open outage with what the engine needs to follow it; `rectangle` and `bad` are flat cells.

    Of a `restored` one nobody knows yet which of its cells fail; before `since_us` it is not judged, so that
    the past may be read again. `began_us` is when its present bout was first told (of a silence: its onset),
    from which on it must hold to be confirmed. Of a silence the agents are back since `back_us`. In its
    `shade` a confirmed one may be growing since `grows_us`: nothing else is sought there until that has
    lasted, or has not.
    """

    outage: Outage
    rectangle: Mask
    bad: Mask
    rate: float
    since_us: int
    supported_us: int
    interval_us: int
    began_us: int
    looked_us: int = 0
    aged_us: int = 0
    restored: bool = False
    changes: int = 0
    proposal: tuple[str, ...] = ()
    proposed_ticks: int = 0
    proposed_us: int = 0
    calms: int = 0
    returned_us: tuple[int, ...] = ()
    before: Outage | None = None
    absorbed: set[Key] = field(default_factory=set)
    shade: Mask | None = None
    grows_us: int = 0
    silent: Index = field(default_factory=lambda: np.empty(0, np.intp))
    lost: int = UNCOUNTED
    back_us: int = 0

    @property
    def key(self) -> Key:
        """What makes two outages the same thing."""
        outage = self.outage
        return outage.scope.value, outage.subject.kind, outage.subject.id, "slow" if self.slow else ""

    @property
    def covers(self) -> Mask:
        """The cells in which failing is no news."""
        return self.rectangle if self.shade is None else self.rectangle | self.shade

    def forget_shade(self) -> None:
        """Has it looked for anew whether it grows; what did not at the last look has ceased to."""
        self.grows_us = 0 if self.shade is None else self.grows_us
        self.shade = None

    @property
    def slow(self) -> bool:
        """Whether it is slowness, not failing."""
        return self.outage.layer == "latency"

    def every_us(self, suspected: int, confirmed: int) -> int:
        """So many times in an interval, by whether it is confirmed; once a second at most; microseconds."""
        per = confirmed if self.outage.state in (State.CONFIRMED, State.FLAPPING) else suspected
        return max(self.interval_us // per, 1_000_000)

    def flaps(self, now_us: int) -> bool:
        """Whether it has come back so often of late that it is likely to come back again."""
        return sum(now_us - at_us <= FLAPPING_US for at_us in self.returned_us) >= FLAPPING_RETURNS

    def is_again(self, ended: Outage) -> bool:
        """Whether it is an outage that has ended, found once more and under another id."""
        began = self.outage.subject == ended.subject and self.outage.onset_us <= (ended.resolved_us or 0)
        return began and self.outage.id != ended.id and not self.is_silence

    @property
    def is_silence(self) -> bool:
        """Whether agents that cannot be heard or do not trust themselves opened it, not failures."""
        return self.outage.layer == "silence"


def outage_id(cause_key: Sequence[str], at_us: int) -> str:
    """A short id that is the same for the same trace and settings."""
    text = "|".join((*cause_key, str(at_us)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the rounds since the onset say about an end: nats, share probed again, agents that see it.

    `still` are the agents that go on failing.
    `persists` says that it still goes on, by the rounds begun after the hold; `clean` that no round of the
    longest window failed, which ends also what too few rounds can speak against.
    """

    nats: float
    probed_again: float
    agents: int
    needed_agents: int
    persists: bool
    clean: bool = False
    still: int = 0

    def done(self, settings: EngineSettings) -> bool:
        """Whether the outage has ended."""
        return (
            (self.clean or self.nats >= settings.close_nats)
            and self.probed_again >= settings.probed_again
            and self.agents >= self.needed_agents
            and self.still <= max(1.0, STILL_SHARE * self.agents)
        )

    def begun(self, settings: EngineSettings) -> bool:
        """Whether it seems to be ending."""
        return self.nats >= settings.close_nats / 2 and self.probed_again >= settings.probed_again / 3


def recovery(
    live: Live, own: Mask, cells: Cells, base: Baselines, layout: Layout, now_us: int, hold_us: int
) -> Recovery:
    """The reverse test on its `own` cells that failed, over rounds since the last change of the outage."""
    bad = np.flatnonzero(own)
    agents = np.unique(bad // layout.shape[1])
    targets = np.unique(bad % layout.shape[1])
    block = weigh(cells, base, agents, targets, now_us, ~own)
    by_agent = _said(block, live.rate)
    persists = _lasting(block, by_agent, layout, now_us - live.began_us - hold_us)
    windows = block.windows_us <= max(now_us - live.since_us, 0)
    if not windows.any():
        return Recovery(0.0, 0.0, 0, 1, persists=persists)
    nats = np.where(windows, -by_agent.sum(axis=1), -np.inf)
    again = ((block.failed + block.fine) > 0).sum(axis=(1, 2)) / bad.size
    seen = (block.fine > 0).any(axis=1).sum(axis=1)
    still = (by_agent > SPEAKS_NATS).sum(axis=1)
    over = (again >= 0.6) & (still <= np.maximum(1.0, STILL_SHARE * seen))
    ready = nats + np.where(again >= 0.6, 100.0, 0.0) + np.where(over, SURELY, 0.0)
    at = int(ready.argmax())
    clean = bool(windows[-1] and not block.failed[-1].any())
    return Recovery(
        float(nats[at]),
        float(again[at]),
        int(seen[at]),
        min(3, agents.size),
        persists=persists,
        clean=clean,
        still=int(still[at]),
    )


def persistence(
    bad: Mask, rate: float, cells: Cells, base: Baselines, layout: Layout, now_us: int, lasting_us: int
) -> bool:
    """Whether the rounds of these flat cells begun in the last while say that they fail."""
    cell = np.flatnonzero(bad)
    block = weigh(
        cells, base, np.unique(cell // layout.shape[1]), np.unique(cell % layout.shape[1]), now_us, ~bad
    )
    return _lasting(block, _said(block, rate), layout, lasting_us)


def over(cause: Cause, cells: Cells, base: Baselines, now_us: int, while_us: int) -> bool:
    """Whether the rounds of the last while say that a cause is active no more, at its rate and any leak."""
    nothing = np.zeros(cells.head.size, bool)
    block = weigh(cells, base, cause.agents, cause.targets, now_us, nothing)
    window = int(np.searchsorted(block.windows_us, while_us, "right")) - 1
    rate = int(np.abs(RATES - cause.rate).argmin())
    return float(leaked(block.ratio()[window, rate]).sum(axis=-1).max()) < OVER_NATS


def _said(block: Block, rate: float) -> Floats:
    """What each agent says at this rate, bounded above: [windows, agents], nats."""
    at = int(np.abs(RATES - rate).argmin())
    ratio = block.value + block.failed * LOG_FAIL[at] + block.fine * LOG_OK[at]
    out: Floats = np.minimum(ratio.sum(axis=1), MOST_ONE_SAYS)
    return out


def _lasting(block: Block, by_agent: Floats, layout: Layout, lasting_us: int) -> bool:
    """Whether the rounds of the last while say so, all together, of two agents and of two services at least.

    Where there are as many: one of a provider's services that still fails is not the provider.
    """
    lasting = int(np.searchsorted(block.windows_us, lasting_us, "right")) - 1
    if lasting < 0:
        return False
    fails = block.failed[lasting] > 0
    services = layout.service[block.targets]
    if np.unique(services[fails.any(axis=1)]).size < min(2, np.unique(services).size):
        return False
    failing = int(fails.any(axis=0).sum())
    needed = min(CONFIRM_NATS, CONFIRM_EACH * block.agents.size)
    return failing >= min(2, block.agents.size) and float(by_agent[lasting].sum()) >= needed


def contained(inner: Mask, outer: Mask) -> float:
    """Which share of `inner` lies within `outer`."""
    total = int(inner.sum())
    return float((inner & outer).sum()) / total if total else 0.0


def reshaped(outage: Outage, other: Outage, now_us: int, *, grow: bool) -> Outage:
    """The outage with another's scope and extent, under its own id and history; `grow` keeps what it had."""
    targets = set(other.target_ids) | (set(outage.target_ids) if grow else set())
    regions = set(other.regions) | (set(outage.regions) if grow else set())
    asns = set(other.asns) | (set(outage.asns) if grow else set())
    onset = min(outage.onset_us, other.onset_us)
    afters = (outage.onset_after_us, other.onset_after_us)
    return replace(
        other,
        id=outage.id,
        state=outage.state,
        target_ids=tuple(sorted(targets)),
        regions=tuple(sorted(regions)),
        asns=tuple(sorted(asns)),
        onset_us=onset,
        onset_after_us=max((a for a in afters if a <= onset), default=min(afters)),
        onset_before_us=min(outage.onset_before_us, other.onset_before_us),
        detected_us=outage.detected_us,
        confirmed_us=outage.confirmed_us,
        resolved_us=None,
        changed_us=now_us,
    )


def onset_of(failed_us: Int64, planned: float, now_us: int) -> int:
    """The likeliest start of what failed at these times; `planned` is the probes there are a microsecond.

    Each failure speaks for an earlier start, what went well in between against it.
    """
    times = np.sort(failed_us)
    later = np.arange(times.size, 0, -1)
    fine = np.maximum(planned * (now_us - times) - later, 0.0)
    return int(times[(later * FAILED_SAYS - fine * FINE_SAYS).argmax()])


def revive(layout: Layout, outage: Outage) -> Live:
    """An open outage after a restart: its cells are taken from what it says of itself."""
    agents, targets = layout.shape
    rows = np.array([layout.regions[r] in outage.regions for r in layout.region], bool)
    if outage.scope in (Scope.NETWORK, Scope.AGENT):
        rows &= np.array([layout.asns[n] in outage.asns for n in layout.network], bool)
    if outage.subject.kind == "agent":
        rows = np.array([a == outage.subject.id for a in layout.agent_ids], bool)
    if outage.subject.kind == "cohort":
        names = [code for code, (_, name) in enumerate(layout.cohorts) if name == outage.subject.id]
        rows &= np.isin(layout.bundle, names) | np.isin(layout.release, names)
    columns = np.array([t in outage.target_ids for t in layout.target_ids], bool)
    rectangle = (rows[:, None] & columns[None, :]).reshape(agents * targets)
    silent = np.flatnonzero(rows) if outage.layer == "silence" else np.empty(0, np.intp)
    named = [layout.rows[a] for a in outage.evidence.get("silent", ()) if a in layout.rows]
    return Live(
        outage=outage,
        rectangle=rectangle,
        bad=rectangle.copy(),
        rate=0.96 if outage.severity == "down" else 0.35,
        since_us=outage.changed_us,
        supported_us=0,
        interval_us=int(layout.interval_us[columns].max()) if columns.any() else _usual_us(layout),
        began_us=outage.onset_us,
        silent=np.array(named, np.intp) if silent.size and named else silent,
        restored=True,
    )


def _usual_us(layout: Layout) -> int:
    return int(np.median(layout.interval_us)) if layout.shape[1] else 0


def carried(live: Live, size: int, rows: Index, mine: Index, theirs: Index) -> Live:
    """An open outage in another fleet of `size` cells; see `common_cells` for the rest."""
    rectangle, bad = np.zeros(size, bool), np.zeros(size, bool)
    if not live.is_silence:
        rectangle[mine], bad[mine] = live.rectangle[theirs], live.bad[theirs]
    live.rectangle, live.bad, live.lost = rectangle, bad, UNCOUNTED
    live.silent = np.flatnonzero(np.isin(rows, live.silent)) if live.is_silence else live.silent
    return live
