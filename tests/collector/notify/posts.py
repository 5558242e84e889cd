"""A post office: a registry, its outbox, and couriers that come and go."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultline_collector.notify.courier import Courier
from faultline_collector.notify.outbox import Outbox
from faultline_collector.notify.settings import NotifySettings
from faultline_collector.outages import Outage
from faultline_collector.registry.registry import Registry
from tests.collector.notify.receivers import Receiver
from tests.collector.notify.worlds import FLEET, settings


def now_us() -> int:
    """The present."""
    return time.time_ns() // 1000


@dataclass
class Post:
    """A registry, its outbox, and couriers that come and go."""

    place: Path
    settings: NotifySettings = field(default_factory=settings)
    waits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registry = Registry(f"sqlite:///{self.place}/registry.db")
        self.outbox = Outbox(self.registry.engine)
        self.registry.steps.append(
            lambda session, before, after: self.outbox.take(
                session, before, after, fleet=FLEET, settings=self.settings, now_us=now_us()
            )
        )

    def tell(self, *receivers: Receiver, **more: Any) -> None:
        """Has these receivers told, by webhooks."""
        (self.place / "secret").write_text("secret")
        self.settings = settings(
            receivers=[
                {"id": f"r{i}", "kind": "webhook", "url": one.url, "secret_file": str(self.place / "secret")}
                | more
                for i, one in enumerate(receivers)
            ]
        )

    def keep(self, *outages: Outage) -> None:
        """Keeps outages one after another."""
        for outage in outages:
            self.registry.save_outages([outage])

    @asynccontextmanager
    async def courier(self) -> AsyncIterator[Courier]:
        """A courier at work; it is cut off at the end, as by a kill."""
        courier = Courier(
            self.outbox,
            lambda: self.settings,
            now_us,
            lambda r, many, _: self.waits.update({r: many}),
            self._sleep,
        )
        task = asyncio.create_task(courier.run())
        try:
            yield courier
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)

    def fates(self) -> list[str]:
        """What became of everything, oldest first."""
        return [d.fate.value for d in self.outbox.deliveries()[::-1]]


async def until(true: Callable[[], bool], seconds: float = 55) -> None:
    """Waits until something is true; fails after a while."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
