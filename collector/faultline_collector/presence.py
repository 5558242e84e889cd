"""Which agents are there, and how they say they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class AgentState(StrEnum):
    """How an agent stands: never seen, silent, unwell by its own word, or live."""

    NEVER = "never"
    SILENT = "silent"
    UNWELL = "unwell"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Presence:
    """The last that was heard of one agent; times in microseconds since 1970, collector's clock."""

    agent_id: str
    last_seen_us: int = 0
    connected: bool = False
    well: bool = True
    condition: str = ""
    version: str = ""
    ca_bundle: str = ""
    assignment_version: str = ""
    clock_offset_us: int = 0
    round_trip_us: int = 0
    spool_results: int = 0
    spool_bytes: int = 0
    spool_age_us: int = 0
    loop_lag_us: int = 0
    cpu_ppm: int = 0
    shed_runs: int = 0
    dropped_results: int = 0

    def state(self, now_us: int, silent_after_us: int = 20_000_000) -> AgentState:
        """How the agent stands at `now_us`."""
        if self.last_seen_us == 0:
            return AgentState.NEVER
        if now_us - self.last_seen_us > silent_after_us:
            return AgentState.SILENT
        return AgentState.LIVE if self.well else AgentState.UNWELL


@dataclass(frozen=True, slots=True)
class Sighting:
    """When an agent was heard last, microseconds since 1970, of which version it is and whom it trusts."""

    agent_id: str
    last_seen_us: int
    version: str
    ca_bundle: str


class Presences:
    """The last that was heard of every agent that was ever seen."""

    def __init__(self) -> None:
        self._presences: dict[str, Presence] = {}
        self._heard: set[str] = set()

    def note(self, agent_id: str, at_us: int, **changes: Any) -> Presence:
        """Notes that the agent was heard at `at_us`, and what it said by the names of `Presence`."""
        known = self._presences[agent_id] = replace(self.get(agent_id), last_seen_us=at_us, **changes)
        self._heard.add(agent_id)
        return known

    def restore(self, presence: Presence) -> None:
        """Goes on with what was known before this process began; what was heard since stands."""
        self._presences.setdefault(presence.agent_id, presence)

    def heard(self, agent_id: str) -> bool:
        """Whether the agent was heard since this process began."""
        return agent_id in self._heard

    def get(self, agent_id: str) -> Presence:
        """The agent's presence; one that says "never seen" where nothing was heard."""
        return self._presences.get(agent_id) or Presence(agent_id)

    def left(self, agent_id: str) -> None:
        """Notes that the agent's session has ended."""
        if agent_id in self._presences:
            self._presences[agent_id] = replace(self._presences[agent_id], connected=False)

    def all(self) -> Mapping[str, Presence]:
        """Every presence by agent."""
        return self._presences
