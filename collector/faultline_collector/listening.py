"""The web server within the collector's loop."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from faultline_collector.ingest.server import CannotListen

_GRACE_S = 1


class WebServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: the collector's end everything in order."""

    def __init__(self, app: ASGIApp, address: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._socket = _bound(address)
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield

    def listen(self) -> None:
        """Lets connections come; they are answered once it runs. Raises CannotListen."""
        try:
            self._socket.listen(self.config.backlog)
        except OSError as error:
            raise CannotListen(f"cannot listen on {self.url}: {error.strerror}") from error

    async def run_until_stopped(self) -> None:
        """Serves until `stop`."""
        with self._socket:
            await self.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Takes no more requests, and ends those that run after a second; safe twice."""
        self.should_exit = True


def _bound(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, int(port)))
    except OSError as error:
        listening.close()
        raise CannotListen(f"cannot listen on {address}: {error.strerror}") from error
    return listening
