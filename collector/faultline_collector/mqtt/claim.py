"""Whether another collector has come to the broker as the same user."""

import asyncio
from collections.abc import Callable
from secrets import token_bytes

import aiomqtt

from faultline import mqtt, topics
from faultline.mqtt import Connection, NotAllowed, TakenOver, publication, silent

CLAIM_S = 120
"""How long the broker keeps a claim: its owner has died since, or comes back and makes it anew."""


class Claim:
    """A collector's word, retained at the broker, that the user is this one.

    A broker takes two who come as one user for one client: who comes later has the connection, and the other,
    who is not told why (Mosquitto before 2.0.15), would take it back, without end. So whoever comes back and
    finds that another has made a claim since, gives way.
    """

    def __init__(self, user: str) -> None:
        self._topic = topics.collector(user)
        self._name = token_bytes(8)
        self._made = False

    async def make(self, connection: Connection, hand_out: Callable[[aiomqtt.Message], None]) -> None:
        """Makes the claim, or raises TakenOver; what else comes meanwhile is handed out.

        Without leave for its topic it does nothing.
        """
        mark = token_bytes(8)
        await connection.subscribe(self._topic)
        try:
            await connection.publish(self._topic, mark)
        except NotAllowed:
            return
        try:
            async with asyncio.timeout(mqtt.TIMEOUT_S):
                owner = await self._owner(connection, mark, hand_out)
        except TimeoutError:
            raise silent(connection.access) from None
        if self._made and owner != self._name:
            raise TakenOver(connection.access)
        await connection.publish(self._topic, self._name, publication(of_use_s=CLAIM_S), retain=True)
        self._made = True

    async def _owner(
        self, connection: Connection, mark: bytes, hand_out: Callable[[aiomqtt.Message], None]
    ) -> bytes:
        """Who made the last claim: what was retained comes before the mark, which was published just now."""
        owner = self._name
        while (message := await connection.next()).payload != mark:
            if str(message.topic) != self._topic:
                hand_out(message)
            elif message.retain:
                owner = message.payload
        return owner
