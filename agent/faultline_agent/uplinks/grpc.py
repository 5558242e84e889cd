"""The uplink over gRPC: one bidirectional stream, opened by the agent."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import grpc
from grpc import aio

from faultline.columns import MAX_MESSAGE_BYTES
from faultline.tls import client_context
from faultline.v1 import session_pb2, session_pb2_grpc
from faultline_agent.uplinks import wire
from faultline_agent.uplinks.uplink import Evidence, Heartbeat, Hello, Order, Session, UplinkError, Welcome
from faultline_agent.way import Tls, Way

CONNECT_S = 10.0
"""Most time for the connection and the collector's Welcome."""

SEND_S = 15.0
"""Most time for one message to be taken."""

_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_retries", 0),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)

_PERMANENT = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
)

_Call: TypeAlias = "aio.StreamStreamCall[session_pb2.AgentMessage, session_pb2.CollectorMessage]"


class GrpcUplink:
    """Opens sessions over one channel, which it makes anew after each failure."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._channel: aio.Channel | None = None

    @classmethod
    def open(cls, way: Way) -> "GrpcUplink":
        """An uplink that has not connected yet."""
        return cls(way)

    async def connect(self, hello: Hello) -> Session:
        """Opens the stream, says Hello and waits for the Welcome; raises UplinkError."""
        await self.close()
        self._channel = channel = _channel(self._way)
        call = session_pb2_grpc.AgentsStub(channel).Session(None, metadata=self._metadata())
        try:
            async with asyncio.timeout(CONNECT_S):
                await call.write(wire.hello_message(hello))
                first = await call.read()
        except TimeoutError:
            call.cancel()
            raise UplinkError(f"{self._where}: no answer within {CONNECT_S:g} s") from None
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await _said(call, self._where, error) from error
        except BaseException:
            call.cancel()
            raise
        if not isinstance(first, session_pb2.CollectorMessage):
            raise await _said(call, self._where, None)
        return GrpcSession(call, wire.read_welcome(first), self._where)

    async def close(self) -> None:
        """Closes the channel; safe twice."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(None)

    @property
    def _where(self) -> str:
        return f"collector {self._way.address.authority}"

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._way.token}"), ("faultline-agent-id", self._way.agent_id))


class GrpcSession:
    """One open stream."""

    def __init__(self, call: _Call, welcome: Welcome, where: str) -> None:
        self.welcome = welcome
        self._call = call
        self._where = where
        self._writing = asyncio.Lock()

    async def send_batch(self, encoded: bytes, *, live: bool) -> None:
        """Sends one encoded batch; raises UplinkError."""
        await self._send(wire.batch_message(encoded, live=live))

    async def send_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Sends a sign of life; raises UplinkError."""
        await self._send(wire.heartbeat_message(heartbeat))

    async def send_evidence(self, evidence: Evidence) -> None:
        """Sends proof; raises UplinkError."""
        await self._send(wire.evidence_message(evidence))

    async def orders(self) -> AsyncIterator[Order]:
        """What the collector says; ends when it ends the stream, raises UplinkError when it breaks."""
        try:
            while isinstance(message := await self._call.read(), session_pb2.CollectorMessage):
                order = wire.read_order(message)
                if order is not None:
                    yield order
        except aio.AioRpcError as error:
            raise await _said(self._call, self._where, error) from error
        if await self._call.code() is not grpc.StatusCode.OK:
            raise await _said(self._call, self._where, None)

    async def close(self) -> None:
        """Says that no more comes, and ends the stream; safe twice."""
        if not self._call.done():
            try:
                async with asyncio.timeout(0.2):
                    await self._call.done_writing()
            except (TimeoutError, aio.AioRpcError, asyncio.InvalidStateError):
                pass
        self._call.cancel()

    async def _send(self, message: session_pb2.AgentMessage) -> None:
        """One writer at a time: gRPC allows no two."""
        try:
            async with asyncio.timeout(SEND_S), self._writing:
                await self._call.write(message)
        except TimeoutError:
            self._call.cancel()
            raise UplinkError(f"{self._where}: takes nothing since {SEND_S:g} s") from None
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await _said(self._call, self._where, error) from error


async def _said(call: _Call, where: str, error: Exception | None) -> UplinkError:
    """The end of a call as one sentence, permanent when trying again will not help."""
    code, details = await call.code(), await call.details()
    reason = details or str(error or "the stream ended")
    return UplinkError(f"{where}: {code.name.lower()}: {reason}", permanent=code in _PERMANENT)


def _channel(way: Way) -> aio.Channel:
    target = way.address.authority
    options = (*_OPTIONS, ("grpc.enable_http_proxy", 0 if way.address.is_loopback else 1))
    if way.address.scheme == "grpcs":
        return aio.secure_channel(target, _credentials(way.tls), options=options)
    return aio.insecure_channel(target, options=options)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    def read(path: Path | None) -> bytes | None:
        return None if path is None else path.read_bytes()

    try:
        client_context(tls.authorities, tls.certificate, tls.key)  # gRPC itself says nothing of bad files
    except ValueError as error:
        raise UplinkError(str(error), permanent=True) from error
    authorities = tls.authorities or _system_authorities()
    return grpc.ssl_channel_credentials(read(authorities), read(tls.key), read(tls.certificate))


def _system_authorities() -> Path | None:
    """The machine's own list; gRPC would else use one that it brings along."""
    found = ssl.get_default_verify_paths().cafile
    return Path(found) if found else None
