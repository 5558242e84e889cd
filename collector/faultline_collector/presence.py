"""Which agents are there, and how they say they are."""

from dataclasses import dataclass
from enum import StrEnum


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
