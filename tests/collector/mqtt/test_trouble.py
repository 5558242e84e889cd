"""The broker is killed, frozen, restarted and replaced under load: every result is stored exactly once."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from faultline import mqtt as module
from faultline_agent.uplinks.grpc import GrpcUplink
from faultline_agent.way import Way, parse_url
from tests.agent.stage import eventually
from tests.collector.mqtt.carried import Carried, uplink_of
from tests.collector.mqtt.sending import Sender
from tests.servers.mosquitto import Mosquitto

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def carried(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Carried]:
    """A collector at a broker of its own; nobody waits long for an answer."""
    for name, seconds in {"TIMEOUT_S": 0.5, "KEEPALIVE_S": 1}.items():
        monkeypatch.setattr(module, name, seconds)  # the reason for patching: a constant of time
    async with Carried(broker).running() as one:
        yield one


async def progress(carried: Carried, sender: Sender, count: int = 50) -> None:
    """Waits until the collector has taken so many results more of this agent."""
    source = next(iter(s for s in carried.rig.store.received() if s.agent_id == sender.agent_id), None)
    before = 0 if source is None else carried.rig.store.received()[source].count()

    def grown() -> bool:
        held = {s.agent_id: ranges.count() for s, ranges in carried.rig.store.received().items()}
        return held.get(sender.agent_id, 0) >= before + count

    await eventually(grown)


def replace(broker: Mosquitto) -> None:
    """All that it had kept is gone."""
    broker.stop()
    (broker.folder / "mosquitto.db").unlink()


TROUBLES: dict[str, Callable[[Mosquitto], None]] = {
    "killed": Mosquitto.kill,
    "restarted": Mosquitto.stop,
    "replaced": replace,
    "frozen": Mosquitto.freeze,
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_of_the_broker_loses_nothing_and_doubles_nothing(
    carried: Carried, tmp_path: Path, trouble: str
) -> None:
    """Twice in the middle of the stream; meanwhile both sides say so in one sentence."""
    broker, sender = carried.server, Sender("west-1", uplink_of(carried.server), tmp_path / "west-1")
    async with sender.running():
        for _ in range(2):
            await progress(carried, sender)
            TROUBLES[trouble](broker)
            await eventually(lambda: carried.broker.problem and sender.pump.link.problem)
            assert carried.broker.problem.startswith(f"broker 127.0.0.1:{broker.plain_port}: ")
            assert sender.pump.link.problem.startswith(f"broker 127.0.0.1:{broker.plain_port}: ")
            broker.thaw() if trouble == "frozen" else broker.start()
            await eventually(lambda: not carried.broker.problem)
        await progress(carried, sender)
    everything = list(range(1, sender.recorded + 1))
    assert carried.rig.stored() == everything
    assert sorted(carried.rig.judgement.sequences) == everything


async def test_agents_over_grpc_go_on_while_the_broker_is_away(carried: Carried, tmp_path: Path) -> None:
    """One collector takes both kinds at once; each result of either is stored once."""
    async with carried.beside() as address:
        way = Way(parse_url(f"grpc://{address}"), "east-1", "east-token")
        grpc = Sender("east-1", GrpcUplink.open(way), tmp_path / "east-1")
        mqtt = Sender("west-1", uplink_of(carried.server), tmp_path / "west-1")
        async with grpc.running(), mqtt.running():
            await progress(carried, grpc)
            await progress(carried, mqtt)
            assert carried.rig.count("faultline_sessions") == 2
            carried.server.kill()
            await eventually(lambda: carried.broker.problem and mqtt.pump.link.problem)
            await progress(carried, grpc)
            assert not grpc.pump.link.problem
            carried.server.start()
            await progress(carried, mqtt)
    held = {source.agent_id: list(runs) for source, runs in carried.rig.store.received().items()}
    assert held == {"east-1": [(1, grpc.recorded)], "west-1": [(1, mqtt.recorded)]}
    assert len(carried.rig.stored()) == grpc.recorded + mqtt.recorded
