"""Whose token it is."""

import asyncio
from collections.abc import Callable
from hashlib import sha256

_SCHEME = "bearer "
_KEEP = 10_000


class Tokens:
    """Asks the registry whose token it is, in a thread, and remembers good answers for a while.

    `authenticate` blocks; `monotonic` gives seconds. Only hashes are kept.
    """

    def __init__(
        self,
        authenticate: Callable[[str], str | None],
        monotonic: Callable[[], float],
        *,
        remember_s: float = 30,
    ) -> None:
        self._authenticate = authenticate
        self._monotonic = monotonic
        self._remember_s = remember_s
        self._known: dict[bytes, tuple[str, float]] = {}

    async def agent_of(self, authorization: str) -> str | None:
        """The agent that an authorization header speaks for, or None."""
        if not authorization.lower().startswith(_SCHEME):
            return None
        token = authorization[len(_SCHEME) :].strip()
        digest = sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known[1] > self._monotonic():
            return known[0]
        agent_id = await asyncio.to_thread(self._authenticate, token)
        if agent_id is not None:
            self._remember(digest, agent_id)
        return agent_id

    def forget(self) -> None:
        """Forgets all answers, as after a change of the registry."""
        self._known.clear()

    def _remember(self, digest: bytes, agent_id: str) -> None:
        if len(self._known) >= _KEEP:
            self._known.clear()
        self._known[digest] = (agent_id, self._monotonic() + self._remember_s)
