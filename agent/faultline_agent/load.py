"""Measures the agent's own load: how late the event loop is, how much CPU the process takes."""

import asyncio
import time
from typing import NoReturn

from faultline_agent.guard import LoadGuard

TICK_S = 0.1
SAMPLE_TICKS = 10


class LoadWatch:
    """Feeds the guard once a second; keeps the worst for the next heartbeat."""

    def __init__(self, guard: LoadGuard) -> None:
        self._guard = guard
        self._worst_lag_s = 0.0
        self._taken_cpu_s = time.process_time()
        self._taken_at = time.monotonic()

    async def run(self) -> NoReturn:
        """Measures until cancelled."""
        while True:
            began, cpu_s = time.monotonic(), time.process_time()
            lag_s = 0.0
            for _ in range(SAMPLE_TICKS):
                asleep = time.monotonic()
                await asyncio.sleep(TICK_S)
                lag_s = max(lag_s, time.monotonic() - asleep - TICK_S)
            self._guard.sample((time.process_time() - cpu_s) / (time.monotonic() - began), lag_s)
            self._worst_lag_s = max(self._worst_lag_s, lag_s)

    def take(self) -> tuple[int, int]:
        """The loop's worst delay in microseconds and the CPU in millionths of a core, since the last call."""
        cpu_s, now = time.process_time(), time.monotonic()
        share = (cpu_s - self._taken_cpu_s) / max(now - self._taken_at, 1e-6)
        lag_us = round(self._worst_lag_s * 1e6)
        self._taken_cpu_s, self._taken_at, self._worst_lag_s = cpu_s, now, 0.0
        return lag_us, round(share * 1e6)
