"""What Faultline says of its outages, and since when it could be read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

OPEN_STATES = ("suspected", "confirmed", "recovering", "flapping")
_POLL_S = 0.25
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """One outage as the API told it, and when it was read (monotonic seconds)."""

    at: float
    outage: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The outage's id."""
        return str(self.outage["id"])

    @property
    def state(self) -> str:
        """The outage's state."""
        return str(self.outage["state"])

    @property
    def is_open(self) -> bool:
        """Whether it is going on."""
        return self.state in OPEN_STATES

    @property
    def what(self) -> tuple[str, str]:
        """Scope and the id of the subject."""
        return str(self.outage["scope"]), str(self.outage["subject"]["id"])

    def __str__(self) -> str:
        scope, subject = self.what
        return f"{self.state:<10} {scope} {subject}: {self.outage['why']}"


class Watch:
    """Reads outages over the REST API; `any_open` is of the last reading."""

    def __init__(self, web: str) -> None:
        self._client = httpx.AsyncClient(base_url=web, trust_env=False, timeout=_TIMEOUT_S)
        self._known: dict[str, tuple[str, str, str]] = {}
        self.any_open = False

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def outages(self) -> list[Said]:
        """All of the last day, newest first; raises httpx.HTTPError when the API does not answer."""
        answer = await self._client.get("/api/v1/outages")
        answer.raise_for_status()
        return [Said(time.monotonic(), outage) for outage in answer.json()["outages"]]

    async def changes(self) -> list[Said]:
        """What changed its state, scope or subject since the last call; nothing while the API is away."""
        try:
            now = await self.outages()
        except httpx.HTTPError:
            return []
        self.any_open = any(said.is_open for said in now)
        changed = [said for said in reversed(now) if self._known.get(said.id) != (said.state, *said.what)]
        self._known |= {said.id: (said.state, *said.what) for said in changed}
        return changed

    async def follow(self) -> AsyncGenerator[list[Said], None]:
        """What each reading finds changed, without end."""
        while True:
            yield await self.changes()
            await asyncio.sleep(_POLL_S)
