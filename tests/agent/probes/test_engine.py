"""Handles, sockets and time-outs of the HTTP engine."""

import asyncio
import gc
import os

import pycurl
import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes.http import HttpProbe
from faultline_agent.probes.tools import ProbeTools, open_tools
from faultline_agent.probes.tools.engine import MOST_IDLE, CurlEngine, trusted_authorities
from faultline_agent.probes.tools.exchange import Exchange
from tests.agent.probes.conftest import PATIENT_S
from tests.agent.probes.servers import Reply, Website, listening, say_nothing


def open_files() -> int:
    """File descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def probe_of(url: str, **settings: object) -> HttpProbe:
    """A probe of a URL."""
    return HttpProbe.model_validate({"url": url, **settings})


async def test_probes_leave_no_socket_open(tools: ProbeTools) -> None:
    """Each probe makes a connection and closes it, also where sockets are opened in Python."""
    async with listening(Website({"/": Reply()})) as port:
        probes = [probe_of(f"http://{host}:{port}/", family="4") for host in ("127.0.0.1", "localhost")]
        for each in probes:
            await each.run(tools, PATIENT_S)
        before = open_files()
        for each in probes * 5:
            assert (await each.run(tools, PATIENT_S)).outcome is Outcome.OK
        assert open_files() <= before + 1


async def test_nothing_of_one_probe_is_left_to_the_next(tools: ProbeTools) -> None:
    """Method, headers and body are forgotten with the handle's loan."""
    site = Website({"/": Reply()})
    async with listening(site) as port:
        url = f"http://127.0.0.1:{port}/"
        await probe_of(url, method="PUT", headers={"X-Secret": "1"}, body="x").run(tools, PATIENT_S)
        await probe_of(url).run(tools, PATIENT_S)
    assert site.requests[1].startswith("GET / ")
    assert "X-Secret" not in site.requests[1]
    assert site.bodies == [b"x", b""]


async def test_credentials_of_one_url_are_not_sent_to_the_next(tools: ProbeTools) -> None:
    """A handle that was told no more than a URL is lent again as it is."""
    site = Website({"/": Reply()})
    async with listening(site) as port:
        await probe_of(f"http://me:secret@127.0.0.1:{port}/").run(tools, PATIENT_S)
        finding = await probe_of(f"http://127.0.0.1:{port}/").run(tools, PATIENT_S)
    assert finding.outcome is Outcome.OK
    assert "Authorization: Basic" in site.requests[0]
    assert "Authorization" not in site.requests[1]


async def test_handle_at_rest_keeps_no_answer(tools: ProbeTools) -> None:
    """Whatever took the body is let go of with the handle."""
    async with listening(Website({"/": Reply()})) as port:
        await probe_of(f"http://127.0.0.1:{port}/").run(tools, PATIENT_S)
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Exchange)]


async def test_many_probes_run_at_once(tools: ProbeTools) -> None:
    """More than there are idle handles kept."""
    async with listening(Website({"/": Reply()})) as port:
        probe = probe_of(f"http://127.0.0.1:{port}/")
        found = await asyncio.gather(*(probe.run(tools, PATIENT_S) for _ in range(MOST_IDLE + 20)))
    assert {finding.outcome for finding in found} == {Outcome.OK}


async def test_cancelled_probe_leaves_its_handle_fit_for_the_next(tools: ProbeTools) -> None:
    """Cancellation passes, and neither handle nor socket is lost."""
    heard = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        heard.set()
        await reader.read()

    async with listening(hear) as silent, listening(Website({"/": Reply()})) as port:
        running = asyncio.create_task(probe_of(f"http://127.0.0.1:{silent}/").run(tools, PATIENT_S))
        await heard.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        finding = await probe_of(f"http://127.0.0.1:{port}/").run(tools, PATIENT_S)
    assert finding.outcome is Outcome.OK


async def test_time_out_leaves_the_handle_fit_for_the_next(tools: ProbeTools) -> None:
    """One slow target does not harm another."""
    async with listening(say_nothing) as silent, listening(Website({"/": Reply()})) as port:
        late = await probe_of(f"http://127.0.0.1:{silent}/").run(tools, 0.1)
        good = await probe_of(f"http://127.0.0.1:{port}/").run(tools, PATIENT_S)
    assert (late.outcome, good.outcome) == (Outcome.TIMEOUT, Outcome.OK)


async def test_closing_the_tools_ends_what_runs() -> None:
    """A probe in flight is cancelled, and closing twice is safe."""
    async with listening(say_nothing) as silent:
        async with open_tools() as tools:
            running = asyncio.create_task(probe_of(f"http://127.0.0.1:{silent}/").run(tools, PATIENT_S))
            await asyncio.sleep(0)
        await tools.engine.aclose()
        with pytest.raises((asyncio.CancelledError, RuntimeError)):
            await running


async def test_idle_handles_are_bounded() -> None:
    """Beyond the bound a handle is closed when it comes back."""
    engine = CurlEngine()
    handles = [engine.borrow() for _ in range(MOST_IDLE + 1)]
    for handle in handles:
        engine.give_back(handle, as_lent=False)
    assert [handle.closed for handle in handles].count(True) == 1
    await engine.aclose()
    assert all(handle.closed for handle in handles)


def test_named_file_of_authorities_goes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    """SSL_CERT_FILE is how a system says what it trusts."""
    named = os.path.join(tmp_path, "ca.pem")
    with open(named, "w"):
        pass
    monkeypatch.setenv("SSL_CERT_FILE", named)
    assert trusted_authorities() == named


def test_libcurl_is_what_the_probes_were_written_for() -> None:
    """The features that are relied on."""
    features = pycurl.version_info()
    assert "https" in features[8]
    assert features[2] >= 0x080B00
