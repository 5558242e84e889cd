"""Forgetting by the clock."""

import asyncio
from datetime import timedelta

import pytest

from faultline_collector.retention import Kept, keep_up
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import StoreError, Upkeep
from tests.collector.ingest.worlds import NOW_US

DAY_US = 86_400_000_000


class Forgetful(MemoryStore):
    """Notes what it was told to forget; fails the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, int]] = []

    def upkeep(self, raw_before_us: int, rollups_before_us: int) -> Upkeep:
        """Notes the times; the second piece leaves some for a third."""
        self.told.append((raw_before_us, rollups_before_us))
        if len(self.told) == 1:
            raise StoreError("the disk is gone")
        return Upkeep(dropped=7, more=len(self.told) == 2)


async def test_the_store_keeps_up_each_minute() -> None:
    """At once, each minute, at once again while there is more, and also after a failure."""
    store, slept = Forgetful(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keep_up(store, lambda: Kept(timedelta(days=7), timedelta(days=400)), lambda: NOW_US, sleep)
    assert store.told == [(NOW_US - 7 * DAY_US, NOW_US - 400 * DAY_US)] * 3
    assert slept == [60, 0, 60]
