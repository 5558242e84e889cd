"""What all sessions share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter

from faultline.v1 import session_pb2
from faultline_collector.ingest.ledger import Ledger
from faultline_collector.ingest.writer import Writer
from faultline_collector.inquiry.orders import Evidence
from faultline_collector.metrics import Metrics
from faultline_collector.presence import Presences
from faultline_collector.results import ResultBatch
from faultline_collector.stores.store import ReceivedRange

DROP_REASONS = frozenset({"bytes", "age", "damaged"})
"""Why agents drop; anything else counts as "other"."""


class Sink(Protocol):
    """Where ingest hands on what it has made durable, and signs of life."""

    def take(self, results: ResultBatch) -> None:
        """Takes durable results, each once."""

    def contact(self, agent_id: str, at_us: int, *, well: bool) -> None:
        """Notes a sign of life that is not a result."""


def leave_out(agent_id: str, evidence: Evidence) -> None:
    """Takes proof that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The shared parts of ingest, and what it counts; `now_us` is the collector's clock."""

    ledger: Ledger
    writer: Writer
    sink: Sink
    presences: Presences
    metrics: Metrics
    now_us: Callable[[], int]
    version: str
    heartbeat_s: int = 5
    evidence: Callable[[str, Evidence], None] = leave_out

    def count_dropped(self, received: ReceivedRange) -> None:
        """Counts results that an agent threw away."""
        count = received.last - received.first + 1
        self.metrics.dropped.labels(received.reason).inc(count)
        agent_id = received.source.agent_id
        presence = self.presences.get(agent_id)
        self.presences.note(agent_id, presence.last_seen_us, dropped_results=presence.dropped_results + count)

    def note_heartbeat(
        self, agent_id: str, at_us: int, heartbeat: session_pb2.Heartbeat, offset_us: int
    ) -> None:
        """Notes how the agent says it is."""
        self.sink.contact(agent_id, at_us, well=heartbeat.well)
        self.presences.note(
            agent_id,
            at_us,
            well=heartbeat.well,
            condition=heartbeat.condition[:500],
            assignment_version=heartbeat.assignment_version[:64],
            clock_offset_us=offset_us,
            round_trip_us=heartbeat.round_trip_us,
            spool_results=heartbeat.spool_results,
            spool_bytes=heartbeat.spool_bytes,
            spool_age_us=heartbeat.spool_age_us,
            loop_lag_us=heartbeat.loop_lag_us,
            cpu_ppm=heartbeat.cpu_ppm,
            shed_runs=heartbeat.shed_runs,
        )

    def lane(self, *, live: bool) -> Counter:
        """Counts the batches of one lane."""
        return self.metrics.batches.labels("live" if live else "backlog")

    def count_resent(self, count: int) -> None:
        """Counts results that had come before."""
        if count:
            self.metrics.results.labels("resent").inc(count)

    def count_rejected(self, reason: str, count: int) -> None:
        """Counts results that will never be stored."""
        self.metrics.rejected.labels(reason).inc(count)
