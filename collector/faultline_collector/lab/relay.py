"""An agent's way to the collector, which can be cut."""

import asyncio
import contextlib
from socket import socket

from faultline_collector.lab.listener import Door, Listener, reset_when_closed

_PIECE_BYTES = 65_536
_CONNECT_S = 5.0


class Relay:
    """Carries TCP connections from its own address to `upstream`; cut, it swallows and carries nothing."""

    def __init__(self, address: str, port: int, upstream: tuple[str, int]) -> None:
        self.listener = Listener(address, port, self._arrived)
        self._upstream = upstream
        self._carried: set[asyncio.Task[None]] = set()
        self._through = 0

    @property
    def connected(self) -> bool:
        """Whether a connection reaches the other side."""
        return self._through > 0

    def set_cut(self, cut: bool) -> None:
        """Cuts the way (live connections are aborted, new ones find a black hole) or restores it."""
        self.listener.set(Door.FULL if cut else Door.OPEN)
        if cut:
            self._end()

    async def close(self) -> None:
        """Ends everything; safe twice."""
        self.listener.close()
        self._end()
        await asyncio.gather(*self._carried, return_exceptions=True)

    def _end(self) -> None:
        for task in self._carried:
            task.cancel()

    def _arrived(self, connection: socket) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(connection))
        self._carried.add(task)
        task.add_done_callback(self._carried.discard)

    async def _carry(self, connection: socket) -> None:
        near_in, near_out = await asyncio.open_connection(sock=connection)
        try:
            async with asyncio.timeout(_CONNECT_S):
                far_in, far_out = await asyncio.open_connection(*self._upstream)
        except OSError:  # a time-out is one too
            near_out.transport.abort()
            return
        self._through += 1
        ways = [
            asyncio.ensure_future(_pump(near_in, far_out)),
            asyncio.ensure_future(_pump(far_in, near_out)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            near_out.close()
            far_out.close()
        except asyncio.CancelledError:
            reset_when_closed(connection)
            near_out.transport.abort()
            far_out.transport.abort()
            raise
        finally:
            self._through -= 1
            for way in ways:
                way.cancel()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(_PIECE_BYTES):
            sink.write(piece)
            await sink.drain()
