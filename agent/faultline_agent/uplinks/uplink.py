"""The seam between the agent and the way to its collector."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from faultline.ranges import Ranges


@dataclass(frozen=True, slots=True)
class Hello:
    """Introduces the agent; times in microseconds since 1970 by the agent's clock."""

    agent_id: str
    boot_id: str
    spool_id: str
    version: str
    assignment_version: str
    clock_us: int
    unacknowledged: Ranges
    kinds: tuple[str, ...]
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The collector's answer: what it holds already, and its clock."""

    held: Ranges
    highest_sequence: int
    clock_us: int
    version: str
    heartbeat_s: float


@dataclass(frozen=True, slots=True)
class AssignedTarget:
    """One thing to probe."""

    target_id: str
    kind: str
    settings: Mapping[str, Any]
    interval_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that the agent is to probe; equal versions are equal assignments."""

    version: str
    targets: tuple[AssignedTarget, ...]


@dataclass(frozen=True, slots=True)
class LostRange:
    """What a spool that cannot be read any more had given out; the collector knows which of it came."""

    spool_id: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Ack:
    """What the agent may forget, and what of it was rejected, by reason; `lost`: of other spools."""

    durable: Ranges
    rejected: Mapping[str, int] = field(default_factory=dict)
    heartbeat_clock_us: int = 0
    lost: tuple[LostRange, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeNow:
    """Extra probes, asked for by the collector."""

    target_ids: tuple[str, ...]
    cadence_s: float
    until_us: int


@dataclass(frozen=True, slots=True)
class Explain:
    """Proof about a target, asked for by the collector."""

    request_id: str
    target_id: str
    kinds: tuple[str, ...]
    until_us: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Asked to end the session and come back after a while."""

    after_s: float
    address: str
    reason: str


Order: TypeAlias = Assignment | Ack | ProbeNow | Explain | Drain


@dataclass(frozen=True, slots=True)
class DroppedRange:
    """A run of results that the spool threw away, and why: bytes, age or damaged."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The agent's state, as in `faultline.v1.Heartbeat`."""

    clock_us: int
    spool_results: int
    spool_bytes: int
    spool_age_us: int
    loop_lag_us: int
    cpu_ppm: int
    well: bool
    condition: str
    dropped: Sequence[DroppedRange]
    shed_runs: int
    assignment_version: str
    round_trip_us: int
    lost: Sequence[LostRange] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Proof gathered by the agent; `json` is a JSON object, `gathered_us` by the agent's clock."""

    request_id: str
    target_id: str
    kind: str
    gathered_us: int
    json: str


class UplinkError(Exception):
    """Raised when the way to the collector fails; `permanent`: trying again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Session(Protocol):
    """One open conversation with the collector. Every call has a deadline of its own."""

    welcome: Welcome

    async def send_batch(self, encoded: bytes, *, live: bool) -> None:
        """Sends one encoded batch from the spool in the live or the backlog lane; raises UplinkError."""

    async def send_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Sends a sign of life; raises UplinkError."""

    async def send_evidence(self, evidence: Evidence) -> None:
        """Sends proof that was asked for; raises UplinkError."""

    def orders(self) -> AsyncIterator[Order]:
        """What the collector says, until the session ends; raises UplinkError when it breaks."""

    async def close(self) -> None:
        """Ends the session; safe twice."""


class Uplink(Protocol):
    """A way to the collector; retry, lanes and windows are written once around it."""

    async def connect(self, hello: Hello) -> Session:
        """Opens a session within a deadline; raises UplinkError."""

    async def close(self) -> None:
        """Releases everything; safe twice."""
