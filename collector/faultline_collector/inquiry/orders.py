"""What agents are asked for, and what they give; times in microseconds since 1970, collector's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

KINDS = ("story", "dns", "certificate", "traceroute")
"""What may be asked for as proof."""


@dataclass(frozen=True, slots=True)
class ProbeNow:
    """One probe of each of these targets, at once; none once it is `until_us`."""

    target_ids: tuple[str, ...]
    cadence_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Explain:
    """Proof about one target, for as long as somebody waits for it; `failing`: the agent failed there."""

    request_id: str
    outage_id: str
    target_id: str
    failing: bool
    until_us: int
    kinds: tuple[str, ...] = KINDS


Order: TypeAlias = ProbeNow | Explain


@dataclass(frozen=True, slots=True)
class Errand:
    """An order for one agent, and why: suspected, lasting, recovering or proof."""

    agent_id: str
    order: Order
    reason: str
    probes: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an agent says that it gathered; `text` should be a JSON object."""

    request_id: str
    target_id: str
    kind: str
    gathered_us: int
    text: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What stands on an outage: gathered by an agent that failed then, or by one that did not."""

    outage_id: str
    agent_id: str
    target_id: str
    kind: str
    failing: bool
    gathered_us: int
    data: Mapping[str, Any]
