"""Times the phases of one attempt and turns its end into a finding."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

from faultline.columns import TOTAL
from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding, ProbeFailed

LATE = {
    "": "no time was left to begin",
    "dns": "the name was not resolved",
    "connect": "no connection",
    "tls": "the TLS handshake was not finished",
    "first_byte": "no answer",
    "body": "the answer was not complete",
    "answer": "no answer",
}
"""What a time-out means, by the phase that it met."""


class Stopwatch:
    """Durations of finished phases in microseconds, of one attempt; phases of the same name add up."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._started = perf_counter_ns()
        self.us: dict[str, int] = {}
        self.phase = ""
        self.family = 0

    @contextmanager
    def timing(self, phase: str) -> Iterator[None]:
        """Times a phase; one that raises is not recorded."""
        self.phase = phase
        started = perf_counter_ns()
        yield
        self.us[phase] = self.us.get(phase, 0) + (perf_counter_ns() - started) // 1000

    def left_s(self) -> float:
        """Seconds until the attempt's time is over."""
        return self.timeout_s - (perf_counter_ns() - self._started) / 1e9

    def finding(self, outcome: Outcome, detail: str = "", status: int = 0) -> Finding:
        """Ends the attempt."""
        self.us[TOTAL] = (perf_counter_ns() - self._started) // 1000
        return Finding(outcome, detail, status, self.family, self.us)


def late(watch: Stopwatch) -> str:
    """The sentence of a time-out."""
    return f"{LATE[watch.phase]} within {watch.timeout_s:g} s"


async def attempt(watch: Stopwatch, steps: Awaitable[Finding]) -> Finding:
    """Awaits the steps of an attempt within its time; a time-out or a failed phase becomes the finding."""
    return await concluded(watch, _in_time(watch, steps))


async def concluded(watch: Stopwatch, steps: Awaitable[Finding]) -> Finding:
    """The same for steps that end in time by themselves."""
    try:
        return await steps
    except TimeoutError:
        return watch.finding(Outcome.TIMEOUT, late(watch))
    except ProbeFailed as failure:
        return watch.finding(failure.outcome, failure.sentence)


async def _in_time(watch: Stopwatch, steps: Awaitable[Finding]) -> Finding:
    async with asyncio.timeout(watch.timeout_s):
        return await steps
