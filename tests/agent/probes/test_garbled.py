"""Whatever a target says, a probe ends with a finding."""

import asyncio
import random

import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Finding
from faultline_agent.probes.tools import ProbeTools
from tests.agent.probes.conftest import PATIENT_S
from tests.agent.probes.servers import NameServer, Reply, Website, listening

ANSWERS = 150
"""Garbled answers a test."""


def garbled(whole: bytes, chance: random.Random) -> bytes:
    """The bytes with a few of them changed, and perhaps cut short."""
    some = bytearray(whole)
    for _ in range(chance.randint(1, 6)):
        some[chance.randrange(len(some))] = chance.randrange(256)
    return bytes(some[: chance.choice([len(some), chance.randrange(len(some))])])


async def test_garbled_http_answers_are_findings(tools: ProbeTools) -> None:
    """Status line, headers and redirects are changed at random, from a fixed seed."""
    chance = random.Random(7)
    location = {"Location": "http://127.0.0.1:9/next", "X-A": "b"}

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(garbled(Reply(302, headers=location).encode(), chance))
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with listening(behave) as port:
        settings = {
            "url": f"http://127.0.0.1:{port}/",
            "header_matches": {"X-A": "b"},
            "body_matches": "fine",
        }
        probe = PROBES["http"].model_validate(settings)
        found = await asyncio.gather(*(probe.run(tools, PATIENT_S) for _ in range(ANSWERS)))
    assert all(isinstance(finding, Finding) for finding in found)
    assert len({finding.outcome for finding in found}) > 1


async def test_garbled_dns_answers_are_findings(resolving_tools: ProbeTools, names: NameServer) -> None:
    """Header, names and records are changed at random, from a fixed seed; ids stay."""
    chance = random.Random(7)
    names.records["x.example", "A"] = ["192.0.2.1", "192.0.2.2"]
    names.garble = lambda wire: wire[:2] + garbled(wire[2:], chance)
    probe = PROBES["dns"].model_validate({"name": "x.example", "answers": ["192.0.2.1"]})
    found = await asyncio.gather(*(probe.run(resolving_tools, 3.0) for _ in range(ANSWERS)))
    assert all(isinstance(finding, Finding) for finding in found)
    assert len({finding.outcome for finding in found}) > 1


PLACES = {
    "another charset": b"/\xe9t\xe9",
    "a space": b"/a b",
    "a zero": b"/a\x00b",
    "no host": b"http:///x",
    "a bad port": b"http://127.0.0.1:x/",
    "a bad address": b"http://[::1/",
    "a user": b"http://user:word@127.0.0.1:9/",
    "a name beyond ASCII": b"http://xn--/",
    "long": b"/" + b"a" * 5000,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
async def test_odd_redirects_are_findings(tools: ProbeTools, place: bytes) -> None:
    """Whatever stands in Location."""
    site = Website({"/": Reply(302, headers={"Location": place.decode("latin-1")})})
    async with listening(site) as port:
        probe = PROBES["http"].model_validate({"url": f"http://127.0.0.1:{port}/"})
        finding = await probe.run(tools, PATIENT_S)
    assert finding.outcome is not Outcome.OK


HOSTS = ["a\x00b", "a b", "-", "..", "a" * 255, "ü" * 60, "xn--", "1.2.3.4.5", "\\000", "[::1", "%00"]


@pytest.mark.parametrize("host", HOSTS)
async def test_odd_hosts_are_findings(resolving_tools: ProbeTools, tools: ProbeTools, host: str) -> None:
    """Whatever stands for a host, asked of named resolvers or of the system."""
    probe = PROBES["tcp"].model_validate({"host": host, "port": 9, "family": "4"})
    for each in (resolving_tools, tools):
        finding = await probe.run(each, 5.0)
        assert finding.outcome is not Outcome.OK
