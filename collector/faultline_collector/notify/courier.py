"""The courier: takes notices from the outbox to receivers, a few at a time, each try with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import structlog

from faultline_collector.notify.fate import (
    Fate,
    Next,
    NotDelivered,
    after_failed_repeat,
    after_failure,
    after_success,
)
from faultline_collector.notify.notifiers import open_notifier
from faultline_collector.notify.notifiers.notifier import Notifier
from faultline_collector.notify.outbox import Delivery, Outbox
from faultline_collector.notify.settings import NotifySettings, ReceiverSettings
from faultline_collector.registry.database import RegistryError

_log = structlog.get_logger("notify")

AT_ONCE = 4
"""Tries that may be under way for one receiver."""

_TURN_S = 0.5
_SWEEP_S = 600.0
_RESTS_S = 30.0


@dataclass(slots=True, eq=False)
class Door:
    """A receiver: its notifier, the outages being told there now, and until when it is left alone."""

    settings: ReceiverSettings
    notifier: Notifier
    busy: set[str] = field(default_factory=set)
    rests_until_us: int = 0


class Courier:
    """Delivers at least once: what was under way when the process ended is tried again, under the same id."""

    def __init__(
        self,
        outbox: Outbox,
        settings: Callable[[], NotifySettings],
        now_us: Callable[[], int],
        waits: Callable[[str, int, float], None] = lambda receiver, many, oldest_s: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._now_us = now_us
        self._waits = waits
        self._sleep = sleep
        self._random = Random()
        self._seen: NotifySettings | None = None
        self._doors: dict[str, Door] = {}
        self._swept_us = 0

    async def run(self) -> None:
        """Delivers for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self.turn(tasks)
                    await self._sleep(_TURN_S)
        finally:
            await self._close()

    async def turn(self, tasks: asyncio.TaskGroup) -> None:
        """Starts what is due; a registry that does not answer leaves all for the next turn."""
        settings = self._settings()
        if settings is not self._seen:
            await self._refit(settings)
        try:
            await self._look_after(settings)
            for door in self._doors.values():
                for delivery in await self._due(door):
                    door.busy.add(delivery.notice.outage.id)
                    tasks.create_task(self._deliver(door, delivery))
        except RegistryError as error:
            _log.error("outbox cannot be read", error=str(error))

    async def _refit(self, settings: NotifySettings) -> None:
        """Opens notifiers anew where their settings changed."""
        old = self._doors
        self._doors = {}
        for receiver in settings.receivers:
            door = old.get(receiver.id)
            if door is None or door.settings != receiver:
                busy = set() if door is None else door.busy
                door = Door(receiver, open_notifier(receiver.kind, receiver.settings), busy)
            self._doors[receiver.id] = door
        for door in old.values():
            if door not in self._doors.values():
                await door.notifier.close()
            if door.settings.id not in self._doors:
                self._waits(door.settings.id, 0, 0.0)
        self._seen = settings
        self._swept_us = 0

    async def _look_after(self, settings: NotifySettings) -> None:
        now_us = self._now_us()
        if now_us >= self._swept_us + _SWEEP_S * 1e6:
            await asyncio.to_thread(self._outbox.sweep, settings, now_us)
            self._swept_us = now_us
        if not self._doors:
            return
        released = await asyncio.to_thread(self._outbox.release, settings, now_us)
        if released:
            _log.info("muted notices released", notices=released)
        waiting = await asyncio.to_thread(self._outbox.waiting)
        for receiver in self._doors:
            many, oldest_us = waiting.get(receiver, (0, now_us))
            self._waits(receiver, many, (now_us - oldest_us) / 1e6)

    async def _due(self, door: Door) -> tuple[Delivery, ...]:
        now_us, room = self._now_us(), AT_ONCE - len(door.busy)
        if room <= 0 or now_us < door.rests_until_us:
            return ()
        found = await asyncio.to_thread(self._outbox.due, door.settings.id, now_us, room, door.busy)
        first: dict[str, Delivery] = {}
        for delivery in found:
            first.setdefault(delivery.notice.outage.id, delivery)
        return tuple(first.values())

    async def _deliver(self, door: Door, delivery: Delivery) -> None:
        try:
            found = await self._try(door, delivery)
            if found.said and (delivery.fate is Fate.WAITING or found.said != delivery.said):
                _log.warning(
                    "notice not delivered",
                    receiver=delivery.receiver,
                    notice=delivery.notice.id,
                    error=found.said,
                    gives_up=found.fate is Fate.FAILED,
                )
            await asyncio.to_thread(self._outbox.mark, delivery, found, self._now_us())
        except RegistryError as error:
            # Sent perhaps, but nobody could note it: it will be sent again, not in every turn.
            _log.error("outbox cannot be written", error=str(error))
            door.rests_until_us = self._now_us() + round(_RESTS_S * 1e6)
        finally:
            door.busy.discard(delivery.notice.outage.id)

    async def _try(self, door: Door, delivery: Delivery) -> Next:
        timeout_s = door.settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(timeout_s):
                await door.notifier.deliver(delivery.notice, self._now_us())
        except TimeoutError:
            return self._failed(door, delivery, NotDelivered(f"no answer within {timeout_s:g} s"))
        except NotDelivered as error:
            return self._failed(door, delivery, error)
        except Exception as error:  # a bug in a notifier must not end the collector
            _log.exception("notifier failed", receiver=delivery.receiver)
            return self._failed(door, delivery, NotDelivered(f"the notifier failed: {type(error).__name__}"))
        return after_success(delivery.notice.kind, self._now_us(), door.notifier.repeat_s)

    def _failed(self, door: Door, delivery: Delivery, error: NotDelivered) -> Next:
        now_us = self._now_us()
        door.rests_until_us = max(door.rests_until_us, now_us + round(error.pause_s * 1e6))
        if delivery.fate is Fate.SENT:
            return after_failed_repeat(error, now_us, self._random)
        give_up_s = door.settings.give_up.total_seconds()
        return after_failure(error, delivery.tries + 1, delivery.made_us, now_us, give_up_s, self._random)

    async def _close(self) -> None:
        for door in self._doors.values():
            await door.notifier.close()
