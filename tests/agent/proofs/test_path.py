"""The path to a target, on this machine's loopback; real hops: tests/netns."""

import errno
import socket
import struct
from dataclasses import replace

import pytest

from faultline_agent.probes.tcp import TcpProbe
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.proofs.path import MOST_HOPS, SILENT_TOLD, Hop, gather_path, path_data, read_error, trace
from faultline_agent.proofs.proof import CannotGather


def extended(number: int, origin: int, kind: int, code: int, offender: bytes) -> bytes:
    """A `sock_extended_err` and its offender, as Linux gives them."""
    return struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, 0) + offender


FOUR = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton("192.0.2.7"))
SIX = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, "2001:db8::7"), 0)


async def test_a_target_on_this_machine_is_one_hop_away(tools: ProbeTools) -> None:
    """The kernel's own errors reach a plain socket: no privilege is needed."""
    told = await gather_path(TcpProbe.model_validate({"host": "127.0.0.9", "port": 9}), tools)
    assert (told["to"], told["by"], told["reached"]) == ("127.0.0.9", "udp", True)
    assert [hop["address"] for hop in told["hops"]] == ["127.0.0.9"]
    assert told["hops"][0]["took_us"] >= 0


def test_a_path_over_ipv6(six: str) -> None:
    """The same by its own errors."""
    found = trace(six)[1]
    assert (found.address, found.reached) == (six, True)


@pytest.mark.parametrize(
    ("data", "hop"),
    [
        (extended(errno.EHOSTUNREACH, 2, 11, 0, FOUR), Hop("192.0.2.7", 5)),
        (extended(errno.ECONNREFUSED, 2, 3, 3, FOUR), Hop("192.0.2.7", 5, reached=True)),
        (extended(errno.EHOSTUNREACH, 2, 3, 1, FOUR), Hop("192.0.2.7", 5, said="host unreachable")),
        (extended(errno.EHOSTUNREACH, 3, 3, 0, SIX), Hop("2001:db8::7", 5)),
        (extended(errno.ECONNREFUSED, 3, 1, 4, SIX), Hop("2001:db8::7", 5, reached=True)),
        (extended(errno.EACCES, 3, 1, 1, SIX), Hop("2001:db8::7", 5, said="forbidden")),
    ],
    ids=["exceeded", "no-port", "unreachable", "exceeded-6", "no-port-6", "forbidden-6"],
)
def test_icmp_errors_are_hops(data: bytes, hop: Hop) -> None:
    """By RFC 792 and RFC 4443, in the form of ip(7)."""
    assert read_error(data, 5) == hop


def test_an_error_of_our_own_is_no_hop() -> None:
    """It says that this agent cannot trace."""
    with pytest.raises(OSError, match="network unreachable"):
        read_error(extended(errno.ENETUNREACH, 1, 0, 0, FOUR), 5)


def test_where_there_is_no_way_it_says_so() -> None:
    """An address without a route, or one that the system refuses."""
    with pytest.raises(CannotGather, match=r"this agent (may not|cannot) trace"):
        trace("255.255.255.255")


def test_silence_beyond_the_last_answer_is_told_but_not_for_ever(tools: ProbeTools) -> None:
    """A black hole shows where it begins."""
    told = path_data("192.0.2.9", {1: Hop("192.0.2.1", 5), 3: Hop("192.0.2.3", 9)}, tools)
    assert not told["reached"]
    assert [hop.get("address") for hop in told["hops"]] == [
        "192.0.2.1",
        None,
        "192.0.2.3",
        *[None] * SILENT_TOLD,
    ]
    assert len(path_data("192.0.2.9", {MOST_HOPS: Hop("192.0.2.1", 5)}, tools)["hops"]) == MOST_HOPS


def test_hops_that_the_agent_may_not_probe_are_not_named(tools: ProbeTools) -> None:
    """A vantage's own network is nobody's business."""
    wary = replace(tools, policy=lambda address, port: "private" if address.startswith("10.") else "")
    told = path_data("192.0.2.9", {1: Hop("10.0.0.1", 5), 2: Hop("192.0.2.9", 9, reached=True)}, wary)
    assert [hop["address"] for hop in told["hops"]] == ["private", "192.0.2.9"]
