"""One collector for each kind of uplink."""

from collections.abc import AsyncIterator

import pytest

from faultline import mqtt
from tests.agent.uplinks.brokered import mqtt_end
from tests.agent.uplinks.collectors import FarEnd, MemoryEnd, grpc_end


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no broken broker."""
    monkeypatch.setattr(mqtt, "TIMEOUT_S", 30.0)  # the reason for patching: a constant of time


@pytest.fixture(params=["memory", "grpc", "mqtt"])
async def far_end(request: pytest.FixtureRequest) -> AsyncIterator[FarEnd]:
    """The collector at the other end of every kind of uplink."""
    if request.param == "memory":
        yield MemoryEnd()
    elif request.param == "mqtt":
        async with mqtt_end(request.getfixturevalue("mosquitto")) as end:
            yield end
    else:
        async with grpc_end() as end:
            yield end
