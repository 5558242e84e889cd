"""The probe kind `tcp`: connects, and may send something and wait for an answer."""

import asyncio
import socket
from typing import Annotated, ClassVar

from pydantic import Field

from faultline.config import Between
from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding, Probe, ProbeFailed, Tools
from faultline_agent.probes.tools import sockets
from faultline_agent.probes.tools.endpoints import Endpoint, Family, family_of, over, parse_endpoint
from faultline_agent.probes.tools.resolve import addresses
from faultline_agent.probes.tools.stopwatch import Stopwatch, attempt

MOST_ANSWER_BYTES = 65_536
"""How much of an answer is read while waiting for what is expected."""


class TcpProbe(Probe):
    """Connects to a port; may send text and expect text in the answer."""

    kind: ClassVar[str] = "tcp"
    timings: ClassVar[tuple[str, ...]] = ("dns", "connect", "answer", "total")
    target_form: ClassVar[str] = "HOST:PORT"

    host: str = Field(min_length=1, max_length=255, description="Host name or address to connect to.")
    port: Annotated[int, Between(1, 65535)] = Field(description="Port to connect to.")
    family: Family = Field(default="any", description='Addresses to use: "4", "6" or "any".')
    send: str = Field(default="", max_length=4096, description="Text to send once connected, as UTF-8.")
    expect: str = Field(default="", max_length=4096, description="Text that the answer must contain.")

    @classmethod
    def read_target(cls, text: str) -> dict[str, object]:
        """`host:port`."""
        endpoint = parse_endpoint(text)
        return {"host": endpoint.host, "port": endpoint.port}

    @property
    def subject(self) -> str:
        """Host and port."""
        return f"{Endpoint(self.host, self.port)}{over(self.family)}"

    def endpoints(self) -> tuple[tuple[str, int], ...]:
        """The port that is connected to."""
        return ((self.host, self.port),)

    async def run(self, tools: Tools, timeout_s: float) -> Finding:
        """One connection."""
        watch = Stopwatch(timeout_s)
        return await attempt(watch, self._steps(tools, watch))

    async def _steps(self, tools: Tools, watch: Stopwatch) -> Finding:
        found = await self._addresses(tools, watch)
        connection = await self._connect(tools, watch, found)
        with connection:
            if self.send or self.expect:
                with watch.timing("answer"):
                    await self._converse(tools, connection)
        return watch.finding(Outcome.OK)

    async def _addresses(self, tools: Tools, watch: Stopwatch) -> tuple[str, ...]:
        with watch.timing("dns"):
            found = await addresses(tools, self.host, self.family)
        if found == (self.host,):
            del watch.us["dns"]
        return found

    async def _connect(self, tools: Tools, watch: Stopwatch, found: tuple[str, ...]) -> socket.socket:
        failure: ProbeFailed | None = None
        for address in found:
            endpoint = Endpoint(address, self.port)
            sockets.check_policy(tools, address, self.port)
            try:
                with watch.timing("connect"):
                    connection = await _open(endpoint)
            except OSError as error:
                failed = sockets.failed(error.errno or 0, f"connecting to {endpoint}")
                failure = sockets.telling(failure, failed)
                continue
            if tools.story:
                tools.story.tell("connected", to=str(endpoint))
            watch.family = family_of(address)
            return connection
        raise failure or ProbeFailed(Outcome.DNS, f"{self.host} has no address")

    async def _converse(self, tools: Tools, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(connection, self.send.encode())
            answer = await self._read(connection)
        except OSError as error:
            raise sockets.failed(error.errno or 0, f"talking to {self.host}:{self.port}") from error
        if tools.story:
            tools.story.tell("answered", bytes=len(answer), text=answer[:500].decode("utf-8", "replace"))
        if self.expect.encode() not in answer:
            raise ProbeFailed(Outcome.CONTENT, f"the answer does not contain {self.expect[:80]!r}")

    async def _read(self, connection: socket.socket) -> bytes:
        loop, answer, expected = asyncio.get_running_loop(), bytearray(), self.expect.encode()
        while expected not in answer and len(answer) < MOST_ANSWER_BYTES:
            piece = await loop.sock_recv(connection, 16_384)
            if not piece:
                break
            answer += piece
        return bytes(answer)


async def _open(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if family_of(endpoint.host) == 6 else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(connection, endpoint)
    except BaseException:
        connection.close()
        raise
    return connection
