"""One collector for each kind of uplink."""

from collections.abc import AsyncIterator

import pytest

from tests.agent.uplinks.collectors import FarEnd, MemoryEnd, grpc_end


@pytest.fixture(params=["memory", "grpc"])
async def far_end(request: pytest.FixtureRequest) -> AsyncIterator[FarEnd]:
    """The collector at the other end of every kind of uplink."""
    if request.param == "memory":
        yield MemoryEnd()
    else:
        async with grpc_end() as end:
            yield end
