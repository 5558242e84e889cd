"""Forgetting by the clock."""

import asyncio
from datetime import timedelta

import pytest

from faultline_collector.retention import expire_hourly
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import StoreError
from tests.collector.ingest.worlds import NOW_US


class Forgetful(MemoryStore):
    """Notes what it was told to forget; fails the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []

    def expire(self, before_us: int) -> int:
        """Notes the time."""
        self.told.append(before_us)
        if len(self.told) == 1:
            raise StoreError("the disk is gone")
        return 7


async def test_old_results_are_forgotten_each_hour() -> None:
    """At once and each hour the store forgets what is older than is kept, also after a failure."""
    store, slept = Forgetful(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await expire_hourly(store, lambda: timedelta(days=7), lambda: NOW_US, sleep)
    assert store.told == [NOW_US - 7 * 86_400_000_000] * 2
    assert slept == [3600, 3600]
