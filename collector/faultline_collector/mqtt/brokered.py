"""All that goes by way of a broker: put together, run and ended."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from faultline_collector.api.answers import StateAnswer
from faultline_collector.fleet import Fleet
from faultline_collector.ingest.reception import Reception
from faultline_collector.metrics import Metrics
from faultline_collector.mqtt.broker import Broker
from faultline_collector.mqtt.carrier import Carrier
from faultline_collector.mqtt.events import Events
from faultline_collector.mqtt.settings import BrokerSettings


@dataclass(frozen=True, slots=True)
class Brokered:
    """The parts around one broker; without a broker, none."""

    broker: Broker | None = None
    carrier: Carrier | None = None
    events: Events | None = None

    @property
    def problem(self) -> str:
        """Why the broker cannot be reached, in one sentence; empty when it can, or when there is none."""
        return "" if self.broker is None else self.broker.problem

    async def run(self) -> None:
        """Runs for ever, or not at all without a broker."""
        parts = [part for part in (self.broker, self.carrier, self.events) if part is not None]
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part.run())

    async def stop(self, grace_s: float) -> None:
        """Lets sessions that have ended say so; safe twice."""
        if self.carrier is not None:
            await self.carrier.stop(grace_s)


def open_brokered(
    settings: BrokerSettings | None,
    reception: Reception,
    shown: Callable[[], tuple[StateAnswer | None, Fleet]],
    metrics: Metrics,
) -> Brokered:
    """Puts the parts together; raises BadConfig where the password cannot be read."""
    if settings is None:
        return Brokered()
    broker = Broker(settings.access(), metrics)
    carrier = Carrier(reception, broker, metrics, time.monotonic)
    return Brokered(broker, carrier, Events(broker, shown, metrics) if settings.events else None)
