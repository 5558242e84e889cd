"""A process that does nothing but deliver: `python -m tests.collector.notify.deliverer REGISTRY SETTINGS`."""

import asyncio
import json
import sys
import time

from faultline.config import parse_data
from faultline_collector.notify.courier import Courier
from faultline_collector.notify.outbox import Outbox
from faultline_collector.notify.settings import NotifySettings
from faultline_collector.registry.database import open_engine


async def main(url: str, text: str) -> None:
    """Delivers until it is killed."""
    settings = parse_data(json.loads(text), NotifySettings, "arguments")
    courier = Courier(Outbox(open_engine(url)), lambda: settings, lambda: time.time_ns() // 1000)
    await courier.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
