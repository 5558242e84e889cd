"""The collector's real web application on a port of its own, with scenes instead of results behind it."""

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType

import uvicorn

from faultline_collector.api.board import Board
from faultline_collector.api.health import Health
from faultline_collector.api.history import History
from faultline_collector.api.web import web_app
from faultline_collector.metrics import Metrics
from faultline_collector.registry.registry import Registry
from faultline_collector.stores.memory import MemoryStore
from tests.browser.scenes import FLEET, Scene, now_us

START_S = 20.0


class Server(uvicorn.Server):
    """Says on which port it listens as soon as it does."""

    def __init__(self, config: uvicorn.Config, listens: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listens = listens

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and says so."""
        await super().startup(sockets)
        self._listens(self.servers[0].sockets[0].getsockname()[1])


class Stage:
    """Serves in a thread, so that a browser can be driven from the test's own."""

    def __init__(self, registry_url: str, port: int = 0) -> None:
        self._registry = Registry(registry_url)
        self._store = MemoryStore()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(port)), daemon=True)
        self.port = port

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> "Stage":
        self._thread.start()
        assert self._started.wait(START_S), "the web application did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server and every connection; safe twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
            self._thread.join(START_S)
        self._store.close()
        self._registry.close()

    def show(self, scene: Scene) -> None:
        """Publishes a scene as the collector's tick would."""
        outages = (*scene.open_outages, *scene.ended_outages)
        self._registry.save_outages(outages)
        asyncio.run_coroutine_threadsafe(self._publish(scene), self._loop).result(START_S)

    async def _publish(self, scene: Scene) -> None:
        at_us = now_us()
        changed = (*scene.open_outages, *scene.ended_outages)
        self._board.publish(
            at_us, FLEET, scene.standings(), scene.open_outages, changed, scene.presences(at_us)
        )

    def ail(self, problem: str) -> None:
        """Makes the collector say of itself that it does not work; empty when it does again."""
        self._health.store_problem = problem

    async def _serve(self, port: int) -> None:
        metrics = Metrics()
        self._loop = asyncio.get_running_loop()
        self._board = Board(metrics)
        self._health = Health(ticked_us=1 << 62)
        app = web_app(self._board, History(self._board, self._store, self._registry), metrics, self._health)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1
        )
        self._server = Server(config, self._listens)
        await self._server.serve()

    def _listens(self, port: int) -> None:
        self.port = port
        self._started.set()

    def _end(self) -> None:
        self._board.close()
        self._server.should_exit = True
