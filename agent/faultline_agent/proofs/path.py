"""The path to a target, hop by hop, by UDP: Linux tells ICMP errors to the socket that met them.

So neither raw sockets nor privileges are needed (IP_RECVERR in ip(7); the way of tracepath). All hops are
asked at once: at the moment of failure the path of now counts.
"""

import asyncio
import errno
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.endpoints import family_of
from faultline_agent.proofs.proof import CannotGather, Data, address_of

MOST_HOPS, FIRST_PORT = 24, 33434
PATIENCE_S, AGAIN_S = 2.5, 1.0
"""How long answers are waited for, and after how long silent hops are asked once more."""

SILENT_TOLD = 3
"""Silent hops that are told beyond the last that answered."""

_RECVERR = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
_HOPS = {4: (socket.IPPROTO_IP, socket.IP_TTL), 6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)}
_EXTENDED = struct.Struct("=IBBBBII")
_EXCEEDED = {(2, 11), (3, 3)}
_NO_PORT = {(2, 3, 3), (3, 1, 4)}
_LOCAL = 1


@dataclass(frozen=True, slots=True)
class Hop:
    """Who answered for one distance, and whether it was the end; `said` where it refused to go on."""

    address: str
    took_us: int
    reached: bool = False
    said: str = ""


async def gather_path(probe: Probe, tools: ProbeTools) -> Data:
    """Traces the path to what the probe connects to."""
    address, _ = await address_of(probe, tools)
    if refused := tools.refusal(address, FIRST_PORT) or tools.refusal(address, FIRST_PORT + MOST_HOPS):
        raise CannotGather(refused)
    if sys.platform != "linux":
        raise CannotGather("only Linux tells an unprivileged program its path")
    hops = await asyncio.to_thread(trace, address)
    return path_data(address, hops, tools)


def trace(address: str) -> dict[int, Hop]:
    """Who answered at which distance; blocks for some seconds at most; raises CannotGather."""
    probes: dict[int, socket.socket] = {}
    try:
        for distance in range(1, MOST_HOPS + 1):
            probes[distance] = _probe(address, distance)
        return _answers(probes)
    except OSError as error:
        why = "may not" if error.errno in (errno.EPERM, errno.EACCES) else "cannot"
        raise CannotGather(f"this agent {why} trace: {error.strerror}") from error
    finally:
        for each in probes.values():
            each.close()


def _probe(address: str, distance: int) -> socket.socket:
    family = family_of(address)
    opened = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(*_RECVERR[family], 1)
        opened.setsockopt(*_HOPS[family], distance)
        opened.connect((address, FIRST_PORT + distance))
    except OSError:
        opened.close()
        raise
    return opened


def _answers(probes: Mapping[int, socket.socket]) -> dict[int, Hop]:
    poll, distances = select.poll(), {each.fileno(): distance for distance, each in probes.items()}
    began = time.monotonic()
    sent = dict.fromkeys(probes, began)
    for each in probes.values():
        poll.register(each, select.POLLERR)
        each.send(b"faultline")
    found: dict[int, Hop] = {}
    again_at, end = began + AGAIN_S, began + PATIENCE_S
    while (now := time.monotonic()) < end and not _is_whole(found):
        if now >= again_at:
            again_at = end
            for distance in probes.keys() - found.keys():
                sent[distance] = now
                _send_again(probes[distance])
        for file, _ in poll.poll(max(1, round((min(again_at, end) - now) * 1000))):
            distance = distances[file]
            for hop in _errors(probes[distance], sent[distance]):
                found.setdefault(distance, hop)
                poll.unregister(file)
                break
    return found


def _send_again(probe: socket.socket) -> None:
    try:
        probe.send(b"faultline")
    except OSError:  # an error that is about to be read
        pass


def _is_whole(found: Mapping[int, Hop]) -> bool:
    end = min((distance for distance, hop in found.items() if hop.reached), default=0)
    return end > 0 and all(distance in found for distance in range(1, end))


def _errors(probe: socket.socket, sent_at: float) -> Iterator[Hop]:
    """What stands in a socket's queue of errors."""
    probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # or it is told again and again
    while True:
        try:
            _, ancillary, _, _ = probe.recvmsg(512, 512, socket.MSG_ERRQUEUE)
        except OSError:  # nothing more
            return
        took_us = round((time.monotonic() - sent_at) * 1e6)
        for level, kind, data in ancillary:
            if (level, kind) in _RECVERR.values():
                yield read_error(data, took_us)


def read_error(data: bytes, took_us: int) -> Hop:
    """One `sock_extended_err` with the address of who sent it; raises CannotGather for errors of our own."""
    number, origin, kind, code, _, _, _ = _EXTENDED.unpack_from(data)
    if origin == _LOCAL:
        raise OSError(number, _SAID.get(number, "the system refuses"))
    offender = data[_EXTENDED.size :]
    raw = offender[4:8] if origin == 2 else offender[8:24]
    address = str(ip_address(raw))
    if (origin, kind) in _EXCEEDED:
        return Hop(address, took_us)
    if (origin, kind, code) in _NO_PORT:
        return Hop(address, took_us, reached=True)
    return Hop(address, took_us, said=_SAID.get(number, "refused"))


_SAID = {
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
    errno.EMSGSIZE: "too long",
    errno.EPROTO: "protocol error",
}


def path_data(address: str, hops: Mapping[int, Hop], tools: ProbeTools) -> Data:
    """The path as it is told; addresses of networks that the agent may not probe are not."""
    end = min((distance for distance, hop in hops.items() if hop.reached), default=0)
    last = end or min(max(hops, default=0) + SILENT_TOLD, MOST_HOPS)
    told = [_told(distance, hops.get(distance), tools) for distance in range(1, last + 1)]
    return {"to": address, "by": "udp", "reached": end > 0, "hops": told}


def _told(distance: int, hop: Hop | None, tools: ProbeTools) -> Data:
    if hop is None:
        return {"hop": distance}
    address = "private" if tools.refusal(hop.address, FIRST_PORT) else hop.address
    said = {"said": hop.said} if hop.said else {}
    return {"hop": distance, "address": address, "took_us": hop.took_us, **said}
