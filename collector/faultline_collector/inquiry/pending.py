"""Which proof was asked for, and whether what comes is it. Pure."""

import json
from dataclasses import dataclass

from pydantic_core import to_json

from faultline_collector.inquiry.orders import Evidence, Explain, Proof

MOST_PENDING = 500
"""Most requests that are waited for."""

MOST_BYTES = 16 * 1024
"""Most bytes of one piece of proof."""

MOST_AHEAD_US = 60_000_000
"""How far from its receipt proof may say that it was gathered; beyond it the time of receipt stands."""


class BadEvidence(Exception):
    """Raised when what an agent gives was not asked for or cannot be read; `reason` is what it counts as."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class _Request:
    agent_id: str
    order: Explain
    open_kinds: set[str]

    def awaits(self, agent_id: str, evidence: Evidence) -> bool:
        """Whether this agent was asked for just that."""
        asked = (self.agent_id, self.order.target_id)
        return asked == (agent_id, evidence.target_id) and evidence.kind in self.open_kinds


class Pending:
    """The requests that are open; each kind of each is answered once."""

    def __init__(self) -> None:
        self._requests: dict[str, _Request] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def note(self, agent_id: str, order: Explain, now_us: int) -> None:
        """Waits for what was asked for; beyond the bound the oldest is no longer waited for."""
        for request_id in [i for i, request in self._requests.items() if request.order.until_us < now_us]:
            del self._requests[request_id]
        if len(self._requests) >= MOST_PENDING:
            del self._requests[next(iter(self._requests))]
        self._requests[order.request_id] = _Request(agent_id, order, set(order.kinds))

    def take(self, agent_id: str, evidence: Evidence, now_us: int) -> Proof:
        """The proof that an agent gives; raises BadEvidence."""
        request = self._requests.get(evidence.request_id)
        if request is None or not request.awaits(agent_id, evidence):
            raise BadEvidence("not_asked")
        if len(evidence.text.encode()) > MOST_BYTES:
            raise BadEvidence("oversize")
        try:
            data = json.loads(evidence.text)
            to_json(data)  # what nobody could be told, lone surrogates say, is not kept either
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise BadEvidence("unreadable")
        request.open_kinds.discard(evidence.kind)
        if not request.open_kinds:
            del self._requests[evidence.request_id]
        near = abs(evidence.gathered_us - now_us) <= MOST_AHEAD_US
        return Proof(
            request.order.outage_id,
            agent_id,
            evidence.target_id,
            evidence.kind,
            request.order.failing,
            evidence.gathered_us if near else now_us,
            data,
        )
