"""The spool as the event loop uses it: one thread, and a sign when something changed."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from faultline.ranges import Ranges
from faultline_agent.clocks import Clocks
from faultline_agent.results import Encode, Result
from faultline_agent.spool import Parcel, Spool, SpoolState
from faultline_agent.uplinks.uplink import DroppedRange, LostRange

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class Outbox:
    """Every call goes to the spool's own thread, one after the other.

    What fails raises sqlite3.Error, and may work the next time; SpoolDamaged is final.
    """

    def __init__(self, spool: Spool, encode: Encode, clocks: Clocks) -> None:
        self._spool = spool
        self._encode = encode
        self._clocks = clocks
        self._thread = ThreadPoolExecutor(1, "spool")
        self.changed = asyncio.Event()
        """Set whenever something was added or forgotten; who waits clears it."""
        self.empty = asyncio.Event()
        """Whether the collector has everything."""
        with spool.reading():
            self.state: SpoolState = spool.state()
            self.dropped: tuple[DroppedRange, ...] = spool.dropped()
            self.lost: tuple[LostRange, ...] = spool.lost()

    @property
    def replaced(self) -> str:
        """Where a damaged spool was moved to and why; empty when the agent began with a good one."""
        return self._spool.replaced

    @property
    def spool_id(self) -> str:
        """The random id of the spool's file."""
        return self._spool.spool_id

    def recall(self, name: str) -> str | None:
        """A fact kept by `remember`; for the start, when nothing else waits for the spool."""
        with self._spool.reading():
            return self._spool.recall(name)

    async def append(self, results: Sequence[Result], lost: int = 0) -> None:
        """Stores results for good, and drops what the spool has no room or time for."""
        await self._do(self._spool.append, results, self._encode, self._clocks.wall_us(), lost)
        await self._look()

    async def newest(self, since_us: int, skip: frozenset[int]) -> Parcel | None:
        """The newest batch recorded since then."""
        return await self._do(self._spool.newest, since_us, skip)

    async def oldest(self, before_us: int, skip: frozenset[int]) -> Parcel | None:
        """The oldest batch recorded before then."""
        return await self._do(self._spool.oldest, before_us, skip)

    async def forget(self, durable: Ranges) -> None:
        """Removes what the collector has."""
        await self._do(self._spool.forget, durable)
        await self._look()

    async def settle_lost(self, noted: Sequence[LostRange]) -> None:
        """Forgets lost spools that the collector has noted."""
        await self._do(self._spool.settle_lost, noted)
        self.lost = await self._do(self._spool.lost)

    async def unacknowledged(self) -> Ranges:
        """The sequences that the collector has not acknowledged."""
        return await self._do(self._spool.unacknowledged)

    async def continue_above(self, sequence: int) -> None:
        """Makes sure that no sequence up to this one is given out again."""
        await self._do(self._spool.continue_above, sequence)

    async def remember(self, name: str, value: str) -> None:
        """Keeps a fact beside the results."""
        await self._do(self._spool.remember, name, value)

    async def close(self) -> None:
        """Closes the spool after what is under way; safe twice."""
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        self._spool.close()

    async def _look(self) -> None:
        self.state = await self._do(self._spool.state)
        self.dropped = await self._do(self._spool.dropped)
        self.changed.set()
        if self.state.results:
            self.empty.clear()
        else:
            self.empty.set()

    async def _do(
        self, call: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Answer:
        with self._spool.reading():
            return await asyncio.wrap_future(self._thread.submit(call, *args, **kwargs))
