"""Where the gRPC server listens, and what it offers to anyone."""

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from faultline.v1 import enrolment_pb2, enrolment_pb2_grpc
from faultline_collector.ingest.identity import Tokens
from faultline_collector.ingest.reception import Reception
from faultline_collector.ingest.server import AgentsServicer, CannotListen, Server
from tests.collector.ingest.serving import TOKENS, Registry, Served
from tests.collector.ingest.worlds import Rig


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server that does not listen yet."""
    rig = Rig()
    one = Server(
        AgentsServicer(
            Reception(rig.intake, rig.metrics, Registry(rig).refresh), Tokens(TOKENS.get, lambda: 0)
        )
    )
    yield one
    await one.stop(0)


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
async def test_plaintext_stays_on_this_machine(server: Server, address: str) -> None:
    """Without TLS nothing but loopback is listened on, unless a flag says so."""
    with pytest.raises(CannotListen, match="plaintext_beyond_loopback"):
        await server.start(address, None, plaintext_beyond_loopback=False)


async def test_a_flag_lets_plaintext_out(server: Server) -> None:
    """Whoever asks for it gets plaintext beyond loopback."""
    assert (await server.start("0.0.0.0:0", None, plaintext_beyond_loopback=True)).startswith("0.0.0.0:")


async def test_a_taken_port_is_a_sentence(served: Served, server: Server) -> None:
    """A port that someone else holds is told in one sentence."""
    with pytest.raises(CannotListen, match=f"cannot listen on {served.address}"):
        await server.start(served.address, None, plaintext_beyond_loopback=False)
