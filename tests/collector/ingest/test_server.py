"""The gRPC server on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from faultline.columns import MAX_MESSAGE_BYTES
from faultline.ranges import Ranges
from faultline.v1 import enrolment_pb2, enrolment_pb2_grpc, results_pb2, session_pb2, session_pb2_grpc
from faultline_collector.fleet import Agent, Fleet
from faultline_collector.ingest.identity import Tokens
from faultline_collector.ingest.server import (
    AgentsServicer,
    CannotListen,
    Server,
    TlsFiles,
    is_loopback,
)
from faultline_collector.ingest.writer import Limits
from tests.collector.ingest.worlds import FLEET, NOW_US, Rig, SlowStore, batch, hello, pairs, up

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
    server = Server(AgentsServicer(rig.intake, tokens, rig.metrics, registry.refresh))
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


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A served rig with a memory store."""
    async with serving(Rig()) as one:
        yield one


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


async def test_a_session_stores_and_acknowledges(served: Served) -> None:
    """Over a real stream results come in, are stored, and are acknowledged."""
    call = await served.session()
    await call.write(up(batch(1, 5)))
    await call.write(up(session_pb2.Heartbeat(clock_us=NOW_US, well=True)))
    told = await rest(call)
    assert acknowledged(told) == [(1, 5)]
    assert NOW_US in {message.ack.heartbeat_clock_us for message in told}
    assert served.rig.stored() == [1, 2, 3, 4, 5]
    assert served.rig.judgement.contacts == [("west-1", True)]


async def test_an_unknown_token_is_refused(served: Served) -> None:
    """Who is not in the registry is told so, and counted."""
    assert await refusal(served.call("guess")) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "the token is not that of any agent in the registry",
    )
    assert served.rig.count("faultline_refused_sessions_total", reason="token") == 1


async def test_another_agents_token_is_refused(served: Served) -> None:
    """An agent speaks for itself only."""
    call = served.call("east-token")
    await call.write(up(hello("west-1")))
    assert await refusal(call) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "the token belongs to another agent than 'west-1'",
    )


async def test_another_protocol_is_refused(served: Served) -> None:
    """An agent of another protocol is told both versions."""
    call = served.call()
    await call.write(up(hello(protocol=2)))
    assert await refusal(call) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "the agent speaks protocol 2, this collector speaks 1",
    )


BAD_BEGINNINGS: dict[str, tuple[Any, str]] = {
    "batch": (batch(), "the first message of a session must be a hello"),
    "no-spool": (hello(spool_id=""), "the hello names no spool_id"),
}


@pytest.mark.parametrize(("said", "sentence"), BAD_BEGINNINGS.values(), ids=BAD_BEGINNINGS.keys())
async def test_a_bad_beginning_is_refused(served: Served, said: Any, sentence: str) -> None:
    """A session begins with a good hello or not at all."""
    call = served.call()
    await call.write(up(said))
    assert await refusal(call) == (grpc.StatusCode.INVALID_ARGUMENT, sentence)


async def test_a_second_hello_ends_the_session(served: Served) -> None:
    """What does not belong there is answered with a sentence."""
    call = await served.session()
    await call.write(up(hello()))
    assert await refusal(call) == (grpc.StatusCode.INVALID_ARGUMENT, "a second hello in one session")


async def test_an_agent_that_was_just_added_is_known() -> None:
    """A token of an agent that the fleet does not know yet makes the collector look again."""
    rig = Rig()
    registry = Registry(rig)
    async with serving(rig, registry) as served:
        assert await refusal(served.call("north-token")) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "agent 'north-1' is not in the registry",
        )
        registry.fleet = replace(FLEET, agents=(*FLEET.agents, Agent("north-1", "west", "IN", 64500)))
        await served.session("north-token")


async def test_a_broken_registry_is_worth_another_try() -> None:
    """A registry that does not answer refuses nobody for good."""
    rig = Rig()
    async with serving(rig, Registry(rig, broken=True)) as served:
        assert await refusal(served.call()) == (
            grpc.StatusCode.UNAVAILABLE,
            "the registry does not answer, try again",
        )


async def test_a_message_beyond_the_bound_ends_the_stream_and_not_the_server(served: Served) -> None:
    """A message that is too large costs its sender the stream."""
    call = await served.session()
    await call.write(up(batch(1, 1, details=["x" * MAX_MESSAGE_BYTES], detail=[1])))
    code, _ = await refusal(call)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    again = await served.session()
    await again.write(up(batch(1, 1)))
    assert acknowledged(await rest(again)) == [(1, 1)]


async def test_garbage_is_rejected_while_the_stream_lives(served: Served) -> None:
    """Bad batches between good ones are acknowledged with reasons, and the good ones are stored."""
    call = await served.session()
    for message in (
        batch(1, 2),
        batch(3, 2, outcome=[1]),
        batch(5, 2, target_ids=["mine"]),
        results_pb2.Batch(),
        batch(7, 20_000),
        batch(20_007, 1),
    ):
        await call.write(up(message))
    told = await rest(call)
    reasons = {(r.reason, r.count) for message in told for r in message.ack.rejected}
    assert reasons >= {("unknown_target", 2), ("oversize", 20_000)}
    assert {s for first, last in acknowledged(told) for s in range(first, last + 1)} == set(range(1, 20_008))
    assert served.rig.stored() == [1, 2, 20_007]


async def test_a_resend_after_a_break_is_recognised(served: Served) -> None:
    """An agent that lost its stream before the acknowledgement sends again, and nothing is stored twice."""
    call = await served.session()
    await call.write(up(batch(1, 4)))
    call.cancel()
    again = await served.session(unacknowledged=[results_pb2.Range(first=1, last=6)])
    await again.write(up(batch(3, 4)))
    await again.write(up(batch(1, 4)))
    assert acknowledged(await rest(again)) == [(1, 6)]
    assert served.rig.stored() == [1, 2, 3, 4, 5, 6]


async def test_the_newer_of_two_sessions_wins(served: Served) -> None:
    """A second session of one agent ends the first with a sentence."""
    older = await served.session()
    newer = await served.session(boot_id="boot-2")
    assert await refusal(older) == (grpc.StatusCode.ABORTED, "a newer session of this agent has begun")
    await newer.write(up(batch(1, 1)))
    assert acknowledged(await rest(newer)) == [(1, 1)]


async def test_nothing_is_acknowledged_before_it_is_durable() -> None:
    """While the store is busy the agent is told nothing of its results."""
    store = SlowStore()
    store.gate.clear()
    async with serving(Rig(store=store)) as served:
        call = await served.session()
        await call.write(up(batch(1, 4)))
        await call.write(up(session_pb2.Heartbeat(clock_us=NOW_US)))
        answer = await call.read()
        assert (pairs(answer.ack.durable), answer.ack.heartbeat_clock_us) == ([], NOW_US)
        store.gate.set()
        assert acknowledged(await rest(call)) == [(1, 4)]


async def test_a_sender_is_held_back_while_the_store_is_behind() -> None:
    """What the collector holds stays bounded whatever is sent, and all arrives in the end."""
    store = SlowStore()
    store.gate.clear()
    rig = Rig(store=store, limits=Limits(waiting=2_000, gather_s=0))
    async with serving(rig) as served:
        call = await served.session()
        sending = asyncio.create_task(send(call, (batch(1 + 1_000 * i, 1_000) for i in range(100))))
        await asyncio.wait([sending], timeout=1)
        assert rig.writer.waiting < 3_000
        store.gate.set()
        await sending
        assert acknowledged(await rest(call)) == [(1, 100_000)]
    assert len(rig.judgement.sequences) == 100_000


async def send(call: Any, batches: Any) -> None:
    """Sends one batch after another."""
    for one in batches:
        await call.write(up(one))


async def test_a_removed_agent_is_sent_away(served: Served) -> None:
    """Whoever leaves the registry loses the session."""
    call = await served.session()
    served.rig.intake.refit(replace(FLEET, agents=FLEET.agents[:1]))
    assert await refusal(call) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "this agent is no longer in the registry",
    )


async def test_agents_are_told_to_come_back_when_the_collector_stops(served: Served) -> None:
    """A stopping collector drains its sessions with a sentence."""
    call = await served.session()
    served.rig.intake.drain()
    (message,) = await everything(call)
    assert (message.drain.reason, message.drain.after_us) == ("the collector is stopping", 1_000_000)


async def test_health_is_answered(served: Served) -> None:
    """Anyone may ask whether the collector serves, as a whole and by service."""
    stub = health_pb2_grpc.HealthStub(served.channel)
    for service in ("", "faultline.v1.Agents", "faultline.v1.Query"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_services(served: Served) -> None:
    """Tools that know nothing of Faultline find its services."""
    stub = reflection_pb2_grpc.ServerReflectionStub(served.channel)
    call = stub.ServerReflectionInfo(timeout=30)
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    names = {one.name for one in answer.list_services_response.service}
    assert names >= {"faultline.v1.Agents", "faultline.v1.Query", "faultline.v1.Enrolment"}
    await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="faultline.v1.Agents"))
    assert (await call.read()).file_descriptor_response.file_descriptor_proto
    call.cancel()


async def test_enrolment_is_not_offered(served: Served) -> None:
    """A collector that issues no certificates says so."""
    stub = enrolment_pb2_grpc.EnrolmentStub(served.channel)
    with pytest.raises(grpc.aio.AioRpcError, match="issues no certificates") as caught:
        await stub.Enrol(enrolment_pb2.EnrolRequest(), timeout=30)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:0", "collector.example:0", "[::]:0"])
async def test_plaintext_stays_on_this_machine(address: str) -> None:
    """Without TLS nothing but loopback is listened on, unless a flag says so."""
    rig = Rig()
    server = Server(
        AgentsServicer(rig.intake, Tokens(TOKENS.get, lambda: 0), rig.metrics, Registry(rig).refresh)
    )
    with pytest.raises(CannotListen, match="plaintext_beyond_loopback"):
        await server.start(address, None, plaintext_beyond_loopback=False)
    await server.stop(0)


async def test_a_flag_lets_plaintext_out() -> None:
    """Whoever asks for it gets plaintext beyond loopback."""
    rig = Rig()
    server = Server(
        AgentsServicer(rig.intake, Tokens(TOKENS.get, lambda: 0), rig.metrics, Registry(rig).refresh)
    )
    assert (await server.start("0.0.0.0:0", None, plaintext_beyond_loopback=True)).startswith("0.0.0.0:")
    await server.stop(0)


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.8.8.8:1", True), ("localhost:1", True), ("[::1]:1", True), ("10.0.0.1:1", False), ("x:1", False)],
)
def test_loopback_is_told_from_the_rest(address: str, local: bool) -> None:
    """Only what no other machine can reach is loopback."""
    assert is_loopback(address) is local


async def test_a_taken_port_is_a_sentence(served: Served) -> None:
    """A port that someone else holds is told in one sentence."""
    rig = Rig()
    server = Server(
        AgentsServicer(rig.intake, Tokens(TOKENS.get, lambda: 0), rig.metrics, Registry(rig).refresh)
    )
    with pytest.raises(CannotListen, match=f"cannot listen on {served.address}"):
        await server.start(served.address, None, plaintext_beyond_loopback=False)
    await server.stop(0)


@dataclass(frozen=True)
class Papers:
    """An authority, and certificates that it signed for this machine."""

    authority: Path
    certificate: Path
    key: Path

    @property
    def files(self) -> TlsFiles:
        """What a server needs."""
        return TlsFiles(self.certificate, self.key)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Fresh certificates."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _signed("authority", authority_key, "authority", authority_key, is_authority=True)
    certificate = _signed("collector", key, "authority", authority_key, is_authority=False)
    made = Papers(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


async def greeted(channel: Any) -> bool:
    """Whether a session can be opened over the channel."""
    call = open_stream(channel, WEST)
    try:
        await call.write(up(hello()))
        message = await call.read()
    except grpc.aio.AioRpcError:
        return False
    finally:
        call.cancel()
    return isinstance(message, session_pb2.CollectorMessage)


async def test_tls_by_files(papers: Papers) -> None:
    """With certificate and key the server speaks TLS to whoever trusts their authority, and nothing else."""
    async with serving(Rig(), tls=papers.files) as served:
        good = grpc.ssl_channel_credentials(papers.authority.read_bytes())
        async with grpc.aio.secure_channel(served.address, good) as channel:
            assert await greeted(channel)
        async with grpc.aio.secure_channel(served.address, grpc.ssl_channel_credentials()) as channel:
            assert not await greeted(channel)
        assert not await greeted(served.channel)


async def test_tls_with_clients_certificates(papers: Papers) -> None:
    """Where authorities of clients are named, a client without a certificate gets nowhere."""
    files = replace(papers.files, client_authorities=papers.authority)
    bare = grpc.ssl_channel_credentials(papers.authority.read_bytes())
    shown = grpc.ssl_channel_credentials(
        papers.authority.read_bytes(), papers.key.read_bytes(), papers.certificate.read_bytes()
    )
    async with serving(Rig(), tls=files) as served:
        async with grpc.aio.secure_channel(served.address, bare) as channel:
            assert not await greeted(channel)
        async with grpc.aio.secure_channel(served.address, shown) as channel:
            assert await greeted(channel)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(lambda p: p.key.unlink(), "key.pem cannot be read: No such file", id="missing"),
        pytest.param(lambda p: p.key.write_text("nonsense"), "cert.pem and .*key.pem are not", id="garbage"),
        pytest.param(lambda p: p.certificate.write_text(""), "cert.pem and .*key.pem are not", id="empty"),
    ],
)
async def test_bad_tls_files_are_a_sentence(
    papers: Papers, spoil: Callable[[Papers], Any], sentence: str
) -> None:
    """A file that cannot be used is named before anything listens."""
    spoil(papers)
    with pytest.raises(CannotListen, match=sentence):
        async with serving(Rig(), tls=papers.files):
            pass
