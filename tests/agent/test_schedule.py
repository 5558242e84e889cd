"""When each target is probed next."""

import gc
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline_agent.schedule import (
    JITTER_MOST_S,
    LEAST_CADENCE_S,
    MOST_HASTE_S,
    Reason,
    Run,
    Schedule,
    offset_s,
    time_limit_s,
)
from faultline_agent.uplinks.uplink import AssignedTarget, ProbeNow
from tests.agent.stage import assigned


def schedule_of(*intervals_s: float, timeout_s: float = 0.0, now: float = 1_000.0) -> Schedule:
    """A schedule of targets t0, t1, ..."""
    schedule = Schedule("agent", Random(1))
    schedule.reconcile([assigned(f"t{i}", s, timeout_s) for i, s in enumerate(intervals_s)], now)
    return schedule


def next_of(schedule: Schedule) -> float:
    """When something is due next."""
    at = schedule.next_at()
    assert at is not None
    return at


def first_run(schedule: Schedule) -> Run:
    """The first run that comes due."""
    (run,) = schedule.due(next_of(schedule))
    return run


@given(st.text(max_size=20), st.text(max_size=20), st.floats(0.5, 86_400))
def test_offset_lies_within_the_interval_and_is_stable(agent: str, target: str, interval: float) -> None:
    """A restart must not move a target within its interval."""
    assert 0 <= offset_s(agent, target, interval) <= interval
    assert offset_s(agent, target, interval) == offset_s(agent, target, interval)


def test_offsets_spread_over_agents_and_targets() -> None:
    """Agents that share a target, and targets that share an agent, do not start together."""
    over_agents = sorted(offset_s(f"agent-{i}", "web", 60.0) for i in range(600))
    over_targets = sorted(offset_s("agent", f"web-{i}", 60.0) for i in range(600))
    for offsets in (over_agents, over_targets):
        assert max(b - a for a, b in pairwise(offsets)) < 1.5
        assert 25 < sum(offsets) / 600 < 35


@given(st.floats(0.5, 600), st.integers(0, 2**32), st.lists(st.floats(0, 30), min_size=5, max_size=40))
def test_starts_keep_their_distance_however_late_the_loop_is(
    interval: float, seed: int, delays: list[float]
) -> None:
    """No two starts come closer than half an interval less the jitter: a late run never bunches up."""
    schedule = Schedule("agent", Random(seed))
    schedule.reconcile([assigned("web", interval)], 0.0)
    starts, now = [], 0.0
    for delay in delays:
        now = max(now, next_of(schedule)) + delay
        (run,) = schedule.due(now)
        starts.append(now)
        assert run.late is (now - run.planned > 0.5)
        schedule.finished(run, now, failed=False, may_retry=True)
    assert all(b - a >= interval / 2 - JITTER_MOST_S - 1e-6 for a, b in pairwise(starts))


@given(st.floats(1, 600), st.integers(0, 2**32))
def test_punctual_starts_lie_on_the_targets_grid(interval: float, seed: int) -> None:
    """Starts do not drift: each lies at offset + k * interval, at most the jitter after."""
    schedule = Schedule("agent", Random(seed))
    schedule.reconcile([assigned("web", interval)], 5_000.0)
    for _ in range(20):
        run = first_run(schedule)
        phase = (run.planned - offset_s("agent", "web", interval)) % interval
        assert min(phase, interval - phase) <= JITTER_MOST_S + 1e-6
        schedule.finished(run, run.planned, failed=False, may_retry=True)
    assert schedule.missed == 0


def test_missed_starts_are_counted_and_made_up_once() -> None:
    """After a pause of ten intervals there is one late run, not ten."""
    schedule = schedule_of(10.0)
    now = next_of(schedule) + 100.0
    (run,) = schedule.due(now)
    assert run.late
    assert schedule.missed in (9, 10)
    assert schedule.due(now + 4.0) == []


def test_failure_is_retried_once_a_second_later() -> None:
    """The retry is the second attempt; its failure is retried by the next regular run only."""
    schedule = schedule_of(30.0)
    run = first_run(schedule)
    schedule.finished(run, run.planned + 0.2, failed=True, may_retry=True)
    assert next_of(schedule) == pytest.approx(run.planned + 1.2)
    (retry,) = schedule.due(next_of(schedule))
    assert (retry.attempt, retry.reason) == (1, Reason.RETRY)
    schedule.finished(retry, retry.planned + 0.2, failed=True, may_retry=True)
    assert first_run(schedule).attempt == 0


@given(st.floats(0.5, 60), st.floats(0, 10), st.floats(0, 60))
def test_retry_ends_before_the_next_start(interval: float, timeout: float, took: float) -> None:
    """A retry that could still run at the next start does not take place."""
    schedule = schedule_of(interval, timeout_s=timeout)
    run = first_run(schedule)
    next_start = next_of(schedule)
    schedule.finished(run, run.planned + took, failed=True, may_retry=True)
    at = next_of(schedule)
    assert at == next_start or at + time_limit_s(run.target) <= next_start


def test_success_is_not_retried_nor_anything_while_load_is_shed() -> None:
    """A retry is extra work, which a busy agent leaves out."""
    for failed, may_retry in ((False, True), (True, False)):
        schedule = schedule_of(30.0)
        run = first_run(schedule)
        schedule.finished(run, run.planned, failed=failed, may_retry=may_retry)
        assert next_of(schedule) > run.planned + 20


def test_run_that_is_still_going_is_not_started_again() -> None:
    """Its next start is missed instead, and counted."""
    schedule = schedule_of(1.0)
    run = first_run(schedule)
    assert schedule.due(run.planned + 1.3) == []
    assert schedule.missed == 1
    schedule.finished(run, run.planned + 1.4, failed=False, may_retry=True)
    assert first_run(schedule).planned > run.planned + 1.3


@pytest.mark.parametrize(
    ("interval", "timeout", "limit"),
    [(30.0, 0.0, 5.0), (5.0, 0.0, 4.0), (1.0, 0.0, 0.8), (30.0, 12.0, 12.0), (2.0, 12.0, 2.0)],
)
def test_time_limit_is_as_assigned_or_the_default(interval: float, timeout: float, limit: float) -> None:
    """The default is the lesser of 5 s and 80 % of the interval; no limit is longer than the interval."""
    assert time_limit_s(assigned("web", interval, timeout)) == limit


def test_unchanged_targets_go_on_when_others_change() -> None:
    """Reconciling restarts nothing that is the same in the new assignment."""
    schedule = schedule_of(60.0, 60.0, 60.0)
    before = {run.target.target_id: run.planned for run in schedule.due(2_000.0)}
    kept, changed = assigned("t0", 60.0), assigned("t1", 30.0)
    changes = schedule.reconcile([kept, changed, assigned("new", 60.0)], 2_000.0)
    assert (changes.kept, changes.changed, changes.added, changes.removed) == (1, 1, 1, 1)
    assert set(before) == {"t0", "t1", "t2"}
    assert len(schedule) == 3
    ran = {run.target.target_id for run in schedule.due(2_061.0)}
    assert ran == {"t1", "new"}, "t0 is still running, t2 is gone"


def test_end_of_a_run_of_a_removed_target_changes_nothing() -> None:
    """A target that went away, or came back changed, while it was probed."""
    schedule = schedule_of(60.0)
    run = first_run(schedule)
    schedule.reconcile([], run.planned)
    schedule.finished(run, run.planned, failed=True, may_retry=True)
    assert schedule.next_at() is None
    schedule.reconcile([assigned("t0", 30.0)], run.planned)
    schedule.finished(run, run.planned, failed=True, may_retry=True)
    assert first_run(schedule).reason is Reason.REGULAR


def test_hastened_targets_run_at_the_cadence_until_the_time() -> None:
    """Extra runs come on top of the regular ones and end by themselves."""
    schedule = schedule_of(600.0, 600.0)
    order = ProbeNow(("t0", "unknown"), 2.0, 0)
    assert schedule.hasten(order, 1_000.0, 1_009.0) == 1
    starts = []
    for now in range(1_000, 1_020):
        for run in schedule.due(float(now)):
            starts.append(now)
            assert run.attempt == 0
            schedule.finished(run, now + 0.1, failed=True, may_retry=True)
    assert [s for s in starts if s < 1_012] == [1_000, 1_002, 1_004, 1_006, 1_008]


def test_haste_is_bounded_and_asked_for_twice_runs_once() -> None:
    """Neither cadence nor duration is the collector's to choose freely."""
    schedule = schedule_of(7_200.0)
    schedule.hasten(ProbeNow(("t0",), 0.001, 0), 1_000.0, 1e9)
    schedule.hasten(ProbeNow(("t0",), 0.001, 0), 1_000.0, 1e9)
    now, runs = 1_000.0, 0
    while next_of(schedule) < 1_000.0 + 2 * MOST_HASTE_S and runs < 2_000:
        now = next_of(schedule)
        for run in schedule.due(now):
            runs += 1
            schedule.finished(run, now, failed=False, may_retry=True)
    assert runs <= MOST_HASTE_S / LEAST_CADENCE_S + 2
    assert now <= 1_000.0 + MOST_HASTE_S + 7_200.0


def hasty_starts(schedule: Schedule, until: int, orders: dict[int, ProbeNow]) -> list[int]:
    """When extra runs start, second by second, with orders that come at their seconds."""
    starts = []
    for now in range(1_000, until):
        if now in orders:
            schedule.hasten(orders[now], float(now), orders[now].until_us / 1e6)
        for run in schedule.due(float(now)):
            starts += [now] * (run.reason is Reason.HASTE)
            schedule.finished(run, now + 0.1, failed=False, may_retry=True)
    return starts


def test_order_within_the_time_of_the_one_before_is_obeyed() -> None:
    """Also where the one before has nothing left to plan: its cadence leads beyond its end."""
    once = [ProbeNow(("t0",), 10.0, until * 1_000_000) for until in (1_008, 1_012)]
    starts = hasty_starts(schedule_of(86_400.0), 1_020, {1_000: once[0], 1_004: once[1]})
    assert starts == [1_000, 1_004]


def test_order_that_is_taken_back_leaves_nothing_behind() -> None:
    """Neither a last run, nor a second row of runs once the order is given again."""
    on, off = ProbeNow(("t0",), 2.0, 2_000_000_000), ProbeNow(("t0",), 2.0, 0)
    orders = {1_000: on, 1_003: off, 1_007: on, 1_008: off, 1_009: on, 1_013: off}
    assert hasty_starts(schedule_of(86_400.0), 1_020, orders) == [1_000, 1_002, 1_007, 1_009, 1_011]


def test_orders_without_end_keep_the_least_cadence() -> None:
    """Each asks for one run at once; a run a second is all there is."""
    schedule = schedule_of(86_400.0)
    runs = []
    for tenth in range(100):
        now = 1_000.0 + tenth / 10
        schedule.hasten(ProbeNow(("t0",), 10.0, 0), now, now + 1.0)
        for run in schedule.due(now):
            runs.append(now)
            schedule.finished(run, now, failed=False, may_retry=True)
    assert all(b - a >= LEAST_CADENCE_S for a, b in pairwise(runs))
    assert len(runs) == 10


def test_assignments_that_change_without_end_leave_nothing_behind() -> None:
    """What is no more assigned is forgotten at once, however far ahead it was planned."""
    schedule = schedule_of()
    for round_ in range(100):
        schedule.reconcile([assigned(f"t{i}", 86_400.0 + round_) for i in range(10)], 1_000.0)
    gc.collect()
    assert sum(isinstance(each, AssignedTarget) for each in gc.get_objects()) < 500
    assert len(schedule.due(1_000.0 + 2 * 86_400.0)) == 10


def test_haste_that_is_over_asks_for_nothing() -> None:
    """A late order is not obeyed."""
    schedule = schedule_of(600.0)
    schedule.hasten(ProbeNow(("t0",), 1.0, 0), 1_000.0, 990.0)
    assert all(run.reason is Reason.REGULAR for run in schedule.due(1_000.0))


def test_empty_schedule_has_nothing_due() -> None:
    """An agent without an assignment waits."""
    schedule = schedule_of()
    assert schedule.next_at() is None
    assert schedule.due(1e9) == []
