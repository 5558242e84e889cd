"""What the agent's tests stand on: clocks that are set by hand, a log that keeps, results to send."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultline.outcomes import Outcome
from faultline_agent.results import Result
from faultline_agent.spool import Spool
from faultline_agent.uplinks.uplink import AssignedTarget

NOW_US = 1_800_000_000_000_000
"""A moment in 2027."""

DEADLINE_S = 40.0
"""Longest that a test waits for something that should come at once: the machine may be busy."""


@dataclass
class KeptLog:
    """A log that keeps its events."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **facts: Any) -> None:
        """Keeps it."""
        self.events.append((event, facts))

    warning = error = info

    def named(self, event: str) -> list[dict[str, Any]]:
        """The facts of all events of that name."""
        return [facts for name, facts in self.events if name == event]


class SetClocks:
    """Clocks that go on when they are told to; `sleep` goes on by itself."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.slept: list[float] = []

    def axis_s(self) -> float:
        """Seconds since the test began."""
        return self.now_s

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return NOW_US + round((self.now_s - 1_000.0) * 1e6)

    async def sleep(self, delay_s: float) -> None:
        """Takes no time but the clocks'."""
        self.slept.append(delay_s)
        self.now_s += delay_s
        await asyncio.sleep(0)


def result(target_id: str = "web", outcome: Outcome = Outcome.OK, detail: str = "", **other: Any) -> Result:
    """One result, as if just measured."""
    fields: dict[str, Any] = {
        "started_us": NOW_US,
        "attempt": 0,
        "status": 200,
        "family": 4,
        "timings_us": {"connect": 900, "total": 1_500},
        "flags": 0,
    }
    return Result(target_id=target_id, outcome=outcome, detail=detail, **fields | other)


def assigned(
    target_id: str = "web", interval_s: float = 10.0, timeout_s: float = 0.0, **settings: Any
) -> AssignedTarget:
    """A target that is assigned."""
    chosen = settings or {"host": "127.0.0.1", "port": 9}
    return AssignedTarget(target_id, "tcp", chosen, interval_s, timeout_s)


def plain_encode(results: Sequence[Result], first_sequence: int) -> bytes:
    """An encoding that a test can read: the first sequence, then the targets' ids."""
    return f"{first_sequence}:{','.join(r.target_id for r in results)}".encode()


def open_spool(
    folder: Path, max_bytes: int = 10_000_000, max_age_us: int = 3_600_000_000, agent_id: str = "agent"
) -> Spool:
    """The spool of a test."""
    return Spool(folder / "spool.db", agent_id, max_bytes=max_bytes, max_age_us=max_age_us)


async def eventually(holds: Callable[[], object]) -> None:
    """Waits until a condition holds, looking again and again."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - what others do sets no event
            await asyncio.sleep(0.005)
