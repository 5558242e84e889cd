"""The gRPC server behind TLS."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import grpc
import grpc.aio
import pytest

from faultline.v1 import session_pb2
from faultline_collector.ingest.server import CannotListen, TlsFiles
from faultline_collector.lab.certificates import Authority
from tests.collector.ingest.serving import WEST, open_stream, serving
from tests.collector.ingest.worlds import Rig, hello, up


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signs."""
    return Authority(tmp_path)


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> TlsFiles:
    """A certificate for this machine, and its key in a file beside it."""
    certificate = authority.issue(tmp_path / "cert.pem", "collector", ["127.0.0.1"])
    return TlsFiles(certificate, Path(copy(certificate, tmp_path / "key.pem")))


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


async def test_tls_by_files(authority: Authority, files: TlsFiles) -> None:
    """With certificate and key the server speaks TLS to whoever trusts their authority, and nothing else."""
    async with serving(Rig(), tls=files) as served:
        good = grpc.ssl_channel_credentials(authority.file.read_bytes())
        async with grpc.aio.secure_channel(served.address, good) as channel:
            assert await greeted(channel)
        async with grpc.aio.secure_channel(served.address, grpc.ssl_channel_credentials()) as channel:
            assert not await greeted(channel)
        assert not await greeted(served.channel)


async def test_tls_with_clients_certificates(tmp_path: Path, authority: Authority, files: TlsFiles) -> None:
    """Where authorities of clients are named, a client without a certificate gets nowhere."""
    trusted = authority.file.read_bytes()
    own = authority.issue(tmp_path / "agent.pem", "west-1").read_bytes()
    bare, shown = grpc.ssl_channel_credentials(trusted), grpc.ssl_channel_credentials(trusted, own, own)
    async with serving(Rig(), tls=replace(files, client_authorities=authority.file)) as served:
        async with grpc.aio.secure_channel(served.address, bare) as channel:
            assert not await greeted(channel)
        async with grpc.aio.secure_channel(served.address, shown) as channel:
            assert await greeted(channel)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(lambda f: f.key.unlink(), "key.pem cannot be read: No such file", id="missing"),
        pytest.param(lambda f: f.key.write_text("nonsense"), "cert.pem and .*key.pem are not", id="garbage"),
        pytest.param(lambda f: f.certificate.write_text(""), "cert.pem and .*key.pem are not", id="empty"),
    ],
)
async def test_bad_tls_files_are_a_sentence(
    files: TlsFiles, spoil: Callable[[TlsFiles], Any], sentence: str
) -> None:
    """A file that cannot be used is named before anything listens."""
    spoil(files)
    with pytest.raises(CannotListen, match=sentence):
        async with serving(Rig(), tls=files):
            pass
