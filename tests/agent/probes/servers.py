"""Real servers on loopback that behave as a test asks them to."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Behaviour: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(
    behave: Behaviour, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serves every connection with `behave`; gives the port."""
    open_ones: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            open_ones.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(open_ones):
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listens until the client has gone."""
    await reader.read()


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the request and closes without an answer."""
    await reader.read(1)
    writer.write_eof()
    await reader.read()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the first bytes and breaks the connection with RST."""
    await reader.read(1)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def talks(says: bytes) -> Behaviour:
    """Says something to whoever connects, and then listens."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await writer.drain()
        await reader.read()

    return behave


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what it hears."""
    while piece := await reader.read(4096):
        writer.write(piece)
        await writer.drain()


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int = 200
    body: bytes = b"fine"
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    def encode(self) -> bytes:
        """The answer on the wire."""
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Length: {length}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(slots=True)
class Website:
    """Answers HTTP by path, and keeps the requests."""

    pages: dict[str, Reply] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests.append(head)
        length = next((int(x[15:]) for x in head.split("\r\n") if x.lower().startswith("content-length")), 0)
        self.bodies.append(await reader.readexactly(length))
        writer.write(self.pages.get(head.split()[1], Reply(404)).encode())
        await writer.drain()
        writer.write_eof()
        await reader.read()


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose backlog is full: what connects there hears nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class NameServer:
    """Answers DNS over UDP and TCP from a table; what is not in it does not exist."""

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    rcodes: dict[str, dns.rcode.Rcode] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    truncated: set[str] = field(default_factory=set)
    raw: dict[str, bytes] = field(default_factory=dict)
    lose: int = 0
    garble: Callable[[bytes], bytes] = bytes
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, wire: bytes, *, over_tcp: bool) -> bytes | None:
        """The answer to a question, None to stay silent."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
        self.asked.append(f"{name} {kind} {'tcp' if over_tcp else 'udp'}")
        if self.lose:
            self.lose -= 1
            return None
        if name in self.silent:
            return None
        if name in self.raw:
            return wire[:2] + self.raw[name]
        response = dns.message.make_response(query)
        if name in self.truncated and not over_tcp:
            response.flags |= dns.flags.TC
        elif found := self.records.get((name, kind)):
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(self.rcodes.get(name, dns.rcode.NXDOMAIN))
        return self.garble(response.to_wire())

    @property
    def address(self) -> str:
        """Where it listens, as address:port."""
        return f"127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["NameServer"]:
        """Listens on one port for both protocols."""
        loop = asyncio.get_running_loop()
        datagrams, stream = _two_sockets()
        with datagrams, stream:
            self.port = stream.getsockname()[1]
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagrams)
            server = await asyncio.start_server(self._serve_tcp, sock=stream)
            try:
                yield self
            finally:
                transport.close()
                server.close()

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        said = self.answer(await reader.readexactly(length), over_tcp=True)
        if said is not None:
            writer.write(struct.pack("!H", len(said)) + said)
            await writer.drain()
        writer.close()


def _two_sockets() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same port, which another program may hold for one of them."""
    for _ in range(100):
        stream, datagrams = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        try:
            stream.bind(("127.0.0.1", 0))
            datagrams.bind(stream.getsockname())
        except OSError:
            stream.close()
            datagrams.close()
        else:
            return datagrams, stream
    raise OSError("no port is free for both protocols")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        said = self._server.answer(data, over_tcp=False)
        if said is not None:
            self._transport.sendto(said, addr)  # type: ignore[attr-defined]
