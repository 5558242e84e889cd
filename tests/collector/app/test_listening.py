"""Where the collector's web server listens."""

import socket

import pytest

from faultline_collector.ingest.server import CannotListen
from faultline_collector.listening import WebServer


async def test_an_address_that_another_takes_in_between_is_a_sentence() -> None:
    """Two collectors that start at once may both bind it, and one of them may listen."""

    async def app(*_: object) -> None:
        """Answers nobody."""

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        server = WebServer(app, f"127.0.0.1:{other.getsockname()[1]}")
        other.listen()
        with (
            server._socket,
            pytest.raises(CannotListen, match=f"cannot listen on {server.url}: Address already"),
        ):
            server.listen()
