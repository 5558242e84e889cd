"""Keeps a session with the collector over any uplink: opens it, and opens it again after each break."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from random import Random
from typing import NoReturn

from faultline.backoff import Backoff
from faultline_agent.clocks import Clocks
from faultline_agent.conversation import Conversation, Drained, Link, Station
from faultline_agent.log import Log
from faultline_agent.outbox import Outbox
from faultline_agent.uplinks.uplink import Uplink, UplinkError, Welcome

BACKOFF = Backoff(first_s=0.5, most_s=15.0)


class Pump:
    """Carries the spool to the collector; ends only when cancelled or refused for good."""

    def __init__(
        self,
        uplink: Uplink,
        outbox: Outbox,
        station: Station,
        log: Log,
        clocks: Clocks,
        random: Random,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._uplink = uplink
        self._outbox = outbox
        self._station = station
        self._log = log
        self._clocks = clocks
        self._random = random
        self._sleep = sleep
        self.link = Link(since_us=clocks.wall_us())

    async def run(self) -> NoReturn:
        """Converses, and again after each break; raises UplinkError or SpoolDamaged when that is no use."""
        failures = 0
        while True:
            last_ack_us = self.link.last_ack_us
            try:
                await self._converse_unless_spool_fails()
            except UplinkError as error:
                self._note_broken(error)
                if error.permanent:
                    raise
                failures = 1 if self.link.last_ack_us != last_ack_us else failures + 1
                away_s = error.after_s if isinstance(error, Drained) else 0.0
                await self._sleep(away_s + BACKOFF.delay_s(failures, self._random))

    async def drained(self) -> None:
        """Returns once the collector has everything."""
        if self._outbox.state.results:
            await self._outbox.empty.wait()

    async def _converse_unless_spool_fails(self) -> NoReturn:
        """A full disk may have room the next time; damage passes."""
        try:
            await self._converse()
        except sqlite3.Error as error:
            raise UplinkError(f"the spool fails: {error}") from error

    async def _converse(self) -> NoReturn:
        hello = self._station.hello(await self._outbox.unacknowledged())
        session = await self._uplink.connect(hello)
        try:
            await self._outbox.continue_above(session.welcome.highest_sequence)
            if session.welcome.held:
                await self._outbox.forget(session.welcome.held)
            self._note_connected(session.welcome)
            await Conversation(
                session, self._outbox, self._station, self.link, self._clocks, self._sleep
            ).run()
        finally:
            await session.close()

    def _note_connected(self, welcome: Welcome) -> None:
        self.link.connected = True
        self.link.since_us = self._clocks.wall_us()
        self.link.problem = ""
        self.link.collector_version = welcome.version
        self._log.info("connected", collector_version=welcome.version)

    def _note_broken(self, error: UplinkError) -> None:
        if self.link.connected:
            self.link.connected = False
            self.link.since_us = self._clocks.wall_us()
        if str(error) != self.link.problem:
            self._log.warning("not connected", problem=str(error), rejected=dict(self.link.rejected))
        self.link.problem = str(error)
