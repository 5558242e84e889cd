"""From results to batches on disk: a failure at once, all others within a second."""

import asyncio
import sqlite3
from collections import deque
from typing import NoReturn

from faultline_agent.log import Log
from faultline_agent.outbox import Outbox
from faultline_agent.results import Result

GATHER_S = 1.0
"""Longest that a result waits for others."""

SETTLE_S = 0.05
"""How long a failure waits for those that come with it."""

MOST_WAITING = 10_000
"""Most results that wait for the disk; beyond it the oldest are lost, and counted."""

MOST_IN_BATCH = 2_000

PAUSE_S = 1.0
"""From a failed write to the next."""


class Recorder:
    """Gathers results and appends them to the outbox."""

    def __init__(self, outbox: Outbox, log: Log) -> None:
        self._outbox = outbox
        self._log = log
        self._waiting: deque[Result] = deque()
        self._some = asyncio.Event()
        self._urgent = asyncio.Event()
        self._writing = asyncio.Lock()
        self._lost = 0
        self._flushing: asyncio.Task[bool] | None = None
        self.problem = ""
        """Why results cannot be written; empty when they can."""

    def record(self, result: Result) -> None:
        """Takes one result; never waits."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(result)
        self._some.set()
        if result.outcome.failed:
            self._urgent.set()

    async def run(self) -> NoReturn:
        """Writes batches until cancelled."""
        while True:
            await self._some.wait()
            await self._gather()
            if not await self.flush():
                await asyncio.sleep(PAUSE_S)

    async def flush(self) -> bool:
        """Writes all that waits; says whether that worked. A write goes on when this is cancelled."""
        self._flushing = asyncio.create_task(self._flush())
        return await asyncio.shield(self._flushing)

    async def _flush(self) -> bool:
        async with self._writing:
            while self._waiting:
                if not await self._write():
                    return False
            self._some.clear()
            self._urgent.clear()
            return True

    async def _gather(self) -> None:
        try:
            async with asyncio.timeout(GATHER_S):
                await self._urgent.wait()
        except TimeoutError:
            return
        await asyncio.sleep(SETTLE_S)

    async def _write(self) -> bool:
        """What is being written stays in the queue until it is on disk."""
        batch = [self._waiting[at] for at in range(min(MOST_IN_BATCH, len(self._waiting)))]
        lost = self._lost
        try:
            await self._outbox.append(batch, lost)
        except sqlite3.Error as error:
            self._note(f"results cannot be written: {error}")
            return False
        self._note("")
        self._lost -= lost
        for _ in batch:
            self._waiting.popleft()
        return True

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            if problem:
                self._log.error("spool fails", problem=problem)
            else:
                self._log.info("spool works again")
