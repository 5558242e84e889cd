"""Who may begin a session, whatever carries it."""

from collections.abc import Awaitable, Callable

import structlog

from faultline import PROTOCOL
from faultline.v1 import session_pb2
from faultline_collector.ingest.intake import Intake
from faultline_collector.ingest.session import AgentSession, Misspoken
from faultline_collector.metrics import Metrics

_log = structlog.get_logger("ingest")

_FOR_GOOD = frozenset({"token", "agent", "protocol"})


class Refused(Exception):
    """Raised when a session must not begin; `reason` is the word that it is counted by."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    @property
    def permanent(self) -> bool:
        """Whether coming again will not help."""
        return self.reason in _FOR_GOOD


class Reception:
    """Opens sessions of agents that it knows; `refresh` reads the fleet again when one is not known yet.

    Who the agent is, its carrier has found out: by a token, or by the topic that the broker keeps for it.
    """

    def __init__(self, intake: Intake, metrics: Metrics, refresh: Callable[[], Awaitable[None]]) -> None:
        self._intake = intake
        self._metrics = metrics
        self._refresh = refresh

    async def recognise(self, agent_id: str) -> None:
        """Returns when the agent is one of the fleet; raises Refused."""
        if not self._intake.knows(agent_id):
            await self._refresh()
        if not self._intake.knows(agent_id):
            raise Refused("agent", f"agent {agent_id[:200]!r} is not in the registry")

    def receive(self, agent_id: str, hello: session_pb2.Hello) -> AgentSession:
        """Begins the session of an agent that was recognised; raises Refused."""
        if hello.protocol != PROTOCOL:
            sentence = f"the agent speaks protocol {hello.protocol}, this collector speaks {PROTOCOL}"
            raise Refused("protocol", sentence)
        if hello.agent_id != agent_id:
            raise Refused("agent", f"agent {agent_id!r} cannot speak for {hello.agent_id[:200]!r}")
        try:
            return self._intake.open(agent_id, hello)
        except Misspoken as error:
            raise Refused("bad_hello", str(error)) from error

    def closed(self, session: AgentSession) -> None:
        """Notes that a session is over; safe twice."""
        self._intake.closed(session)

    def note(self, refused: Refused, peer: str) -> None:
        """Counts and logs a refusal."""
        self._metrics.refused.labels(refused.reason).inc()
        _log.info("session refused", peer=peer, reason=refused.reason, sentence=str(refused))
