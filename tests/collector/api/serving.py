"""The world behind a real socket, in a loop of its own, so that blocking clients can ask it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from faultline_collector.listening import WebServer
from tests.collector.api.worlds import World, until

T = TypeVar("T")

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Served:
    """A world that answers at `url`; `act` does something in its loop."""

    world: World
    url: str
    loop: asyncio.AbstractEventLoop

    def act(self, work: Callable[[], T]) -> T:
        """Runs `work` in the server's loop and gives its result."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE_S)

    def publish(self, **tick: Any) -> None:
        """One tick."""
        self.act(lambda: self.world.publish(**tick))

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for a condition to hold in the server's loop; raises TimeoutError."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await until(condition)

        asyncio.run_coroutine_threadsafe(wait(), self.loop).result(PATIENCE_S + 5)


@contextmanager
def serving(world: World, address: str = "127.0.0.1:0") -> Iterator[Served]:
    """Serves the world until the block ends."""
    server = WebServer(world.app, address)
    started: Future[asyncio.AbstractEventLoop] = Future()

    async def run() -> None:
        started.set_result(asyncio.get_running_loop())
        await server.run_until_stopped()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    served = Served(world, server.url, started.result(PATIENCE_S))
    try:
        served.until(lambda: server.started)
        yield served
    finally:
        served.act(world.board.close)
        served.act(server.stop)
        thread.join(PATIENCE_S)
