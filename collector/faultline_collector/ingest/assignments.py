"""What each agent is to probe, as it goes over the wire."""

import json
from dataclasses import dataclass
from hashlib import sha256

from faultline.v1 import session_pb2
from faultline_collector.fleet import Agent, Fleet, Target


@dataclass(frozen=True, slots=True, eq=False)
class Duty:
    """One agent's assignment: its version, the message that carries it, and all targets of the fleet.

    The message is the whole envelope: all sessions send the same one, for a copy each would cost a fleet of
    thousands hundreds of megabytes.
    """

    version: str
    message: session_pb2.CollectorMessage
    known_targets: frozenset[str]


class Assignments:
    """Every agent's duty within one fleet; agents with equal targets share one."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._agents = {agent.id: agent for agent in fleet.agents}
        self._wired = {target.id: _wire(target) for target in fleet.targets}
        self._known = frozenset(self._wired)
        self._duties: dict[tuple[str, ...], Duty] = {}

    def agent(self, agent_id: str) -> Agent | None:
        """The agent of that id."""
        return self._agents.get(agent_id)

    def of(self, agent: Agent) -> Duty:
        """What the agent is to probe; the version is a hash of the content."""
        ids = tuple(target.id for target in self._fleet.targets_of(agent))
        duty = self._duties.get(ids)
        if duty is None:
            duty = self._duties[ids] = self._duty(ids)
        return duty

    def _duty(self, ids: tuple[str, ...]) -> Duty:
        content = session_pb2.Assignment(targets=[self._wired[i] for i in ids])
        content.version = sha256(content.SerializeToString(deterministic=True)).hexdigest()[:16]
        return Duty(content.version, session_pb2.CollectorMessage(assignment=content), self._known)


def _wire(target: Target) -> session_pb2.Target:
    return session_pb2.Target(
        target_id=target.id,
        kind=target.kind,
        settings_json=json.dumps(dict(target.settings), sort_keys=True),
        interval_us=round(target.interval_s * 1e6),
        timeout_us=round(target.timeout_s * 1e6),
    )
