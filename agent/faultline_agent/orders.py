"""The assignment at work: kept beside the spool, checked, and handed to the runner."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from faultline.config import BadConfig, parse_data
from faultline_agent.policy import Policy
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Probe
from faultline_agent.uplinks.uplink import AssignedTarget, Assignment

LEAST_INTERVAL_S = 0.5
"""What a collector may not go below."""


@dataclass(frozen=True, slots=True)
class Duty:
    """An assignment as this agent takes it: probes that can be run, and sentences about the rest."""

    version: str = ""
    probes: tuple[tuple[AssignedTarget, Probe], ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def read_duty(assignment: Assignment, policy: Policy) -> Duty:
    """Makes the probes of an assignment; what cannot or may not be probed is refused, with a sentence."""
    probes: list[tuple[AssignedTarget, Probe]] = []
    refused: dict[str, str] = {}
    for target in assignment.targets:
        try:
            probes.append((target, _probe(target, policy)))
        except BadConfig as error:
            refused[target.target_id] = "; ".join(error.problems)
    return Duty(assignment.version, tuple(probes), refused)


def _probe(target: AssignedTarget, policy: Policy) -> Probe:
    kind = PROBES.get(target.kind)
    if kind is None:
        raise BadConfig("assignment", [f"this agent knows no {target.kind!r} probes"])
    if target.interval_s < LEAST_INTERVAL_S:
        raise BadConfig("assignment", [f"an interval of {target.interval_s:g} s is too short"])
    refusal = policy.kind_refusal(target.kind)
    if refusal:
        raise BadConfig("assignment", [refusal])
    probe = parse_data(target.settings, kind, "assignment")
    refusal = policy.endpoints_refusal(probe.endpoints())
    if refusal:
        raise BadConfig("assignment", [refusal])
    return probe


def write_assignment(assignment: Assignment) -> str:
    """An assignment as text, to be kept."""
    return json.dumps({"version": assignment.version, "targets": [asdict(t) for t in assignment.targets]})


def read_assignment(text: str) -> Assignment:
    """An assignment that was kept; raises ValueError when the text is something else."""
    try:
        kept = json.loads(text)
        targets = tuple(AssignedTarget(**target) for target in kept["targets"])
        return Assignment(str(kept["version"]), targets)
    except (KeyError, TypeError) as error:
        raise ValueError("not an assignment") from error
