"""What an agent gathers of a target at the moment of failure."""

import asyncio
import json
from dataclasses import replace

import dns.rcode
import pytest

from faultline_agent.attempt import Bugs
from faultline_agent.probes.dns import DnsProbe
from faultline_agent.probes.http import HttpProbe
from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tcp import TcpProbe
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.request import bare
from faultline_agent.proofs import PROOFS
from faultline_agent.proofs.certificate import read_certificate
from faultline_agent.proofs.proof import MOST_BYTES, MOST_ITEMS, CannotGather, Data, as_text, gathered
from faultline_agent.proofs.story import gather_story
from tests.agent.probes.certificates import Authority
from tests.agent.probes.servers import NameServer, Reply, Website, free_port, listening, say_nothing
from tests.agent.stage import KeptLog

HOST = "shop.example"


def http(url: str, **settings: object) -> HttpProbe:
    """An http probe."""
    return HttpProbe.model_validate({"url": url, **settings})


def tcp(host: str, port: int) -> TcpProbe:
    """A tcp probe."""
    return TcpProbe.model_validate({"host": host, "port": port})


async def prove(kind: str, probe: Probe, tools: ProbeTools) -> Data:
    """One piece of proof, as it would be sent."""
    data = await gathered(PROOFS[kind], probe, tools, "web", Bugs(KeptLog()))
    found = json.loads(as_text(data))
    assert isinstance(found, dict)
    return found


async def test_story_tells_what_came_back(tools: ProbeTools) -> None:
    """Outcome, address, status and headers of the answer."""
    site = Website({"/": Reply(status=503, headers={"Server": "edge-7", "X-Cache": "MISS"})})
    async with listening(site) as port:
        told = await prove("story", http(f"http://127.0.0.1:{port}/"), tools)
    steps = {step["step"]: step for step in told["steps"]}
    assert (told["outcome"], told["status"]) == ("http", 503)
    assert steps["reached"]["address"] == f"127.0.0.1:{port}"
    assert steps["answered"]["headers"]["server"] == "edge-7"
    assert steps["answered"]["headers"]["x-cache"] == "MISS"


async def test_story_keeps_secrets(tools: ProbeTools) -> None:
    """What is sent and what comes back may open doors; the page shows the story to everyone."""
    site = Website({"/?key=hush": Reply(headers={"Set-Cookie": "sid=hush", "X-Session-Token": "hush"})})
    async with listening(site) as port:
        url = f"http://user:hush@127.0.0.1:{port}/?key=hush"
        probe = http(
            url, headers={"Authorization": "Bearer hush", "X-Api-Key": "hush", "Accept": "text/html"}
        )
        text = as_text(await gather_story(probe, tools))
    assert "hush" not in text
    assert "text/html" in text
    assert "Authorization" in text
    assert bare("https://a:b@c.example:1/d?e=f#g") == "https://c.example:1/d"


async def test_story_of_a_redirect_to_nowhere_is_told(tools: ProbeTools) -> None:
    """Whatever the server says, the answer is there but for what may be secret."""
    site = Website({"/": Reply(302, headers={"Location": "http://[hush"})})
    async with listening(site) as port:
        story = await gather_story(http(f"http://127.0.0.1:{port}/"), tools)
    assert story["outcome"] == "http"
    (answered,) = [step for step in story["steps"] if step["step"] == "answered"]
    assert (answered["status"], answered["headers"]["location"]) == (302, "")


async def test_each_resolver_says_what_it_answers(resolving_tools: ProbeTools, names: NameServer) -> None:
    """Its code, its records, or why it gave none."""
    names.records[HOST, "A"] = ["127.0.0.3", "127.0.0.4"]
    closed = f"127.0.0.1:{free_port()}"
    both = replace(resolving_tools, resolvers=(names.address, closed))
    told = await prove("dns", tcp(HOST, 443), both)
    by = {(each["resolver"], each["type"]): each for each in told["answers"]}
    assert sorted(by[names.address, "A"]["records"]) == ["127.0.0.3", "127.0.0.4"]
    assert by[names.address, "A"]["rcode"] == "NOERROR"
    assert by[names.address, "AAAA"]["records"] == []
    assert "refused" in by[closed, "A"]["problem"]


async def test_a_name_that_fails_is_told_with_its_code(
    resolving_tools: ProbeTools, names: NameServer
) -> None:
    """SERVFAIL is not NXDOMAIN."""
    names.rcodes[HOST] = dns.rcode.SERVFAIL
    told = await prove("dns", tcp(HOST, 443), resolving_tools)
    assert {each["rcode"] for each in told["answers"]} == {"SERVFAIL"}


async def test_the_certificate_is_told_though_it_is_bad(tools: ProbeTools, authority: Authority) -> None:
    """Expired, for another host, of an unknown authority: that is what one wants to see."""
    tls = authority.server("elsewhere.example", days=-1)
    async with listening(Website({"/": Reply()}), tls=tls) as port:
        told = await prove("certificate", http(f"https://127.0.0.1:{port}/"), tools)
    assert told["names"] == ["elsewhere.example"]
    assert told["protocol"].startswith("TLSv1")
    assert told["begins"] < told["ends"]
    assert len(told["sha256"]) == 64


async def test_what_cannot_be_gathered_says_why(tools: ProbeTools) -> None:
    """In a sentence, whatever the reason."""
    port = free_port()
    plain, secure = http(f"http://127.0.0.1:{port}/"), http(f"https://127.0.0.1:{port}/")
    lookup = DnsProbe.model_validate({"name": HOST, "resolvers": [f"127.0.0.1:{port}"]})
    reasons = (
        ("dns", plain, "127.0.0.1 is an address"),
        ("certificate", plain, "this target does not speak TLS"),
        ("certificate", secure, "no handshake with 127.0.0.1: "),
    )
    for kind, probe, reason in reasons:
        told = await prove(kind, probe, tools)
        assert reason in told["unavailable"]
    assert "unavailable" in await prove("traceroute", lookup, replace(tools, policy=lambda a, p: "no"))
    with pytest.raises(CannotGather, match="cannot be read"):
        read_certificate(b"no certificate")


async def test_a_server_that_is_mute_keeps_nobody_waiting(
    tools: ProbeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience has an end; it is shortened here, for nobody wants to wait for it."""
    monkeypatch.setattr("faultline_agent.proofs.certificate.PATIENCE_S", 0.2)
    async with listening(say_nothing) as port:
        told = await prove("certificate", http(f"https://127.0.0.1:{port}/"), tools)
    assert told["unavailable"].startswith("no handshake with 127.0.0.1 within")


async def test_policy_holds_for_proof_too(tools: ProbeTools) -> None:
    """An agent is not to be led to where it may not probe."""
    wary = replace(tools, policy=lambda address, port: f"{address} is not for this agent")
    for kind in ("certificate", "traceroute"):
        told = await prove(kind, http("https://127.0.0.1/"), wary)
        assert told == {"unavailable": "127.0.0.1 is not for this agent"}


async def test_a_bug_in_one_kind_is_told_and_logged(tools: ProbeTools) -> None:
    """The others go on."""

    async def broken(probe: Probe, tools: ProbeTools) -> Data:
        raise ZeroDivisionError("oh")

    log = KeptLog()
    told = await gathered(broken, tcp("127.0.0.1", 9), tools, "web", Bugs(log))
    assert told == {"unavailable": "bug: ZeroDivisionError('oh')"}
    assert len(log.named("bug in a probe")) == 1


async def test_what_takes_too_long_is_left(tools: ProbeTools, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter limit stands for the real one."""

    async def endless(probe: Probe, tools: ProbeTools) -> Data:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("faultline_agent.proofs.proof.LIMIT_S", 0.1)
    monkeypatch.setattr("faultline_agent.proofs.proof.GRACE_S", 0.1)
    told = await gathered(endless, tcp("127.0.0.1", 9), tools, "web", Bugs(KeptLog()))
    assert told == {"unavailable": "not gathered within 0.1 s"}


def test_proof_is_bounded() -> None:
    """Whatever a server says."""
    long = {"headers": {f"x-{i}": "y" * 1_000 for i in range(100)}, "list": list(range(100)), "odd": b"x"}
    kept = json.loads(as_text(long))
    assert len(kept["headers"]) == len(kept["list"]) == MOST_ITEMS
    assert kept["headers"]["x-1"] == "y" * 300 + "..."
    assert kept["odd"] == "b'x'"
    longer = json.loads(as_text({f"k-{i}": ["z" * 300] * 30 for i in range(30)}))
    assert list(longer) == ["unavailable"]
    assert len(as_text(long)) <= MOST_BYTES


async def test_names_are_asked_of_the_systems_resolvers_where_none_is_named(
    tools: ProbeTools, monkeypatch: pytest.MonkeyPatch, names: NameServer
) -> None:
    """Which they are, only the system knows: a test must not ask the machine's real ones."""
    monkeypatch.setattr("faultline_agent.proofs.names.system_resolvers", lambda: (names.address,))
    names.records[HOST, "A"] = ["127.0.0.3"]
    told = await prove("dns", tcp(HOST, 9), tools)
    assert told["answers"][0]["records"] == ["127.0.0.3"]
