"""An outage: a cause that has been opened, and its life."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Scope(StrEnum):
    """How wide a cause is."""

    GLOBAL = "global"
    REGIONAL = "regional"
    NETWORK = "network"
    PROVIDER = "provider"
    AGENT = "agent"
    COLLECTOR = "collector"


class State(StrEnum):
    """Where an outage is in its life.

    Flapping: it has come back again and again, and stays open until it is quiet for long. Withdrawn: it was
    suspected and turned out to be nothing.
    """

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    RECOVERING = "recovering"
    FLAPPING = "flapping"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        """Whether it is still going on."""
        return self not in (State.RESOLVED, State.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is out; kind is service, provider, asn, region, agent, cohort or collector."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage as anyone may read it; times in microseconds since 1970, by the collector's clock.

    `family` is 4 or 6 where only IPv4 or IPv6 is hit while the other is probed too, 0 where neither is alone.
    `evidence` is plain data: who fails and who does not, by network and region, the layers, and the causes
    that were considered and lost, with their margins in nats.
    """

    id: str
    state: State
    scope: Scope
    subject: Subject
    target_ids: tuple[str, ...]
    regions: tuple[str, ...]
    asns: tuple[int, ...]
    layer: str
    severity: str
    confidence: float
    onset_us: int
    onset_after_us: int
    onset_before_us: int
    detected_us: int
    why: str
    family: int = 0
    confirmed_us: int | None = None
    resolved_us: int | None = None
    changed_us: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def with_state(self, state: State, at_us: int) -> "Outage":
        """The same outage, moved to another state at `at_us`."""
        is_sure = state in (State.CONFIRMED, State.FLAPPING)
        confirmed = at_us if is_sure and self.confirmed_us is None else self.confirmed_us
        resolved = None if state.is_open else at_us
        return replace(self, state=state, confirmed_us=confirmed, resolved_us=resolved, changed_us=at_us)


def iso(at_us: int | None) -> str | None:
    """A time as ISO 8601 in UTC with milliseconds, or None."""
    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")


def outage_json(outage: Outage) -> dict[str, Any]:
    """The outage in the shape of the trace format, version 1; state, family and evidence beside it."""
    return {
        "id": outage.id,
        "state": outage.state.value,
        "scope": outage.scope.value,
        "subject": {"kind": outage.subject.kind, "id": outage.subject.id},
        "target_ids": list(outage.target_ids),
        "regions": list(outage.regions),
        "asns": list(outage.asns),
        "family": outage.family or None,
        "layer": outage.layer,
        "severity": outage.severity,
        "confidence": round(outage.confidence, 4),
        "onset": iso(outage.onset_us),
        "onset_after": iso(outage.onset_after_us),
        "onset_before": iso(outage.onset_before_us),
        "detected_at": iso(outage.detected_us),
        "confirmed_at": iso(outage.confirmed_us),
        "resolved_at": iso(outage.resolved_us),
        "changed_at": iso(outage.changed_us),
        "why": outage.why,
        "evidence": dict(outage.evidence),
    }
