"""The collector's gRPC server: agents' sessions, and whatever else is served beside them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from faultline.columns import MAX_MESSAGE_BYTES
from faultline.hosts import is_loopback
from faultline.v1 import enrolment_pb2, enrolment_pb2_grpc, query_pb2, session_pb2, session_pb2_grpc
from faultline_collector.ingest.identity import Tokens
from faultline_collector.ingest.reception import Reception, Refused
from faultline_collector.ingest.session import AgentSession, Ending, drain

_log = structlog.get_logger("ingest")

Context: TypeAlias = grpc.aio.ServicerContext[session_pb2.AgentMessage, session_pb2.CollectorMessage]
Requests: TypeAlias = AsyncIterator[session_pb2.AgentMessage]

_HELLO_S = 10.0
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 1_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 5),
    ("grpc.so_reuseport", 0),
)
_STATUS = {
    Ending.REPLACED: grpc.StatusCode.ABORTED,
    Ending.REMOVED: grpc.StatusCode.UNAUTHENTICATED,
}
_REFUSALS = {
    "token": grpc.StatusCode.UNAUTHENTICATED,
    "agent": grpc.StatusCode.UNAUTHENTICATED,
    "registry": grpc.StatusCode.UNAVAILABLE,
    "protocol": grpc.StatusCode.FAILED_PRECONDITION,
    "bad_hello": grpc.StatusCode.INVALID_ARGUMENT,
    "no_hello": grpc.StatusCode.DEADLINE_EXCEEDED,
}


class CannotListen(Exception):
    """Raised when an address cannot or must not be listened on."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the server's certificate and key, and the authorities of clients' certificates, if any."""

    certificate: Path
    key: Path
    client_authorities: Path | None = None


class AgentsServicer(session_pb2_grpc.AgentsServicer):
    """Carries sessions over gRPC."""

    def __init__(self, reception: Reception, tokens: Tokens) -> None:
        self._reception = reception
        self._tokens = tokens

    async def Session(self, request_iterator: Requests, context: Context) -> None:  # type: ignore[override]
        """One agent's session, from hello to its end.

        It reads and writes by itself: a generator would be closed late when the agent breaks off.
        """
        try:
            agent_id = await self._identify(context)
            hello = await self._hello(request_iterator)
            session = self._reception.receive(agent_id, hello)
        except Refused as refused:
            self._reception.note(refused, str(context.peer()))
            await context.abort(_REFUSALS[refused.reason], str(refused))
        try:
            await self._carry(session, request_iterator, context)
        finally:
            self._reception.closed(session)

    async def _carry(self, session: AgentSession, requests: Requests, context: Context) -> None:
        listening = asyncio.create_task(self._listen(session, requests))
        try:
            while (message := await session.next()) is not None:
                await context.write(message)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        if not listening.cancelled() and (error := listening.exception()) is not None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        status = _STATUS.get(session.ending or Ending.LEFT)
        if status is not None and session.ending is not None:
            await context.abort(status, session.ending.value)
        if session.ending is Ending.DRAINED:
            await context.write(drain(session.ending.value))

    async def _listen(self, session: AgentSession, requests: Requests) -> None:
        try:
            async for message in requests:
                await session.hear(message)
        finally:
            session.leave()

    async def _identify(self, context: Context) -> str:
        metadata = dict(context.invocation_metadata() or ())
        try:
            agent_id = await self._tokens.agent_of(str(metadata.get("authorization", "")))
        except Exception as error:
            _log.error("registry cannot tell whose token it is", error=str(error))
            raise Refused("registry", "the registry does not answer, try again") from error
        if agent_id is None:
            raise Refused("token", "the token is not that of any agent in the registry")
        await self._reception.recognise(agent_id)
        return agent_id

    async def _hello(self, requests: Requests) -> session_pb2.Hello:
        try:
            message = await asyncio.wait_for(anext(requests, None), _HELLO_S)
        except TimeoutError as error:
            raise Refused("no_hello", f"no hello within {_HELLO_S:g} s") from error
        if message is None or message.WhichOneof("body") != "hello":
            raise Refused("bad_hello", "the first message of a session must be a hello")
        return message.hello


class NoEnrolment(enrolment_pb2_grpc.EnrolmentServicer):
    """Answers that this collector issues no certificates."""

    async def Enrol(self, request: Any, context: Any) -> NoReturn:
        """Refuses."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this collector issues no certificates")
        raise AssertionError("abort never returns")

    Renew = Enrol


class Server:
    """A gRPC server with health and reflection; `add` registers further servicers on it."""

    def __init__(self, agents: AgentsServicer, add: Sequence[Callable[[Any], None]] = ()) -> None:
        self._server = grpc.aio.server(options=_OPTIONS, compression=grpc.Compression.NoCompression)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        session_pb2_grpc.add_AgentsServicer_to_server(agents, self._server)
        enrolment_pb2_grpc.add_EnrolmentServicer_to_server(NoEnrolment(), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for register in add:
            register(self._server)
        reflection.enable_server_reflection((*_SERVICES, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str, tls: TlsFiles | None, *, plaintext_beyond_loopback: bool) -> str:
        """Listens on host:port and gives the address with the real port; raises CannotListen."""
        if tls is None and not plaintext_beyond_loopback and not is_loopback(address.rpartition(":")[0]):
            raise CannotListen(
                f"{address} can be reached from beyond this machine and has no TLS: "
                "set listen.tls, or listen.plaintext_beyond_loopback to true"
            )
        try:
            port = self._bind(address, tls)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {address}: {error}") from error
        await self._server.start()
        for name in ("", *_SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return f"{address.rpartition(':')[0]}:{port}"

    def _bind(self, address: str, tls: TlsFiles | None) -> int:
        if tls is None:
            return int(self._server.add_insecure_port(address))
        return int(self._server.add_secure_port(address, credentials(tls)))

    async def stop(self, grace_s: float) -> None:
        """Says that it goes, and ends what still runs after the grace; safe twice."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


_SERVICES = (
    session_pb2.DESCRIPTOR.services_by_name["Agents"].full_name,
    query_pb2.DESCRIPTOR.services_by_name["Query"].full_name,
    enrolment_pb2.DESCRIPTOR.services_by_name["Enrolment"].full_name,
    health.SERVICE_NAME,
)


def credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    """Reads the files; raises CannotListen. Clients must show certificates where authorities are named."""
    certificate, key = _read(tls.certificate), _read(tls.key)
    try:
        # gRPC says of bad files only that it cannot bind.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, _no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        sentence = f"{tls.certificate} and {tls.key} are not a certificate and its key in PEM"
        raise CannotListen(sentence) from error
    authorities = _read(tls.client_authorities) if tls.client_authorities is not None else None
    return grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=authorities, require_client_auth=authorities is not None
    )


def _no_passphrase() -> str:
    raise ValueError("the key must not need a passphrase")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotListen(f"{path} cannot be read: {error.strerror}") from error
