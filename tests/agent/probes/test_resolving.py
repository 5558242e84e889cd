"""http and tcp where the agent names its resolvers."""

import dns.rcode
import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Finding, ProbeFailed
from faultline_agent.probes.tools import ProbeTools, open_tools
from faultline_agent.probes.tools.sockets import telling
from tests.agent.probes.certificates import Authority
from tests.agent.probes.conftest import PATIENT_S, TOO_LONG
from tests.agent.probes.servers import NameServer, Reply, Website, free_port, listening

HOST = "shop.example"


def settings(kind: str, port: int, **more: object) -> dict[str, object]:
    """Settings of either kind for the host of these tests."""
    target = {"url": f"http://{HOST}:{port}/"} if kind == "http" else {"host": HOST, "port": port}
    return {**target, **more}


async def find(tools: ProbeTools, kind: str, port: int, timeout_s: float = PATIENT_S) -> Finding:
    """One attempt at the host."""
    return await PROBES[kind].model_validate(settings(kind, port)).run(tools, timeout_s)


both = pytest.mark.parametrize("kind", ["http", "tcp"])


@both
async def test_name_goes_to_the_address_that_the_resolver_says(
    resolving_tools: ProbeTools, names: NameServer, kind: str
) -> None:
    """The address is pinned, the phase is timed, and the host's name is still in the request."""
    names.records[HOST, "A"] = ["127.0.0.3"]
    site = Website({"/": Reply()})
    async with listening(site, "127.0.0.3") as port:
        finding = await find(resolving_tools, kind, port)
    assert (finding.outcome, finding.family) == (Outcome.OK, 4)
    assert finding.timings_us["dns"] > 0
    assert all(f"Host: {HOST}:{port}" in head for head in site.requests)


@both
async def test_next_address_is_tried_when_one_refuses(
    resolving_tools: ProbeTools, names: NameServer, kind: str
) -> None:
    """As a browser does."""
    names.records[HOST, "A"] = ["127.0.0.4", "127.0.0.3"]
    async with listening(Website({"/": Reply()}), "127.0.0.3") as port:
        finding = await find(resolving_tools, kind, port)
    assert finding.outcome is Outcome.OK


@both
async def test_all_addresses_refusing_is_connect(
    resolving_tools: ProbeTools, names: NameServer, kind: str
) -> None:
    """The last refusal is told."""
    names.records[HOST, "A"] = ["127.0.0.4", "127.0.0.3"]
    finding = await find(resolving_tools, kind, free_port())
    assert finding.outcome is Outcome.CONNECT


NO_WAY = "fe80::1"
"""An address that no system goes to without being told by which interface."""


async def test_address_that_the_agent_has_no_way_to_hides_no_refusal(
    resolving_tools: ProbeTools, names: NameServer
) -> None:
    """An agent without IPv6 still sees that a target of both families is down."""
    names.records[HOST, "A"], names.records[HOST, "AAAA"] = ["127.0.0.4"], [NO_WAY]
    finding = await find(resolving_tools, "tcp", free_port())
    assert finding.outcome is Outcome.CONNECT
    assert "refused" in finding.detail
    names.records[HOST, "A"] = []
    finding = await find(resolving_tools, "tcp", free_port())
    assert finding.outcome is Outcome.INCONCLUSIVE


def test_of_two_failures_the_one_that_speaks_is_told() -> None:
    """In whichever order; of two that speak the later, of two that do not the earlier."""
    refused, reset = ProbeFailed(Outcome.CONNECT, "refused"), ProbeFailed(Outcome.CONNECT, "reset")
    no_way, no_file = (ProbeFailed(Outcome.INCONCLUSIVE, said) for said in ("no way", "no file"))
    assert telling(None, no_way) is no_way
    assert telling(refused, no_way) is refused
    assert telling(no_way, refused) is refused
    assert telling(refused, reset) is reset
    assert telling(no_way, no_file) is no_way


@both
async def test_ipv6_is_used_when_there_is_no_ipv4(
    resolving_tools: ProbeTools, names: NameServer, kind: str, six: str
) -> None:
    """AAAA alone is enough."""
    names.records[HOST, "AAAA"] = [six]
    async with listening(Website({"/": Reply()}), six) as port:
        finding = await find(resolving_tools, kind, port)
    assert (finding.outcome, finding.family) == (Outcome.OK, 6)


@both
@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_refused_question_is_dns(
    resolving_tools: ProbeTools, names: NameServer, kind: str, rcode: dns.rcode.Rcode
) -> None:
    """A resolver's refusal is the finding, with its code and who said it."""
    names.rcodes[HOST] = rcode
    finding = await find(resolving_tools, kind, 80)
    assert finding.outcome is Outcome.DNS
    assert finding.detail == f"{HOST} cannot be resolved: {rcode.name} from {names.address}"


@both
async def test_name_without_addresses_is_dns(
    resolving_tools: ProbeTools, names: NameServer, kind: str
) -> None:
    """NOERROR without records."""
    names.records[HOST, "TXT"] = ['"x"']
    finding = await find(resolving_tools, kind, 80)
    assert (finding.outcome, finding.detail) == (Outcome.DNS, f"{HOST} has no address")


async def test_redirect_to_an_impossible_name_is_dns(resolving_tools: ProbeTools, names: NameServer) -> None:
    """What a site sends is judged like what was set."""
    names.records[HOST, "A"] = ["127.0.0.3"]
    site = Website({"/": Reply(302, headers={"Location": f"http://{TOO_LONG}/"})})
    async with listening(site, "127.0.0.3") as port:
        finding = await find(resolving_tools, "http", port)
    assert (finding.outcome, finding.detail) == (Outcome.DNS, f"{TOO_LONG!r} is not a name")


@both
async def test_silent_resolver_times_out(resolving_tools: ProbeTools, names: NameServer, kind: str) -> None:
    """Nobody answers: the phase is named."""
    names.silent.add(HOST)
    finding = await find(resolving_tools, kind, 80, 0.3)
    assert (finding.outcome, finding.detail) == (Outcome.TIMEOUT, "the name was not resolved within 0.3 s")


@both
async def test_closed_resolver_is_dns(kind: str) -> None:
    """A resolver that is not there is known at once."""
    at = f"127.0.0.1:{free_port()}"
    async with open_tools((at,)) as tools:
        finding = await find(tools, kind, 80)
    assert (finding.outcome, finding.detail) == (Outcome.DNS, f"resolver {at}: connection refused")


@both
async def test_second_resolver_is_asked_when_the_first_fails(names: NameServer, kind: str) -> None:
    """One broken resolver does not make a target fail."""
    names.records[HOST, "A"] = ["127.0.0.3"]
    async with listening(Website({"/": Reply()}), "127.0.0.3") as port:
        async with open_tools((f"127.0.0.1:{free_port()}", names.address)) as tools:
            finding = await find(tools, kind, port)
    assert finding.outcome is Outcome.OK


@both
async def test_resolved_address_is_asked_of_the_policy(names: NameServer, kind: str) -> None:
    """A public name cannot lead to a private address."""
    names.records[HOST, "A"] = ["127.0.0.3"]
    async with open_tools((names.address,), refusal=lambda address, at: f"no {address}:{at}") as tools:
        finding = await find(tools, kind, 8080)
    assert (finding.outcome, finding.detail) == (Outcome.INCONCLUSIVE, "no 127.0.0.3:8080")


async def test_certificate_is_the_names_not_the_addresss(
    resolving_tools: ProbeTools, names: NameServer, authority: Authority
) -> None:
    """A pinned address does not change whom the certificate must be for."""
    names.records[HOST, "A"] = ["127.0.0.3"]
    async with listening(Website({"/": Reply()}), "127.0.0.3", tls=authority.server(HOST)) as port:
        wanted = {"url": f"https://{HOST}:{port}/", "ca_file": str(authority.file)}
        finding = await PROBES["http"].model_validate(wanted).run(resolving_tools, PATIENT_S)
    assert finding.outcome is Outcome.OK


async def test_name_beyond_ascii_is_asked_in_punycode(resolving_tools: ProbeTools, names: NameServer) -> None:
    """RFC 3492; the path is percent-encoded."""
    names.records["xn--bcher-kva.example", "A"] = ["127.0.0.3"]
    site = Website({"/%C3%BC": Reply()})
    async with listening(site, "127.0.0.3") as port:
        probe = PROBES["http"].model_validate({"url": f"http://Bücher.example:{port}/ü"})
        finding = await probe.run(resolving_tools, PATIENT_S)
    assert finding.outcome is Outcome.OK
    assert "Host: xn--bcher-kva.example" in site.requests[0]
