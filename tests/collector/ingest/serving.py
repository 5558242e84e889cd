"""The gRPC server over a rig, on a real socket, and what a client says to it and hears."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest

from faultline.ranges import Ranges
from faultline.v1 import results_pb2, session_pb2, session_pb2_grpc
from faultline_collector.fleet import Fleet
from faultline_collector.ingest.identity import Tokens
from faultline_collector.ingest.reception import Reception
from faultline_collector.ingest.server import AgentsServicer, Server, TlsFiles
from tests.collector.ingest.worlds import FLEET, Rig, hello, pairs, up

WEST = "west-token"
TOKENS = {WEST: "west-1", "east-token": "east-1", "north-token": "north-1"}


def open_stream(channel: Any, token: str) -> Any:
    """A session's stream with that token."""
    stub: Any = session_pb2_grpc.AgentsStub(channel)
    return stub.Session(metadata=(("authorization", f"Bearer {token}"),), timeout=30)


@dataclass
class Served:
    """A rig behind a listening server."""

    rig: Rig
    address: str
    server: Server
    channel: Any

    def call(self, token: str = WEST) -> Any:
        """Opens a session's stream."""
        return open_stream(self.channel, token)

    async def session(self, token: str = WEST, **fields: Any) -> Any:
        """A session after welcome and assignment."""
        call = self.call(token)
        await call.write(up(hello(TOKENS[token], **fields)))
        assert (await call.read()).WhichOneof("body") == "welcome"
        assert (await call.read()).WhichOneof("body") == "assignment"
        return call


@dataclass
class Registry:
    """Whose token it is, and a fleet that may grow."""

    rig: Rig
    fleet: Fleet = FLEET
    broken: bool = field(default=False)

    def authenticate(self, token: str) -> str | None:
        """The agent of the token."""
        if self.broken:
            raise OSError("the disk is gone")
        return TOKENS.get(token)

    async def refresh(self) -> None:
        """Tells the rig of the fleet."""
        self.rig.intake.refit(self.fleet)


@asynccontextmanager
async def serving(
    rig: Rig, registry: Registry | None = None, tls: TlsFiles | None = None
) -> AsyncIterator[Served]:
    """Serves the rig on a free port of this machine."""
    registry = registry or Registry(rig)
    tokens = Tokens(registry.authenticate, lambda: 0.0)
    server = Server(AgentsServicer(Reception(rig.intake, rig.metrics, registry.refresh), tokens))
    address = await server.start("127.0.0.1:0", tls, plaintext_beyond_loopback=False)
    writing = asyncio.create_task(rig.writer.run())
    channel: Any = grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
    try:
        yield Served(rig, address, server, channel)
    finally:
        await channel.close()
        await server.stop(0)
        await server.stop(0)
        rig.writer.close()
        await writing


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """How the server ends the stream."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await everything(call)
    return caught.value.code(), caught.value.details() or ""


async def rest(call: Any) -> list[session_pb2.CollectorMessage]:
    """Says that nothing more comes, and gives all that the server still says."""
    await call.done_writing()
    return await everything(call)


async def everything(call: Any) -> list[session_pb2.CollectorMessage]:
    """All that the server says until the stream ends."""
    told = []
    while isinstance(message := await call.read(), session_pb2.CollectorMessage):
        told.append(message)
    return told


def acknowledged(told: list[session_pb2.CollectorMessage]) -> list[tuple[int, int]]:
    """The ranges of all acknowledgements."""
    return list(Ranges(pair for message in told for pair in pairs(message.ack.durable)))


async def send(call: Any, batches: Iterable[results_pb2.Batch]) -> None:
    """Sends one batch after another."""
    for one in batches:
        await call.write(up(one))
