"""Agents' sessions over a real broker, from the agent's uplink to the store."""

from collections.abc import AsyncIterator

import pytest

from faultline.ranges import Ranges
from faultline_agent.uplinks.uplink import Ack, Assignment, Hello
from faultline_agent.uplinks.wire import encode_batch
from tests.agent.stage import eventually, result
from tests.agent.uplinks.test_contract import heartbeat, next_order
from tests.collector.ingest.worlds import NOW_US
from tests.collector.mqtt.carried import Carried, uplink_of
from tests.servers.mosquitto import Mosquitto


@pytest.fixture
async def carried(mosquitto: Mosquitto) -> AsyncIterator[Carried]:
    """A collector that agents reach by the broker of the module."""
    async with Carried(mosquitto).running() as one:
        yield one


def hello(agent_id: str = "west-1", unacknowledged: Ranges | None = None) -> Hello:
    """An agent's introduction."""
    return Hello(agent_id, "boot", "spool-1", "0.1.0", "", NOW_US, unacknowledged or Ranges(), ("tcp",))


async def test_results_are_stored_and_acknowledged(carried: Carried) -> None:
    """Welcome, assignment, results, acknowledgement: as over gRPC."""
    uplink = uplink_of(carried.server)
    session = await uplink.connect(hello())
    orders = session.orders()
    assert isinstance(await next_order(orders), Assignment)
    await session.send_batch(encode_batch([result()] * 3, 1), live=True)
    assert await next_order(orders) == Ack(Ranges([(1, 3)]))
    assert carried.rig.stored() == [1, 2, 3]
    await session.send_heartbeat(heartbeat())
    assert (await next_order(orders)) == Ack(Ranges(), {}, 77)
    await session.close()
    await eventually(lambda: carried.rig.count("faultline_sessions") == 0)
    again = await uplink.connect(hello(unacknowledged=Ranges([(2, 5)])))
    assert (again.welcome.held, again.welcome.highest_sequence) == (Ranges([(2, 3)]), 3)
    await uplink.close()
