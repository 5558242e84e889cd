"""The agent as the collector sees it: introduces itself, tells its state, takes orders."""

import asyncio
from importlib.metadata import version
from uuid import uuid4

from faultline.ranges import Ranges
from faultline_agent.attempt import Bugs
from faultline_agent.clocks import Clocks
from faultline_agent.guard import LoadGuard
from faultline_agent.load import LoadWatch
from faultline_agent.log import Log
from faultline_agent.orders import Duty, read_assignment, read_duty, write_assignment
from faultline_agent.outbox import Outbox
from faultline_agent.policy import Policy
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.engine import name_of_authorities, trusted_authorities
from faultline_agent.proofs import PROOFS
from faultline_agent.proofs.proof import as_text, gathered
from faultline_agent.recorder import Recorder
from faultline_agent.references import References
from faultline_agent.runner import Runner
from faultline_agent.uplinks.uplink import Assignment, Evidence, Explain, Heartbeat, Hello, ProbeNow

VERSION = version("faultline-agent")

KEPT_ASSIGNMENT = "assignment"
"""Under which name the spool keeps the assignment."""

MOST_DROPPED_RANGES = 500
"""Most dropped ranges of one heartbeat; the next one brings the rest."""

MOST_LOST_SPOOLS = 16
"""Most lost spools of one heartbeat."""


class AgentStation:
    """Meets `Station`."""

    def __init__(
        self,
        agent_id: str,
        policy: Policy,
        outbox: Outbox,
        guard: LoadGuard,
        load: LoadWatch,
        references: References,
        recorder: Recorder,
        runner: Runner,
        tools: ProbeTools,
        log: Log,
        clocks: Clocks,
    ) -> None:
        self._agent_id = agent_id
        self._outbox = outbox
        self._policy = policy
        self._guard = guard
        self._load = load
        self._references = references
        self._recorder = recorder
        self._runner = runner
        self._tools = tools
        self._log = log
        self._bugs = Bugs(log)
        self._clocks = clocks
        self._boot_id = uuid4().hex
        self._ca_bundle = name_of_authorities(trusted_authorities())
        self.duty = Duty()

    def resume(self, kept: str | None) -> None:
        """Goes on with the assignment that was kept, so that a restart needs no collector."""
        if kept is None:
            return
        try:
            self._take(read_assignment(kept))
        except ValueError:
            self._log.warning("the kept assignment cannot be read")

    def hello(self, unacknowledged: Ranges) -> Hello:
        """Introduces the agent."""
        return Hello(
            agent_id=self._agent_id,
            boot_id=self._boot_id,
            spool_id=self._outbox.spool_id,
            version=VERSION,
            assignment_version=self.duty.version,
            clock_us=self._clocks.wall_us(),
            unacknowledged=unacknowledged,
            kinds=tuple(PROBES),
            ca_bundle=self._ca_bundle,
        )

    def heartbeat(self, round_trip_us: int) -> Heartbeat:
        """The agent's state now."""
        state, now_us = self._outbox.state, self._clocks.wall_us()
        lag_us, cpu_ppm = self._load.take()
        return Heartbeat(
            clock_us=now_us,
            spool_results=state.results,
            spool_bytes=state.bytes,
            spool_age_us=max(0, now_us - state.oldest_us) if state.oldest_us else 0,
            loop_lag_us=lag_us,
            cpu_ppm=cpu_ppm,
            well=self._references.condition.well,
            condition=self.condition,
            dropped=self._outbox.dropped[:MOST_DROPPED_RANGES],
            shed_runs=self._runner.tally.shed,
            assignment_version=self.duty.version,
            round_trip_us=round_trip_us,
            lost=self._outbox.lost[:MOST_LOST_SPOOLS],
        )

    @property
    def condition(self) -> str:
        """Why the agent does less than it is told to, in one sentence; empty when it does all."""
        tally = self._runner.tally
        return (
            self._references.condition.sentence
            or self._recorder.problem
            or self._guard.sentence
            or self._idle_reason()
            or (f"results say nothing: {tally.inconclusive}" if tally.inconclusive_in_a_row >= 10 else "")
        )

    def _idle_reason(self) -> str:
        if not self.duty.version:
            return "no assignment yet"
        if not self.duty.probes and not self.duty.refused:
            return "the assignment is empty"
        if self.duty.refused:
            target_id, reason = next(iter(self.duty.refused.items()))
            return f"{len(self.duty.refused)} targets are refused; {target_id}: {reason}"
        return ""

    async def assign(self, assignment: Assignment) -> None:
        """Takes over an assignment and keeps it."""
        if assignment.version == self.duty.version:
            return
        self._take(assignment)
        await self._outbox.remember(KEPT_ASSIGNMENT, write_assignment(assignment))

    def hasten(self, order: ProbeNow) -> None:
        """Plans extra probes until the time that the collector named."""
        for_s = (order.until_us - self._clocks.wall_us()) / 1e6
        taken = self._runner.hasten(order, for_s)
        self._log.info("probing now", targets=taken, cadence_s=order.cadence_s, for_s=round(for_s, 1))

    async def explain(self, order: Explain) -> tuple[Evidence, ...]:
        """Gathers each kind of proof that is asked for and known, all at once."""
        probe = self._runner.probe_of(order.target_id)
        kinds = [kind for kind in PROOFS if kind in order.kinds]
        if probe is None or not kinds or order.until_us < self._clocks.wall_us():
            return ()
        self._log.info("gathering proof", target=order.target_id, kinds=kinds)
        return tuple(await asyncio.gather(*(self._prove(order, probe, kind) for kind in kinds)))

    async def _prove(self, order: Explain, probe: Probe, kind: str) -> Evidence:
        began_us = self._clocks.wall_us()
        data = await gathered(PROOFS[kind], probe, self._tools, order.target_id, self._bugs)
        return Evidence(order.request_id, order.target_id, kind, began_us, as_text(data))

    def _take(self, assignment: Assignment) -> None:
        self.duty = duty = read_duty(assignment, self._policy)
        changes = self._runner.take(duty.probes)
        self._log.info(
            "assignment",
            version=duty.version,
            targets=len(duty.probes),
            added=changes.added,
            changed=changes.changed,
            removed=changes.removed,
            refused=dict(list(duty.refused.items())[:5]),
        )
