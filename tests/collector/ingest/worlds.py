"""A small fleet and what its agents say, for the tests of ingest."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from faultline import PROTOCOL
from faultline.v1 import results_pb2, session_pb2
from faultline_collector.fleet import Agent, Fleet, Region, Target
from faultline_collector.ingest.desk import Desk
from faultline_collector.ingest.intake import Intake
from faultline_collector.ingest.ledger import Ledger
from faultline_collector.ingest.writer import Limits, Writer
from faultline_collector.metrics import Metrics
from faultline_collector.presence import Presences
from faultline_collector.results import ResultBatch, Source, concatenate
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import ReceivedRange, ResultQuery, Store, StoreError

NOW_US = 1_800_000_000_000_000
SOURCE = Source("west-1", "spool-1")


def target(target_id: str, *regions: str) -> Target:
    """An http target probed from the regions, or from everywhere."""
    return Target(
        target_id, "twitter", "web", "edge", "http", 30.0, regions=regions, settings={"url": "http://a/"}
    )


FLEET = Fleet(
    regions=(Region("east", "East", "IN", 22.5, 88.3), Region("west", "West", "IN", 19.1, 72.9)),
    agents=(Agent("east-1", "east", "IN", 64500), Agent("west-1", "west", "IN", 64500)),
    targets=(target("api"), target("far", "east"), target("web")),
)


def batch(first: int = 1, count: int = 3, **columns: Any) -> results_pb2.Batch:
    """A good live batch of results a second apart, the last at NOW_US; columns by name replace its own."""
    start = NOW_US - (count - 1) * 1_000_000
    good: dict[str, Any] = {
        "lane": results_pb2.LANE_LIVE,
        "target_ids": ["web"],
        "started_delta_us": [start, *[1_000_000] * (count - 1)],
        "outcome": [results_pb2.OUTCOME_OK] * count,
        "timings": [results_pb2.Timing(name="total", us=[1500] * count)],
    }
    return results_pb2.Batch(first_sequence=first, count=count, **(good | columns))


def hello(agent_id: str = "west-1", **fields: Any) -> session_pb2.Hello:
    """A good hello."""
    good: dict[str, Any] = {
        "boot_id": "boot-1",
        "spool_id": "spool-1",
        "version": "0.1.0",
        "protocol": PROTOCOL,
        "clock_us": NOW_US,
    }
    return session_pb2.Hello(agent_id=agent_id, **(good | fields))


def up(message: Any) -> session_pb2.AgentMessage:
    """The message in its envelope."""
    kinds = {"Hello": "hello", "Batch": "batch", "Heartbeat": "heartbeat", "Evidence": "evidence"}
    return session_pb2.AgentMessage(**{kinds[type(message).__name__]: message})


def dropped(first: int, last: int, reason: str = "bytes") -> results_pb2.DroppedRange:
    """A run of sequences that an agent threw away."""
    return results_pb2.DroppedRange(range=results_pb2.Range(first=first, last=last), reason=reason)


def pairs(ranges: Sequence[results_pb2.Range]) -> list[tuple[int, int]]:
    """Ranges of the wire as pairs."""
    return [(one.first, one.last) for one in ranges]


class SlowStore(MemoryStore):
    """A memory store that waits before each append until `gate` is set, and fails `failures` times.

    `entered` is set when an append has begun.

    It can never keep results with a sequence in `poison`, and takes it for a bug if `buggy`.
    """

    def __init__(
        self, *, failures: int = 0, poison: frozenset[int] = frozenset(), buggy: bool = False
    ) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.failures = failures
        self.poison = poison
        self.buggy = buggy
        self.appends: list[int] = []

    def append(self, results: ResultBatch, ranges: Sequence[ReceivedRange], fleet: Fleet) -> int:
        """Keeps them once the gate is open."""
        self.entered.set()
        if not self.gate.wait(30):
            raise AssertionError("the gate was never opened")
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        if not self.poison.isdisjoint(results.sequence.tolist()):
            if self.buggy:
                raise ValueError("no such day")
            raise StoreError("a value does not fit", permanent=True)
        self.appends.append(len(results))
        return super().append(results, ranges, fleet)


@dataclass
class Judgement:
    """A sink that keeps what it is given."""

    batches: list[ResultBatch] = field(default_factory=list)
    contacts: list[tuple[str, bool]] = field(default_factory=list)

    def take(self, results: ResultBatch) -> None:
        """Keeps the results."""
        self.batches.append(results)

    def contact(self, agent_id: str, at_us: int, *, well: bool) -> None:
        """Keeps the sign of life."""
        self.contacts.append((agent_id, well))

    @property
    def sequences(self) -> list[int]:
        """All sequences that were handed on, in order."""
        return [int(s) for one in self.batches for s in one.sequence]


@dataclass
class Rig:
    """All of ingest but its transport, on a clock that stands at `now_us`."""

    store: Store = field(default_factory=MemoryStore)
    limits: Limits = field(default_factory=lambda: Limits(gather_s=0))
    now_us: int = NOW_US

    def __post_init__(self) -> None:
        self.judgement = Judgement()
        self.metrics = Metrics()
        self.presences = Presences()
        self.writer = Writer(self.store, self.judgement.take, self.metrics, FLEET, limits=self.limits)
        self.desk = Desk(
            Ledger(self.store.received()),
            self.writer,
            self.judgement,
            self.presences,
            self.metrics,
            lambda: self.now_us,
            "0.1.0",
        )
        self.intake = Intake(self.desk, FLEET)

    def stored(self) -> list[int]:
        """All sequences in the store, sorted."""
        everything = concatenate(list(self.store.results(ResultQuery(0, 2**62))))
        return sorted(int(s) for s in everything.sequence)

    def count(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0
