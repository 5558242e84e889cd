"""What the API answers with: one model a shape, from which bodies and the OpenAPI document are made."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from faultline_collector.correlate.engine import Health
from faultline_collector.fleet import Target
from faultline_collector.outages import Outage, Scope, State, outage_json


class Answer(BaseModel):
    """Base of all answers: closed and unchanging."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SubjectAnswer(Answer):
    """What is out."""

    kind: str
    id: str


class OutageAnswer(Answer):
    """An outage in the shape of the trace format, version 1; times are ISO 8601 in UTC.

    `family`: only IPv4 or only IPv6 is hit, and the other is fine. What is new here has a default:
    notices that an earlier version has written may still be on their way.
    """

    id: str
    state: State
    scope: Scope
    subject: SubjectAnswer
    target_ids: list[str]
    regions: list[str]
    asns: list[int]
    family: Literal[4, 6] | None = None
    layer: str
    severity: str
    confidence: float
    onset: str
    onset_after: str
    onset_before: str
    detected_at: str
    confirmed_at: str | None
    resolved_at: str | None
    changed_at: str
    why: str


class TransitionAnswer(Answer):
    """One step in the life of an outage."""

    at: str
    state: State
    scope: Scope


class ProofAnswer(Answer):
    """What one agent gathered when it failed (or did not, while others failed); `data` is as it gave it."""

    agent: str
    target: str
    kind: str
    failing: bool
    gathered_at: str
    says: str
    data: dict[str, Any]


class OutageStory(OutageAnswer):
    """An outage with its evidence, its life so far, and proof from a few vantages."""

    evidence: dict[str, Any]
    transitions: list[TransitionAnswer]
    proofs: list[ProofAnswer]


class OutagesAnswer(Answer):
    """Outages, newest first."""

    outages: list[OutageAnswer]


class RegionState(Answer):
    """A region: its agents, the worst that is known of a service from there, and every service."""

    id: str
    name: str
    country: str
    latitude: float
    longitude: float
    agents: int
    live: int
    health: Health
    services: dict[str, Health]


class ComponentState(Answer):
    """A component of a service."""

    id: str
    health: Health


class ServiceState(Answer):
    """A service: `down` only where every region that knows anything says so."""

    id: str
    name: str
    provider: str
    health: Health
    components: list[ComponentState]


class NetworkState(Answer):
    """A network that agents stand in."""

    asn: int
    name: str
    agents: int
    live: int
    health: Health


class ProviderState(Answer):
    """What services stand on."""

    id: str
    name: str
    health: Health


class StateAnswer(Answer):
    """Everything that the map shows; `version` rises and `at` moves with every change."""

    version: int
    at: str
    regions: list[RegionState]
    services: list[ServiceState]
    networks: list[NetworkState]
    providers: list[ProviderState]
    outages: list[OutageAnswer]


class StandingAnswer(Answer):
    """A service seen from one region, and how many agents say so."""

    region: str
    health: Health
    agents_fresh: int
    agents_failing: int


class ServiceAnswer(ServiceState):
    """A service with its standing in every region."""

    regions: list[StandingAnswer]


class ServicesAnswer(Answer):
    """All services, by id."""

    services: list[ServiceAnswer]


class AgentAnswer(Answer):
    """An agent as the collector knows it; `last_seen` is null when it never called.

    `ca_bundle` names the authorities that it trusts, as it says itself.
    """

    id: str
    region: str
    country: str
    asn: int
    site: str
    state: Literal["never", "silent", "unwell", "live"]
    connected: bool
    last_seen: str | None
    version: str
    ca_bundle: str
    condition: str
    spool_results: int
    spool_age_s: float
    clock_offset_s: float
    shed_runs: int
    dropped_results: int


class AgentsAnswer(Answer):
    """The fleet, by id."""

    agents: list[AgentAnswer]


class TargetAnswer(Answer):
    """What is probed; `regions` empty means from everywhere. Its settings may hold secrets and stay out.

    `family` is the address family over which alone it is probed, 0 for any.
    """

    id: str
    service: str
    component: str
    provider: str
    kind: str
    interval_s: float
    home_region: str
    family: Literal[0, 4, 6]
    regions: list[str]


class TargetsAnswer(Answer):
    """All targets, by id."""

    targets: list[TargetAnswer]


class KeyedAnswer(Answer):
    """One step of what the first seven fields name; null where the question does not divide by them."""

    service: str | None
    component: str | None
    target: str | None
    provider: str | None
    region: str | None
    network: int | None
    family: int | None
    start: str


class AvailabilityAnswerRow(KeyedAnswer):
    """Shares are null where nothing is known; `weighted` and `worst` are over regions, in rows of several."""

    ok: int
    failed: int
    unknown: int
    coverage: float
    availability: float | None
    weighted: float | None
    worst: float | None
    worst_region: str | None


class AvailabilityAnswer(Answer):
    """Rows by what they are about and start; `notes` are sentences that must be known with them."""

    rows: list[AvailabilityAnswerRow]
    notes: list[str]


class LatencyAnswerRow(KeyedAnswer):
    """Percentiles of good results, null where there is none; their error is at most `error` of the answer."""

    count: int
    coverage: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    weighted_p50_ms: float | None
    worst_p95_ms: float | None
    worst_region: str | None


class LatencyAnswer(Answer):
    """Rows by what they are about and start; `error` is the relative error of percentiles."""

    timing: str
    error: float
    rows: list[LatencyAnswerRow]
    notes: list[str]


class ResultAnswer(Answer):
    """One result; a line of /results. `started_at` is the agent's clock plus the offset measured then.

    `asked`: the collector wanted it beyond the schedule; it counts in no figure of history.
    """

    agent: str
    spool: str
    sequence: int
    target: str
    started_at: str
    received_at: str
    clock_offset_s: float
    attempt: int
    outcome: str
    status: int
    family: int
    saturated: bool
    late: bool
    asked: bool
    timings_ms: dict[str, float]
    detail: str


class HealthAnswer(Answer):
    """Whether the collector does its work; `broker` and `store` say what is away without stopping it."""

    ok: bool
    problem: str
    broker: str
    store: str


class ErrorAnswer(Answer):
    """Why there is no answer, in one sentence."""

    error: str


def outage_answer(outage: Outage) -> OutageAnswer:
    """An outage without its evidence."""
    data = outage_json(outage)
    del data["evidence"]
    return OutageAnswer.model_validate(data)


def target_answer(target: Target) -> TargetAnswer:
    """A target without its settings."""
    return TargetAnswer.model_validate(target, from_attributes=True)
