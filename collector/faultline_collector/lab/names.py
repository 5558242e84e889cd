"""The lab's resolvers: each agent asks its own, and gets its own address for each service."""

import asyncio
import socket
from collections.abc import Mapping
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from faultline_collector.lab.faults import Failure
from faultline_collector.lab.world import UP_NAME

_TTL_S = 5
_ID_BYTES = 2
_MOST_PREPARED = 1000


class Resolver(asyncio.DatagramProtocol):
    """Answers A questions for `addresses` (name to address), except where a name fails."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = {
            f"{name}.": address for name, address in {**addresses, UP_NAME: "127.0.0.1"}.items()
        }
        self._failures: dict[str, Failure] = {}
        self._prepared: dict[bytes, bytes | None] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.silent = False

    async def listen(self, address: str, port: int) -> int:
        """Begins to answer; gives the port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, (address, port), family=socket.AF_INET
        )
        return int(transport.get_extra_info("sockname")[1])

    def show(self, failures: Mapping[str, Failure]) -> None:
        """Fails for these names from now on, and for no other."""
        self._failures = {f"{name}.": failure for name, failure in failures.items()}
        self._prepared.clear()

    def close(self) -> None:
        """Stops answering."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Called by the loop with each question."""
        if self.silent or self._transport is None:
            return
        asked = data[_ID_BYTES:]
        if asked not in self._prepared:
            self._prepare(asked, data)
        if (answer := self._prepared[asked]) is not None:
            self._transport.sendto(data[:_ID_BYTES] + answer, addr)

    def _prepare(self, asked: bytes, data: bytes) -> None:
        """Fleets ask the same few questions again and again: each is answered from bytes."""
        if len(self._prepared) >= _MOST_PREPARED:
            self._prepared.clear()
        try:
            reply = self._answer(dns.message.from_wire(data))
        except dns.exception.DNSException:
            reply = None
        self._prepared[asked] = None if reply is None else reply.to_wire()[_ID_BYTES:]

    def _answer(self, question: dns.message.Message) -> dns.message.Message | None:
        asked = question.question[0]
        name = asked.name.to_text().lower()
        failure = self._failures.get(name)
        if failure is Failure.SILENT:
            return None
        reply = dns.message.make_response(question, recursion_available=True)
        if failure is Failure.SERVFAIL:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif failure is Failure.NXDOMAIN or name not in self._addresses:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif asked.rdtype == dns.rdatatype.A:
            rrset = dns.rrset.from_text(asked.name, _TTL_S, dns.rdataclass.IN, "A", self._addresses[name])
            reply.answer.append(rrset)
        return reply
