"""When each target is probed next. Pure: `now` is an argument, in seconds on an axis that never steps."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from faultline_agent.uplinks.uplink import AssignedTarget, ProbeNow

RETRY_AFTER_S = 1.0
"""From the end of a failed attempt to its one retry."""

LATE_S = 0.5
"""A run that starts this much after its time is recorded as late."""

JITTER_SHARE, JITTER_MOST_S = 0.02, 0.25
"""Jitter: this share of the interval, at most so much."""

LEAST_CADENCE_S, MOST_HASTE_S, MOST_HASTENED = 1.0, 600.0, 50
"""Bounds of what a collector may ask for beyond the schedule: cadence, duration, targets."""


class Reason(IntEnum):
    """Why a run takes place."""

    REGULAR = 0
    RETRY = 1
    HASTE = 2


class Run(NamedTuple):
    """One attempt that is due now."""

    target: AssignedTarget
    planned: float
    reason: Reason
    late: bool
    generation: int

    @property
    def attempt(self) -> int:
        """0 the first attempt, 1 the immediate retry."""
        return 1 if self.reason is Reason.RETRY else 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new assignment changed, as counts of targets."""

    added: int
    changed: int
    removed: int
    kept: int


@dataclass(slots=True)
class _Plan:
    target: AssignedTarget
    offset_s: float
    jitter_s: float
    generation: int
    next_at: float = 0.0
    running: bool = False
    hasty: bool = False
    hastened_at: float = -math.inf
    haste_until: float = -math.inf
    cadence_s: float = 0.0


class _Entry(NamedTuple):  # a heap compares tuples in C
    at: float
    generation: int
    reason: Reason
    plan: _Plan  # never compared: equal generations are the same plan

    @property
    def target_id(self) -> str:
        return self.plan.target.target_id


def offset_s(agent_id: str, target_id: str, interval_s: float) -> float:
    """Where in its interval a target starts: the same for ever, spread over agents and targets."""
    digest = blake2b(f"{agent_id}\0{target_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * interval_s


def time_limit_s(target: AssignedTarget) -> float:
    """Limit of one attempt: as assigned but within the interval, else the lesser of 5 s and 80 % of it."""
    if target.timeout_s > 0:
        return min(target.timeout_s, target.interval_s)
    return min(5.0, 0.8 * target.interval_s)


class Schedule:
    """The plans of all targets; `due` gives what to start, `finished` takes how it went."""

    def __init__(self, agent_id: str, random: Random) -> None:
        self._agent_id = agent_id
        self._random = random
        self._plans: dict[str, _Plan] = {}
        self._heap: list[_Entry] = []
        self._generation = 0
        self.missed = 0
        """Starts that never took place: the run before was still going, or the start came far too late."""

    def __len__(self) -> int:
        return len(self._plans)

    def reconcile(self, targets: Iterable[AssignedTarget], now: float) -> Changes:
        """Takes over an assignment; the plans of unchanged targets go on as they are."""
        wanted = {target.target_id: target for target in targets}
        removed = [target_id for target_id in self._plans if target_id not in wanted]
        for target_id in removed:
            del self._plans[target_id]
        added = changed = kept = 0
        for target_id, target in wanted.items():
            plan = self._plans.get(target_id)
            if plan is not None and plan.target == target:
                kept += 1
                continue
            added, changed = (added + 1, changed) if plan is None else (added, changed + 1)
            self._begin(target, now)
        self._heap = [entry for entry in self._heap if self._plans.get(entry.target_id) is entry.plan]
        heapq.heapify(self._heap)
        return Changes(added, changed, len(removed), kept)

    def next_at(self) -> float | None:
        """When something is due next; None when nothing is planned."""
        return self._heap[0].at if self._heap else None

    def due(self, now: float) -> list[Run]:
        """Takes everything that is to start at `now`, at most one run a target."""
        runs = []
        while (at := self.next_at()) is not None and at <= now:
            run = self._start(heapq.heappop(self._heap), now)
            if run is not None:
                runs.append(run)
        return runs

    def finished(self, run: Run, now: float, *, failed: bool, may_retry: bool) -> None:
        """Notes the end of a run; a failed regular one is retried if the retry ends before the next start."""
        plan = self._plans.get(run.target.target_id)
        if plan is None or plan.generation != run.generation:
            return
        plan.running = False
        if failed and may_retry and run.reason is Reason.REGULAR:
            retry_at = now + RETRY_AFTER_S
            if retry_at + time_limit_s(run.target) <= plan.next_at:
                self._push(plan, retry_at, Reason.RETRY)

    def hasten(self, order: ProbeNow, now: float, until: float) -> int:
        """Plans extra runs of some targets until a time; says how many targets it took."""
        plans = [plan for target_id in order.target_ids if (plan := self._plans.get(target_id)) is not None]
        for plan in plans[:MOST_HASTENED]:
            plan.cadence_s = max(LEAST_CADENCE_S, order.cadence_s)
            plan.haste_until = min(until, now + MOST_HASTE_S)
            if not plan.hasty:
                self._plan_haste(plan, max(now, plan.hastened_at + LEAST_CADENCE_S))
        return min(len(plans), MOST_HASTENED)

    def _begin(self, target: AssignedTarget, now: float) -> None:
        self._generation += 1
        offset = offset_s(self._agent_id, target.target_id, target.interval_s)
        jitter = min(JITTER_MOST_S, JITTER_SHARE * target.interval_s)
        plan = self._plans[target.target_id] = _Plan(target, offset, jitter, self._generation)
        self._plan_next(plan, now)

    def _start(self, entry: _Entry, now: float) -> Run | None:
        plan, busy = entry.plan, entry.plan.running
        if entry.reason is Reason.REGULAR:
            self._plan_after(plan, entry.at, now)
            self.missed += busy
        elif entry.reason is Reason.HASTE:
            plan.hasty = False
            if now > plan.haste_until:
                return None
            plan.hastened_at = now
            self._plan_haste(plan, now + plan.cadence_s)
        if busy:
            return None
        plan.running = True
        return Run(plan.target, entry.at, entry.reason, now - entry.at > LATE_S, plan.generation)

    def _plan_after(self, plan: _Plan, planned: float, now: float) -> None:
        """The next start lies at least half an interval ahead, so that a late run never bunches up."""
        interval = plan.target.interval_s
        self._plan_next(plan, max(now, planned) + interval / 2)
        self.missed += max(0, round((plan.next_at - planned) / interval) - 1)

    def _plan_haste(self, plan: _Plan, at: float) -> None:
        """One extra run at a time is planned, and none for when the order is over."""
        if at <= plan.haste_until:
            plan.hasty = True
            self._push(plan, at, Reason.HASTE)

    def _plan_next(self, plan: _Plan, after: float) -> None:
        interval = plan.target.interval_s
        step = math.ceil((after - plan.offset_s) / interval)
        plan.next_at = plan.offset_s + step * interval + plan.jitter_s * self._random.random()
        self._push(plan, plan.next_at, Reason.REGULAR)

    def _push(self, plan: _Plan, at: float, reason: Reason) -> None:
        heapq.heappush(self._heap, _Entry(at, plan.generation, reason, plan))
