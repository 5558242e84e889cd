"""All open sessions, and the fleet that they belong to."""

import structlog

from faultline.v1 import session_pb2
from faultline_collector.fleet import Fleet
from faultline_collector.ingest.assignments import Assignments
from faultline_collector.ingest.desk import Desk
from faultline_collector.ingest.session import AgentSession, Ending
from faultline_collector.inquiry.orders import Order

_log = structlog.get_logger("ingest")


class Intake:
    """Opens and ends sessions: one an agent, the newest wins."""

    def __init__(self, desk: Desk, fleet: Fleet) -> None:
        self._desk = desk
        self._assignments = Assignments(fleet)
        self._sessions: dict[str, AgentSession] = {}

    def knows(self, agent_id: str) -> bool:
        """Whether the fleet has such an agent."""
        return self._assignments.agent(agent_id) is not None

    def open(self, agent_id: str, hello: session_pb2.Hello) -> AgentSession:
        """Begins a session of an agent of the fleet; raises Misspoken."""
        agent = self._assignments.agent(agent_id)
        if agent is None:
            raise KeyError(agent_id)
        session = AgentSession(self._desk, agent, hello)
        session.assign(self._assignments.of(agent))
        older = self._sessions.get(agent_id)
        if older is not None:
            older.end(Ending.REPLACED)
        self._sessions[agent_id] = session
        self._desk.metrics.sessions.set(len(self._sessions))
        _log.info("agent connected", agent=agent_id, version=hello.version)
        return session

    def closed(self, session: AgentSession) -> None:
        """Notes that a session is over, whatever ended it; safe twice."""
        session.end(Ending.LEFT)
        agent_id = session.agent.id
        if self._sessions.get(agent_id) is session:
            del self._sessions[agent_id]
            self._desk.presences.left(agent_id)
            self._desk.metrics.sessions.set(len(self._sessions))
            _log.info("agent disconnected", agent=agent_id, ending=session.ending and session.ending.value)

    def order(self, agent_id: str, order: Order) -> bool:
        """Tells an agent to do something once; says whether it has a session that will tell it."""
        session = self._sessions.get(agent_id)
        return session is not None and session.order(order)

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet: new assignments go out, sessions of removed agents end."""
        self._assignments = Assignments(fleet)
        for agent_id, session in self._sessions.items():
            agent = self._assignments.agent(agent_id)
            if agent is None:
                session.end(Ending.REMOVED)
            else:
                session.assign(self._assignments.of(agent))

    def drain(self) -> None:
        """Ends all sessions; what they sent is still stored."""
        for session in self._sessions.values():
            session.end(Ending.DRAINED)
