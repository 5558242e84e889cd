"""The lab's servers: every component as every agent meets it, whole or failing."""

import asyncio
import ssl
from collections.abc import Callable
from socket import socket
from typing import cast

import httptools

from faultline_collector.lab.certificates import Certificates
from faultline_collector.lab.faults import Failure
from faultline_collector.lab.listener import Door, Listener, reset_when_closed
from faultline_collector.lab.world import Part

SLOW_S = 8.0
"""How late a slow site answers: well after any probe of the lab has given up."""

LOGIN_BODY = "user=probe&password=lab"
"""What a probe sends to log in."""

_IDLE_S = 30.0
_DOORS = {Failure.REFUSED: Door.CLOSED, Failure.BLACKHOLE: Door.FULL}


def page(part: Part) -> str:
    """What a whole component says; probes look for it."""
    return f"{part.service} {part.id} is here"


class Site:
    """One component as one agent meets it."""

    def __init__(self, part: Part, address: str, certificates: Certificates, slow_s: float = SLOW_S) -> None:
        self.part = part
        self.failure: Failure | None = None
        self.slow_s = slow_s
        self.listener = Listener(address, part.port, self._arrived)
        self._certificates = certificates
        self._visits: set[asyncio.Task[None]] = set()
        self._talks: set[_Talk] = set()

    def show(self, failure: Failure | None) -> None:
        """Fails in this way from now on, or is whole again."""
        self.failure = failure
        self.listener.set(_DOORS.get(failure, Door.OPEN) if failure else Door.OPEN)

    def close(self) -> None:
        """Stops serving and ends every connection."""
        self.listener.close()
        for task in self._visits:
            task.cancel()
        for talk in list(self._talks):
            talk.abort()

    def _arrived(self, connection: socket) -> None:
        if self.failure is Failure.RESET:
            reset_when_closed(connection)
            connection.close()
            return
        task = asyncio.get_running_loop().create_task(self._meet(connection))
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _meet(self, connection: socket) -> None:
        loop = asyncio.get_running_loop()
        make: Callable[[], _Talk] = _Greeting if self.part.transport == "tcp" else _Request
        talk = make()
        talk.begin(self, self._talks)
        try:
            await loop.connect_accepted_socket(lambda: talk, connection, ssl=self._context())
        except OSError:  # the other side left, or did not like the certificate: TLS errors are OSErrors
            connection.close()

    def _context(self) -> ssl.SSLContext | None:
        if self.part.transport != "https":
            return None
        return self._certificates.expired if self.failure is Failure.EXPIRED else self._certificates.good


class _Talk(asyncio.Protocol):
    """One connection; it ends by itself after a while."""

    def begin(self, site: Site, talks: "set[_Talk]") -> None:
        self.site = site
        self._talks = talks
        self._transport: asyncio.Transport | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._talks.add(self)
        self.later(_IDLE_S, self.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._talks.discard(self)
        self._transport = None
        for timer in self._timers:
            timer.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def later(self, delay_s: float, do: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, do))

    def say(self, words: bytes, *, close: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(words)
            if close:
                self._transport.close()


class _Greeting(_Talk):
    """A TCP service that greets first, as SMTP and SSH do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        words = (
            b"busy\r\n" if self.site.failure is Failure.CONTENT else f"{page(self.site.part)}\r\n".encode()
        )
        delay_s = self.site.slow_s if self.site.failure is Failure.SLOW else 0.0
        if delay_s:
            self.later(delay_s, lambda: self.say(words, close=False))
        else:
            self.say(words, close=False)


class _Request(_Talk):
    """One HTTP/1.1 request and its answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.say(_answer(400, "this is not HTTP/1.1"), close=True)

    def on_body(self, body: bytes) -> None:
        self._body += body[:1024]

    def on_message_complete(self) -> None:
        if self.site.failure is Failure.SLOW:
            self.later(self.site.slow_s, self._reply)
        else:
            self._reply()

    def _reply(self) -> None:
        part, failure = self.site.part, self.site.failure
        if failure is Failure.HTTP:
            self.say(_answer(503, "Over capacity"), close=True)
        elif failure is Failure.CONTENT:
            self.say(_answer(200, "Something went wrong. Try reloading."), close=True)
        elif part.id == "login" and self._body != LOGIN_BODY.encode():
            self.say(_answer(401, "Wrong user or password"), close=True)
        else:
            self.say(_answer(200, page(part)), close=True)


_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 503: "Service Unavailable"}


def _answer(status: int, text: str) -> bytes:
    body = f"<!doctype html><title>lab</title><p>{text}</p>\n".encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/html\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
