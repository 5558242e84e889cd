"""The collector's carrier at a real broker, with all of ingest behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from faultline.backoff import Backoff
from faultline.mqtt import Access
from faultline_agent.uplinks.mqtt import MqttUplink
from faultline_agent.way import Way, parse_url
from faultline_collector.ingest.identity import Tokens
from faultline_collector.ingest.reception import Reception
from faultline_collector.ingest.server import AgentsServicer, Server
from faultline_collector.mqtt.broker import Broker
from faultline_collector.mqtt.carrier import Carrier
from tests.collector.ingest.serving import TOKENS
from tests.collector.ingest.worlds import Rig
from tests.servers.mosquitto import COLLECTOR, Mosquitto

QUICK = Backoff(first_s=0.02, most_s=0.05)


def access_of(server: Mosquitto, user: str = COLLECTOR) -> Access:
    """What a user needs to come in by the plaintext listener."""
    return Access(server.host, server.plain_port, user, server.password(user))


def uplink_of(server: Mosquitto, agent_id: str = "west-1") -> MqttUplink:
    """An agent's way there."""
    url = f"mqtt://{server.host}:{server.plain_port}"
    return MqttUplink.open(Way(parse_url(url), agent_id, server.password(agent_id)))


@dataclass
class Seconds:
    """A clock that is set by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.now


@dataclass
class Carried:
    """A rig, and agents that come to it by a broker."""

    server: Mosquitto
    user: str = COLLECTOR
    rig: Rig = field(default_factory=Rig)
    clock: Seconds = field(default_factory=Seconds)
    refreshed: int = 0

    def __post_init__(self) -> None:
        self.broker = Broker(access_of(self.server, self.user), self.rig.metrics, backoff=QUICK)
        reception = Reception(self.rig.intake, self.rig.metrics, self._refresh)
        self.carrier = Carrier(reception, self.broker, self.rig.metrics, self.clock)

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[str]:
        """The same collector's gRPC server; gives its address."""
        tokens = Tokens(TOKENS.get, lambda: 0.0)
        reception = Reception(self.rig.intake, self.rig.metrics, self._refresh)
        server = Server(AgentsServicer(reception, tokens))
        try:
            yield await server.start("127.0.0.1:0", None, plaintext_beyond_loopback=False)
        finally:
            await server.stop(0)

    async def _refresh(self) -> None:
        self.refreshed += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Carried"]:
        """Runs writer, broker and carrier; returns once it is connected."""
        parts = (self.rig.writer.run(), self.broker.run(), self.carrier.run())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            async with asyncio.timeout(30):
                while self.broker.problem:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.005)
            yield self
        finally:
            self.rig.intake.drain()
            await self.carrier.stop(1.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
