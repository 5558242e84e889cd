"""What only the uplink over gRPC does."""

import asyncio
import datetime
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc import aio

from faultline.v1 import session_pb2, session_pb2_grpc
from faultline_agent.uplinks import grpc as module
from faultline_agent.uplinks.grpc import GrpcUplink
from faultline_agent.uplinks.uplink import UplinkError
from faultline_agent.way import Tls, Way, parse_url
from tests.agent.uplinks.collectors import GrpcEnd, grpc_end, hello


def uplink_to(url: str, tls: Tls | None = None) -> GrpcUplink:
    """An uplink to a URL."""
    return GrpcUplink.open(Way(parse_url(url), "agent", "secret", tls or Tls()))


async def test_identity_travels_as_metadata() -> None:
    """The token as a bearer's, and whose it is."""
    async with grpc_end() as end:
        session = await end.uplink.connect(hello())
        assert end.metadata["authorization"] == "Bearer secret"
        assert end.metadata["faultline-agent-id"] == "agent"
        await session.close()


def test_token_hides_in_repr() -> None:
    """It must not get into a log."""
    assert "secret" not in repr(Way(parse_url("grpc://127.0.0.1:1"), "agent", "secret"))


async def test_port_where_nobody_listens_is_a_transient_error() -> None:
    """With the address in its sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        uplink = uplink_to(f"grpc://127.0.0.1:{port}")
        with pytest.raises(UplinkError, match=f"collector 127.0.0.1:{port}: unavailable") as raised:
            await uplink.connect(hello())
        assert not raised.value.permanent
        await uplink.close()


async def test_collector_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that never answers costs the deadline, not for ever."""
    monkeypatch.setattr(module, "CONNECT_S", 0.2)  # the reason for patching: a constant of time
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uplink = uplink_to(f"grpc://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(UplinkError, match="no answer within") as raised:
            await uplink.connect(hello())
        assert not raised.value.permanent
        await uplink.close()


async def test_something_else_than_a_welcome_is_an_error() -> None:
    """A collector must answer Hello first."""
    async with grpc_end() as end:
        end.first = session_pb2.CollectorMessage(drain=session_pb2.Drain())
        uplink = end.uplink
        with pytest.raises(UplinkError, match="answered Hello with 'drain'"):
            await uplink.connect(hello())
        await uplink.close()


async def test_order_of_a_newer_collector_is_passed_over() -> None:
    """The wire may grow."""
    async with grpc_end() as end:
        uplink = end.uplink
        session = await uplink.connect(hello())
        for says in end._says:
            says.put_nowait(session_pb2.CollectorMessage())
        await end.end()
        assert [order async for order in session.orders()] == []
        await session.close()
        await uplink.close()


async def test_cancelled_connection_attempt_leaves_nothing_open() -> None:
    """The agent may be stopped while it connects."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uplink = uplink_to(f"grpc://127.0.0.1:{silent.getsockname()[1]}")
        connecting = asyncio.create_task(uplink.connect(hello()))
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await uplink.close()


@dataclass(frozen=True)
class Files:
    """A certificate made for a test."""

    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A certificate of 127.0.0.1 that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "collector")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Files(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


async def test_tls_with_certificates_on_both_sides(files: Files) -> None:
    """The collector asks for the agent's certificate; without the authority nothing is trusted."""
    end, server = GrpcEnd(), aio.server()
    session_pb2_grpc.add_AgentsServicer_to_server(end, server)
    pair = (files.key.read_bytes(), files.certificate.read_bytes())
    credentials = grpc.ssl_server_credentials(
        [pair], files.certificate.read_bytes(), require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        good = uplink_to(f"grpcs://127.0.0.1:{port}", Tls(files.certificate, files.certificate, files.key))
        session = await good.connect(hello())
        assert session.welcome.version == "grpc"
        await session.close()
        await good.close()
        stranger = uplink_to(f"grpcs://127.0.0.1:{port}")
        with pytest.raises(UplinkError, match="unavailable"):
            await stranger.connect(hello())
        await stranger.close()
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nowhere/ca.pem", "reading /nowhere/ca.pem: No such file"),
        ("/etc/passwd", "/etc/passwd cannot be used"),
    ],
)
async def test_certificate_file_that_cannot_be_used_stops_with_a_sentence(path: str, said: str) -> None:
    """Trying again does not mend it."""
    uplink = uplink_to("grpcs://127.0.0.1:1", Tls(authorities=Path(path)))
    with pytest.raises(UplinkError, match=said) as raised:
        await uplink.connect(hello())
    assert raised.value.permanent
