"""What agents last said of themselves, kept in the registry so that a restart does not forget it."""

import asyncio
from collections.abc import Iterable
from typing import NoReturn, Protocol

import structlog

from faultline_collector.presence import Presence, Presences, Sighting
from faultline_collector.registry.database import RegistryError

_log = structlog.get_logger("collector")

KEEP_S = 30.0
"""How often it is written down."""


class SightingBook(Protocol):
    """Where sightings are kept."""

    def sightings(self) -> tuple[Sighting, ...]:
        """Those of all agents that were ever heard."""

    def note_agents(self, sightings: Iterable[Sighting]) -> None:
        """Keeps these; unknown agents are ignored."""


class Attendance:
    """Restores presences from the book, and writes into it what has changed."""

    def __init__(self, book: SightingBook, presences: Presences) -> None:
        self._book = book
        self._presences = presences
        self._kept: dict[str, Sighting] = {}

    def restore(self) -> None:
        """Agents that were heard before are silent now, and not unheard of."""
        for seen in self._book.sightings():
            self._kept[seen.agent_id] = seen
            self._presences.restore(
                Presence(seen.agent_id, seen.last_seen_us, version=seen.version, ca_bundle=seen.ca_bundle)
            )

    async def keep(self) -> NoReturn:
        """Writes again and again."""
        while True:
            await asyncio.sleep(KEEP_S)
            await self.save()

    async def save(self) -> None:
        """Writes what has changed; a registry that fails is tried again the next time."""
        now = {
            agent_id: Sighting(agent_id, there.last_seen_us, there.version, there.ca_bundle)
            for agent_id, there in self._presences.all().items()
        }
        changed = [seen for agent_id, seen in now.items() if self._kept.get(agent_id) != seen]
        if not changed:
            return
        try:
            await asyncio.to_thread(self._book.note_agents, changed)
        except RegistryError as error:
            _log.error("registry does not keep when agents were heard", error=str(error))
        else:
            self._kept = now
