"""Forgetting what is older than the configuration keeps."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from faultline_collector.stores.store import Store, StoreError

_log = structlog.get_logger("collector")

_HOUR_S = 3600.0


async def expire_hourly(
    store: Store,
    keep: Callable[[], timedelta],
    now_us: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Drops whole days that ended longer ago than `keep`, at once and each hour after."""
    while True:
        before_us = now_us() - keep() // timedelta(microseconds=1)
        try:
            results = await asyncio.to_thread(store.expire, before_us)
        except StoreError as error:
            _log.error("store does not forget", error=str(error))
        else:
            if results:
                _log.info("old results forgotten", results=results)
        await sleep(_HOUR_S)
