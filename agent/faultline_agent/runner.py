"""Runs the schedule: starts what is due, and makes results of what is found."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import NoReturn

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_agent.attempt import Bugs, attempt
from faultline_agent.clocks import Clocks
from faultline_agent.guard import LoadGuard
from faultline_agent.health import Condition
from faultline_agent.log import Log
from faultline_agent.probes.probe import Finding, Probe, Tools
from faultline_agent.recorder import Recorder
from faultline_agent.references import References
from faultline_agent.results import Result
from faultline_agent.schedule import Changes, Reason, Run, Schedule, time_limit_s
from faultline_agent.tally import Tally
from faultline_agent.uplinks.uplink import AssignedTarget, ProbeNow

MOST_AT_ONCE = 1_000
"""Most attempts under way; what is due beyond it is left out, and counted."""

LEAST_REST_S = 0.004
"""What is due within it starts together, which takes less than one by one; a start may be that much late."""


_LATE, _SATURATED, _ASKED = map(int, (Flag.LATE, Flag.SATURATED, Flag.ASKED))  # sums of flags are slow


class Runner:
    """Holds the probes of the assignment, and runs each when it is due."""

    def __init__(
        self,
        schedule: Schedule,
        guard: LoadGuard,
        references: References,
        recorder: Recorder,
        tools: Tools,
        log: Log,
        clocks: Clocks,
        random: Random,
    ) -> None:
        self._schedule = schedule
        self._guard = guard
        self._references = references
        self._recorder = recorder
        self._tools = tools
        self._bugs = Bugs(log)
        self._clocks = clocks
        self._random = random
        self._probes: Mapping[str, Probe] = {}
        self._changed = asyncio.Event()
        self._running = 0
        self.tally = Tally()

    def take(self, probes: Sequence[tuple[AssignedTarget, Probe]]) -> Changes:
        """Takes over what is to be probed; what is unchanged goes on as it is."""
        self._probes = {target.target_id: probe for target, probe in probes}
        changes = self._schedule.reconcile([target for target, _ in probes], self._clocks.axis_s())
        self._changed.set()
        return changes

    def hasten(self, order: ProbeNow, for_s: float) -> int:
        """Plans extra runs for so long; says of how many targets."""
        now = self._clocks.axis_s()
        taken = self._schedule.hasten(order, now, now + for_s)
        self._changed.set()
        return taken

    @property
    def missed(self) -> int:
        """Starts that never took place since the agent began, because the run before was still going."""
        return self._schedule.missed

    def probe_of(self, target_id: str) -> Probe | None:
        """The probe of a target of the assignment."""
        return self._probes.get(target_id)

    async def run(self) -> NoReturn:
        """Starts what is due, until cancelled; what is under way is then cancelled too."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                for run in self._schedule.due(self._clocks.axis_s()):
                    self._start(group, run)
                await self._rest()

    async def _rest(self) -> None:
        """Until something is due, or the plan has changed."""
        next_at = self._schedule.next_at()
        if next_at is None:
            await self._changed.wait()
            return
        rest_s = max(LEAST_REST_S, next_at - self._clocks.axis_s())
        alarm = asyncio.get_running_loop().call_later(rest_s, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            alarm.cancel()

    def _start(self, group: asyncio.TaskGroup, run: Run) -> None:
        shed = self._guard.shed
        unlucky = shed > 0 and run.reason is Reason.REGULAR and self._random.random() < shed
        if unlucky or self._running >= MOST_AT_ONCE:
            self.tally.shed += 1
            self._finish(run, failed=False)
            return
        self._running += 1
        group.create_task(self._run(run, self._probes[run.target.target_id]))

    async def _run(self, run: Run, probe: Probe) -> None:
        started_us, began = self._clocks.wall_us(), self._clocks.axis_s()
        was_saturated = self._guard.saturated
        try:
            limit_s = time_limit_s(run.target)
            finding = await attempt(probe, self._tools, limit_s, run.target.target_id, self._bugs)
        finally:
            self._running -= 1
        failed, saturated = finding.outcome.failed, was_saturated or self._guard.saturated
        self._finish(run, failed=failed)
        if failed:  # before it speaks against a target, the agent looks at itself
            condition = await self._references.confirm(began, self._clocks.axis_s())
        else:
            condition = self._references.condition
        self._record(run, started_us, as_seen_by(condition, finding), saturated=saturated)

    def _finish(self, run: Run, *, failed: bool) -> None:
        self._schedule.finished(run, self._clocks.axis_s(), failed=failed, may_retry=self._guard.shed == 0.0)
        if failed:  # there may be a retry now
            self._changed.set()

    def _record(self, run: Run, started_us: int, finding: Finding, *, saturated: bool) -> None:
        self.tally.note(finding)
        self._recorder.record(
            Result(
                target_id=run.target.target_id,
                started_us=started_us,
                attempt=run.attempt,
                outcome=finding.outcome,
                detail=finding.detail,
                status=finding.status,
                family=finding.family,
                timings_us=finding.timings_us,
                flags=run.late * _LATE + saturated * _SATURATED + (run.reason is Reason.HASTE) * _ASKED,
            )
        )


def as_seen_by(condition: Condition, finding: Finding) -> Finding:
    """What an unwell agent found says nothing; the sentence it found is kept."""
    if condition.well or finding.outcome is Outcome.INCONCLUSIVE:
        return finding
    seen = finding.detail or finding.outcome.word
    detail = f"agent unwell ({condition.sentence}): {seen}"
    return finding._replace(outcome=Outcome.INCONCLUSIVE, detail=detail)
