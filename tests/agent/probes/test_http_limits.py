"""The probe kind http where the agent, or the answer, knows no bounds."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes.http import HttpProbe
from faultline_agent.probes.probe import Finding
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.exchange import MOST_BODY_BYTES, Exchange, Wants
from faultline_agent.probes.tools.request import Request
from faultline_agent.probes.tools.stopwatch import Stopwatch
from tests.agent.probes.conftest import PATIENT_S
from tests.agent.probes.servers import Reply, Website, listening, say_nothing


@contextmanager
def no_files() -> Iterator[None]:
    """A while in which this process can open no more files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    held: list[int] = []
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def find(tools: ProbeTools, host: str, port: int) -> Finding:
    """One attempt."""
    return await HttpProbe(url=f"http://{host}:{port}/").run(tools, PATIENT_S)


async def test_agent_without_a_free_file_says_nothing_about_the_target(tools: ProbeTools) -> None:
    """Whether libcurl opens the socket, or the agent, which looks at what the name was resolved to."""
    async with listening(say_nothing) as port:
        with no_files():
            found = [await find(tools, host, port) for host in ("127.0.0.1", "localhost")]
    assert {finding.outcome for finding in found} == {Outcome.INCONCLUSIVE}
    assert "could not open a socket" in found[0].detail
    assert "too many open files" in found[1].detail


async def test_head_of_an_answer_that_does_not_end_is_http(tools: ProbeTools) -> None:
    """libcurl reads so much of it and no more."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            writer.write(b"a" * 50_000)
            await writer.drain()

    async with listening(behave) as port:
        finding = await find(tools, "127.0.0.1", port)
    assert finding.outcome is Outcome.HTTP
    assert finding.detail == f"127.0.0.1:{port}: the head of the answer is too long"


@pytest.mark.parametrize("length", [5, MOST_BODY_BYTES + 5], ids=["short", "beyond the bound"])
async def test_body_that_nobody_looks_at_is_read_and_not_kept(tools: ProbeTools, length: int) -> None:
    """A thousand answers may be on their way at once."""
    async with listening(Website({"/": Reply(body=b"x" * length)})) as port:
        request = Request("GET", f"http://127.0.0.1:{port}/", {}, "")
        for wanted in (True, False):
            wants = Wants(False, wanted, certificate=False, verify=True, ca_file=None, family="any")
            answer = await Exchange(tools, request, wants, "127.0.0.1").run(Stopwatch(PATIENT_S))
            assert answer.body_bytes == min(length, MOST_BODY_BYTES)
            assert len(answer.body) == answer.body_bytes * wanted
