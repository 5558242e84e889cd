"""Tools, an authority, and a name server for the probes' tests; on uvloop, as the agent runs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress

import pytest
import uvloop
from pydantic import BaseModel, ValidationError

from faultline.problems import problems_of
from faultline_agent.probes.tools import ProbeTools, open_tools
from tests.agent.probes.certificates import Authority, make_authority
from tests.agent.probes.servers import NameServer

PATIENT_S = 20.0
"""A time limit that is not meant to be met."""


TOO_LONG = f"{'x' * 64}.example"
"""A host name with a label of 64 characters; 63 are allowed (RFC 1035)."""


def problems_with(model: type[BaseModel], settings: Mapping[str, object]) -> list[str]:
    """What is said of settings, a sentence each; none where they are good."""
    try:
        model.model_validate(settings)
    except ValidationError as error:
        return [str(problem) for problem in problems_of(error, model)]
    return []


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop on which the agent runs."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def tools() -> AsyncIterator[ProbeTools]:
    """Tools without named resolvers and without a policy."""
    async with open_tools() as opened:
        yield opened


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One authority for all tests."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    """A name server."""
    async with NameServer().running() as server:
        yield server


@pytest.fixture
async def resolving_tools(names: NameServer) -> AsyncIterator[ProbeTools]:
    """Tools that resolve through the name server."""
    async with open_tools((names.address,)) as opened:
        yield opened


@pytest.fixture(scope="session")
def six() -> str:
    """The IPv6 loopback address; skips where the kernel has none (in CI a failure: tests/skips.py)."""
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return "::1"
    pytest.skip("this machine has no IPv6 loopback")
