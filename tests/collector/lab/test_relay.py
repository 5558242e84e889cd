"""An agent's way to the collector, cut and restored."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import closing, suppress

import pytest

from faultline_collector.lab.relay import Relay
from tests.collector.lab.visitor import greet


@pytest.fixture
async def upstream() -> AsyncIterator[int]:
    """A server that greets, then echoes line by line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            writer.write(b"hello\n")
            while line := await reader.readline():
                writer.write(line)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def relay(upstream: int) -> AsyncIterator[Relay]:
    """An open relay before it."""
    relay = Relay("127.0.0.1", 0, ("127.0.0.1", upstream))
    relay.set_cut(False)
    yield relay
    await relay.close()


async def test_relay_carries_both_ways(relay: Relay) -> None:
    """What goes in comes out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.listener.port)
    assert await reader.readline() == b"hello\n"
    assert relay.connected
    writer.write(b"ping\n")
    assert await reader.readline() == b"ping\n"
    writer.close()


async def test_cut_ends_live_connections_and_swallows_new_ones(relay: Relay) -> None:
    """And carries again once restored."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.listener.port)
    await reader.readline()
    relay.set_cut(True)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    assert not relay.connected
    assert await greet("127.0.0.1", relay.listener.port) == "TimeoutError"
    relay.set_cut(False)
    assert await greet("127.0.0.1", relay.listener.port) == "hello"


async def test_relay_without_upstream_ends_the_connection(unused_port: int) -> None:
    """An agent sees its connection end, as behind a proxy whose server is gone."""
    relay = Relay("127.0.0.1", 0, ("127.0.0.1", unused_port))
    relay.set_cut(False)
    assert await greet("127.0.0.1", relay.listener.port) in ("nothing", "ConnectionResetError")
    await relay.close()


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
