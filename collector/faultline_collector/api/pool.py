"""Threads for questions that block: few at a time, each with a deadline, the rest turned away."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Busy(Exception):
    """Raised when no place is free or the deadline has passed; asking again later may help."""


class Pool:
    """A bounded number of places, served by a bounded number of threads."""

    def __init__(self, name: str, *, threads: int = 4, places: int = 16, deadline_s: float = 20.0) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"faultline-{name}")
        self._places = places
        self._taken = 0
        self._deadline_s = deadline_s

    @property
    def free(self) -> int:
        """How many places are free."""
        return self._places - self._taken

    async def ask(self, work: Callable[[], T]) -> T:
        """Runs `work` in a thread; raises Busy. The place stays taken until the thread ends."""
        self._take()
        loop = asyncio.get_running_loop()
        future = self._threads.submit(work)
        future.add_done_callback(
            lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(self._free)
        )
        return await self._wait(future)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds a place for `steps`; raises Busy."""
        self._take()
        try:
            yield
        finally:
            self._free()

    async def steps(self, items: Iterator[T]) -> AsyncGenerator[T, None]:
        """Takes from an iterator that blocks, each item in a thread; raises Busy at an item's deadline."""
        future = self._threads.submit(partial(_take_one, items))
        try:
            while taken := await self._wait(future):
                yield taken[0]
                future = self._threads.submit(partial(_take_one, items))
        finally:
            # The thread may still be inside the iterator: only after it can the iterator be closed.
            future.add_done_callback(lambda _: items.close() if isinstance(items, Generator) else None)

    def close(self) -> None:
        """Starts nothing more; what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> None:
        if not self.free:
            raise Busy(f"{self._places} questions are being answered already; try again in a few seconds")
        self._taken += 1

    def _free(self) -> None:
        self._taken -= 1

    async def _wait(self, future: Future[T]) -> T:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Busy(f"the answer took longer than {self._deadline_s:g} s; ask for less") from None


def _take_one(items: Iterator[T]) -> tuple[T] | None:
    for item in items:
        return (item,)
    return None
