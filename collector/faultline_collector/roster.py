"""The fleet at work, kept in step with the registry and the configuration."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from faultline.config import BadConfig
from faultline_collector.config import CollectorConfig, load_config
from faultline_collector.fleet import Fleet
from faultline_collector.registry.database import RegistryError

_log = structlog.get_logger("collector")

_LOOK_AGAIN_S = 15.0
_AT_START_ONLY = ("store", "influxdb", "registry", "listen", "broker", "correlation")


class FleetBook(Protocol):
    """Where the fleet is kept."""

    def fleet(self) -> Fleet:
        """Everything that is known of agents and targets now."""

    def apply(self, config: CollectorConfig) -> None:
        """Makes the fleet what the configuration says; agents stay."""


class Roster:
    """Tells `changed` of every new fleet: after a reload, and when agents were added or removed."""

    def __init__(self, book: FleetBook, config: CollectorConfig, path: Path, fleet: Fleet) -> None:
        self.fleet = fleet
        self.config = self._started = config
        self.changed: list[Callable[[Fleet], None]] = []
        self._book = book
        self._path = path
        self._one_at_a_time = asyncio.Lock()

    async def refresh(self) -> None:
        """Reads the fleet again; a registry that does not answer leaves all as it is."""
        async with self._one_at_a_time:
            try:
                fleet = await asyncio.to_thread(self._book.fleet)
            except RegistryError as error:
                _log.error("registry does not give the fleet", error=str(error))
                return
            if fleet != self.fleet:
                self.fleet = fleet
                _log.info("fleet changed", agents=len(fleet.agents), targets=len(fleet.targets))
                for tell in self.changed:
                    tell(fleet)

    async def reload(self) -> None:
        """Reads the configuration again: takes over all of a valid one, and nothing of another."""
        try:
            config = await asyncio.to_thread(load_config, self._path)
            await asyncio.to_thread(self._book.apply, config)
        except (BadConfig, RegistryError) as error:
            _log.error("configuration is not taken over", problems=str(error))
            return
        later = [name for name in _AT_START_ONLY if getattr(config, name) != getattr(self._started, name)]
        self.config = config
        _log.info("configuration taken over", after_a_restart=later)
        await self.refresh()

    async def reload_on(self, again: asyncio.Event) -> None:
        """Reloads each time that `again` is set."""
        while True:
            await again.wait()
            again.clear()
            await self.reload()

    async def keep(self) -> None:
        """Looks at the registry again and again, for other processes add agents."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN_S)
            await self.refresh()
