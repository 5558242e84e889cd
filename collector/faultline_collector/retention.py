"""What a store has to do as time passes: roll-ups of what came, and forgetting what was kept long enough."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

import structlog

from faultline_collector.stores.store import Store, StoreError

_log = structlog.get_logger("collector")

_MINUTE_S = 60.0


class Kept(NamedTuple):
    """How long what is kept."""

    raw: timedelta
    rollups: timedelta


async def keep_up(
    store: Store,
    kept: Callable[[], Kept],
    now_us: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Has the store do its upkeep, at once and each minute after, piece by piece while there is more."""
    while True:
        try:
            upkeep = await asyncio.to_thread(store.upkeep, *_limits(kept(), now_us()))
        except StoreError as error:
            _log.error("store does not keep up", error=str(error))
            await sleep(_MINUTE_S)
            continue
        if upkeep.dropped:
            _log.info("old results forgotten", days=upkeep.dropped)
        await sleep(0 if upkeep.more else _MINUTE_S)


def _limits(kept: Kept, now_us: int) -> tuple[int, int]:
    microsecond = timedelta(microseconds=1)
    return now_us - kept.raw // microsecond, now_us - kept.rollups // microsecond
