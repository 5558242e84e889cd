"""The probe kind dns."""

from pathlib import Path

import dns.rcode
import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes.dns import DnsProbe
from faultline_agent.probes.probe import Finding
from faultline_agent.probes.tools import ProbeTools, open_tools
from faultline_agent.probes.tools.resolve import system_resolvers
from tests.agent.probes.conftest import PATIENT_S, problems_with
from tests.agent.probes.servers import NameServer, free_port

NAME = "www.example"


@pytest.fixture(autouse=True)
def known(names: NameServer) -> None:
    """The name server knows one name."""
    names.records[NAME, "A"] = ["192.0.2.1", "192.0.2.2"]


async def find(tools: ProbeTools, timeout_s: float = PATIENT_S, **settings: object) -> Finding:
    """One attempt with these settings."""
    return await DnsProbe.model_validate({"name": NAME, **settings}).run(tools, timeout_s)


async def test_answer_is_ok(resolving_tools: ProbeTools) -> None:
    """NOERROR with records, asked of the agent's resolvers."""
    finding = await find(resolving_tools)
    assert (finding.outcome, finding.detail, finding.status, finding.family) == (Outcome.OK, "", 0, 4)
    assert set(finding.timings_us) == {"dns", "total"}


async def test_named_resolvers_go_before_the_agents(tools: ProbeTools, names: NameServer) -> None:
    """Settings say whom to ask."""
    finding = await find(tools, resolvers=[names.address])
    assert finding.outcome is Outcome.OK
    assert names.asked == [f"{NAME} A udp"]


async def test_ipv6_records_are_asked_for(resolving_tools: ProbeTools, names: NameServer) -> None:
    """AAAA."""
    names.records[NAME, "AAAA"] = ["2001:db8::1"]
    finding = await find(resolving_tools, type="AAAA", answers=["2001:0db8::0001"])
    assert finding.outcome is Outcome.OK


async def test_missing_record_type_is_dns(resolving_tools: ProbeTools, names: NameServer) -> None:
    """NOERROR without records is a failure to whoever needs the address."""
    finding = await find(resolving_tools, type="AAAA")
    assert (finding.outcome, finding.detail) == (Outcome.DNS, f"{NAME} has no AAAA record at {names.address}")


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_unexpected_code_is_dns(
    resolving_tools: ProbeTools, names: NameServer, rcode: dns.rcode.Rcode
) -> None:
    """The status is the code, and the sentence says what was expected."""
    names.rcodes["gone.example"] = rcode
    finding = await find(resolving_tools, name="gone.example")
    assert (finding.outcome, finding.status) == (Outcome.DNS, int(rcode))
    assert finding.detail == f"gone.example: {rcode.name} from {names.address}, expected NOERROR"


async def test_expected_code_is_ok(resolving_tools: ProbeTools) -> None:
    """A name that must not exist."""
    finding = await find(resolving_tools, name="gone.example", rcode="NXDOMAIN")
    assert (finding.outcome, finding.status) == (Outcome.OK, 3)


ANSWERS = {
    "any, one there": (["192.0.2.1", "198.51.100.1"], "any", ""),
    "any, none there": (["198.51.100.1"], "any", "198.51.100.1"),
    "all there": (["192.0.2.2", "192.0.2.1"], "all", ""),
    "all, one missing": (["192.0.2.1", "198.51.100.1"], "all", "198.51.100.1"),
}


@pytest.mark.parametrize(("answers", "match", "missing"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_answers_are_judged(
    resolving_tools: ProbeTools, answers: list[str], match: str, missing: str
) -> None:
    """Any or all of the expected addresses."""
    finding = await find(resolving_tools, answers=answers, answers_match=match)
    wrong = f"{NAME}: {missing} not among the answers 192.0.2.1, 192.0.2.2" if missing else ""
    assert (finding.outcome, finding.detail) == (Outcome.CONTENT if missing else Outcome.OK, wrong)


async def test_truncated_answer_is_asked_again_over_tcp(
    resolving_tools: ProbeTools, names: NameServer
) -> None:
    """RFC 7766."""
    names.truncated.add(NAME)
    finding = await find(resolving_tools)
    assert finding.outcome is Outcome.OK
    assert names.asked == [f"{NAME} A udp", f"{NAME} A tcp"]


async def test_silence_is_a_time_out(resolving_tools: ProbeTools, names: NameServer) -> None:
    """Nobody answers."""
    names.silent.add(NAME)
    finding = await find(resolving_tools, 0.3)
    assert (finding.outcome, finding.detail) == (Outcome.TIMEOUT, "the name was not resolved within 0.3 s")


async def test_lost_question_is_asked_again(resolving_tools: ProbeTools, names: NameServer) -> None:
    """UDP loses packets; a second try after a while is part of the attempt."""
    names.lose = 1
    finding = await find(resolving_tools)
    assert finding.outcome is Outcome.OK
    assert names.asked == [f"{NAME} A udp"] * 2


MALFORMED = {
    "answer cut off": b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03www",
    "header cut off": b"\x81",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_answer_is_dns(resolving_tools: ProbeTools, names: NameServer, raw: bytes) -> None:
    """An answer that cannot be read is the resolver's failure."""
    names.raw[NAME] = raw
    finding = await find(resolving_tools)
    assert finding.outcome is Outcome.DNS
    assert finding.detail.startswith(f"resolver {names.address}: the answer is ")


async def test_next_resolver_is_asked_when_one_fails(resolving_tools: ProbeTools, names: NameServer) -> None:
    """SERVFAIL of one resolver is not yet the answer."""
    async with NameServer(rcodes={NAME: dns.rcode.SERVFAIL}).running() as broken:
        finding = await find(resolving_tools, resolvers=[broken.address, names.address])
    assert finding.outcome is Outcome.OK
    assert (len(broken.asked), len(names.asked)) == (1, 1)


async def test_failure_is_told_when_no_resolver_is_better(names: NameServer, tools: ProbeTools) -> None:
    """A silent resolver beside a failing one leaves the failure."""
    names.silent.add("slow.example")
    async with NameServer(rcodes={"slow.example": dns.rcode.SERVFAIL}).running() as broken:
        finding = await find(tools, name="slow.example", resolvers=[broken.address, names.address])
    assert (finding.outcome, finding.status) == (Outcome.DNS, int(dns.rcode.SERVFAIL))


async def test_closed_resolver_is_dns(tools: ProbeTools) -> None:
    """Nobody listens there."""
    at = f"127.0.0.1:{free_port()}"
    finding = await find(tools, resolvers=[at])
    assert (finding.outcome, finding.detail) == (Outcome.DNS, f"resolver {at}: connection refused")


async def test_forbidden_resolver_is_inconclusive(names: NameServer) -> None:
    """Resolvers that the collector names are asked of the policy, the agent's own are not."""
    async with open_tools((names.address,), refusal=lambda address, port: "not there") as tools:
        told = await find(tools, resolvers=[names.address])
        own = await find(tools)
    assert (told.outcome, told.detail) == (Outcome.INCONCLUSIVE, "not there")
    assert own.outcome is Outcome.OK


BAD = {
    "resolvers": (["dns.example"], "resolvers[0]: 'dns.example' is not"),
    "answers": (["x"], "'x' is not an address"),
    "name": ("a..b", "'a..b' is not a name"),
}


@pytest.mark.parametrize(("field", "value", "said"), [(k, *v) for k, v in BAD.items()], ids=BAD.keys())
def test_bad_setting_is_refused_with_a_sentence(field: str, value: object, said: str) -> None:
    """What cannot be asked never becomes a probe."""
    (problem,) = problems_with(DnsProbe, {"name": NAME, field: value})
    assert said in problem


def test_system_resolvers_are_read_from_resolv_conf() -> None:
    """Whatever this machine says."""
    lines = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    assert list(system_resolvers()) == [line[1] for line in lines if line[:1] == ["nameserver"]]
