"""A listening socket that can be made to refuse or to swallow connections, for real."""

import asyncio
import socket
import struct
from collections.abc import Callable
from enum import Enum

_ACCEPTS_AT_ONCE = 16
_FILLERS = 3


class Door(Enum):
    """How a listener meets those who come: let in, turned away, or never heard."""

    OPEN = "open"
    CLOSED = "closed"
    FULL = "full"


class Listener:
    """Listens on one address and port; `arrived` gets each connection. Starts closed."""

    def __init__(self, address: str, port: int, arrived: Callable[[socket.socket], None]) -> None:
        self.address = address
        self.port = port
        self.door = Door.CLOSED
        self._arrived = arrived
        self._socket: socket.socket | None = None
        self._fillers: list[socket.socket] = []

    def set(self, door: Door) -> None:
        """Changes how it meets those who come; what was waiting to be let in is reset."""
        if door is self.door:
            return
        self._shut()
        self.door = door
        if door is Door.OPEN:
            self._listen(backlog=128)
        elif door is Door.FULL:
            self._listen(backlog=0)
            self._fill()

    def close(self) -> None:
        """Stops listening; safe twice."""
        self.set(Door.CLOSED)

    def _listen(self, backlog: int) -> None:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket = listening
        listening.bind((self.address, self.port))
        self.port = listening.getsockname()[1]
        listening.listen(backlog)
        if backlog:
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept)

    def _fill(self) -> None:
        """A backlog of 0 holds one connection; once it is taken, Linux drops every further SYN."""
        for _ in range(_FILLERS):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex((self.address, self.port))
            self._fillers.append(filler)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            if self._socket is None:
                return
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setblocking(False)
            self._arrived(connection)

    def _shut(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None


def reset_when_closed(connection: socket.socket) -> None:
    """Lets a connection end with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
