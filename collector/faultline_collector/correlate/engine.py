"""The seam of correlation: columns and ticks in, outages out. Pure: no I/O, no clock of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage
from faultline_collector.results import ResultBatch


class Health(StrEnum):
    """What can be said of a service from a region; unknown is neither up nor down.

    Learning: it answers, and what is usual there is not known yet.
    """

    LEARNING = "learning"
    OK = "ok"
    SUSPECTED = "suspected"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """One service seen from one region: how it stands, and how many agents say so."""

    service: str
    region: str
    health: Health
    agents_fresh: int
    agents_failing: int


class Correlator(Protocol):
    """Turns results into outages. Times are microseconds since 1970 by the collector's clock."""

    def observe(self, results: ResultBatch) -> None:
        """Takes deduplicated results as they become durable, in any order; unknown ids are ignored."""

    def contact(self, agent_id: str, at_us: int, *, well: bool) -> None:
        """Notes a sign of life that is not a result: a heartbeat."""

    def tick(self, now_us: int) -> tuple[Outage, ...]:
        """Judges, once a second; gives the outages that changed since the last tick."""

    def restore(self, outages: Iterable[Outage]) -> None:
        """Takes over outages after a restart.

        Open ones before their evidence follows by `observe`; afterwards those that were told and have ended:
        what returns of them keeps its id, and what was found of them anew is dropped.
        """

    def refit(self, fleet: Fleet) -> None:
        """Goes on with another fleet; what agents and targets have in common keeps its evidence."""

    def outages(self) -> tuple[Outage, ...]:
        """All open outages."""

    def standings(self, now_us: int) -> tuple[Standing, ...]:
        """Every service from every region of the fleet."""
