"""The probe kind tcp."""

import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding
from faultline_agent.probes.tcp import MOST_ANSWER_BYTES, TcpProbe
from faultline_agent.probes.tools import ProbeTools, open_tools
from tests.agent.probes.conftest import PATIENT_S, TOO_LONG
from tests.agent.probes.servers import (
    Behaviour,
    black_hole,
    close_at_once,
    echo,
    free_port,
    listening,
    reset,
    say_nothing,
    talks,
)


async def find(
    tools: ProbeTools, port: int, timeout_s: float = PATIENT_S, host: str = "127.0.0.1", **settings: object
) -> Finding:
    """One attempt with these settings."""
    return await TcpProbe.model_validate({"host": host, "port": port, **settings}).run(tools, timeout_s)


async def test_connection_is_ok(tools: ProbeTools) -> None:
    """Connecting is enough when nothing is expected."""
    async with listening(say_nothing) as port:
        finding = await find(tools, port)
    assert (finding.outcome, finding.detail, finding.family) == (Outcome.OK, "", 4)
    assert set(finding.timings_us) == {"connect", "total"}


async def test_name_is_resolved_by_the_system(tools: ProbeTools) -> None:
    """The phase is timed for names, not for addresses."""
    async with listening(say_nothing) as port:
        finding = await find(tools, port, host="localhost", family="4")
    assert finding.outcome is Outcome.OK
    assert "dns" in finding.timings_us


async def test_ipv6_address_is_probed(tools: ProbeTools, six: str) -> None:
    """An IPv6 literal works."""
    async with listening(say_nothing, six) as port:
        finding = await find(tools, port, host=six)
    assert (finding.outcome, finding.family) == (Outcome.OK, 6)


async def test_expected_answer_is_ok(tools: ProbeTools) -> None:
    """What is sent is heard and answered; the phase is timed."""
    async with listening(echo) as port:
        finding = await find(tools, port, send="grüß", expect="grüß")
    assert finding.outcome is Outcome.OK
    assert "answer" in finding.timings_us


async def test_greeting_is_expected_without_sending(tools: ProbeTools) -> None:
    """A server that speaks first."""
    async with listening(talks(b"220 mail ESMTP\r\n")) as port:
        finding = await find(tools, port, expect="220 ")
    assert finding.outcome is Outcome.OK


async def test_closed_port_is_connect(tools: ProbeTools) -> None:
    """Refused."""
    port = free_port()
    finding = await find(tools, port)
    assert finding.outcome is Outcome.CONNECT
    assert finding.detail == f"connecting to 127.0.0.1:{port}: connection refused"


async def test_name_that_the_system_does_not_resolve_is_dns(tools: ProbeTools) -> None:
    """An old way to write an IPv4 address, which has no IPv6 address; nobody else is asked."""
    finding = await find(tools, 80, host="0x7f000001", family="6")
    assert finding.outcome is Outcome.DNS
    assert finding.detail.startswith("0x7f000001 cannot be resolved: the name ")


async def test_impossible_name_is_dns(tools: ProbeTools) -> None:
    """A label of 64 characters."""
    finding = await find(tools, 80, host=TOO_LONG)
    assert (finding.outcome, finding.detail) == (Outcome.DNS, f"{TOO_LONG!r} is not a name")


async def test_black_hole_times_out(tools: ProbeTools) -> None:
    """A full backlog."""
    with black_hole() as port:
        finding = await find(tools, port, 0.3)
    assert (finding.outcome, finding.detail) == (Outcome.TIMEOUT, "no connection within 0.3 s")


WRONG: dict[str, tuple[Behaviour, Outcome, str]] = {
    "closed before the answer": (close_at_once, Outcome.CONTENT, "the answer does not contain 'pong'"),
    "another answer": (echo, Outcome.TIMEOUT, "no answer within 0.3 s"),
    "no answer": (say_nothing, Outcome.TIMEOUT, "no answer within 0.3 s"),
    "too long an answer": (
        talks(b"x" * MOST_ANSWER_BYTES),
        Outcome.CONTENT,
        "the answer does not contain 'pong'",
    ),
}


@pytest.mark.parametrize(("behaviour", "outcome", "said"), WRONG.values(), ids=WRONG.keys())
async def test_missing_answer_is_told(
    tools: ProbeTools, behaviour: Behaviour, outcome: Outcome, said: str
) -> None:
    """What was expected did not come."""
    async with listening(behaviour) as port:
        finding = await find(
            tools, port, 0.3 if outcome is Outcome.TIMEOUT else PATIENT_S, send="ping", expect="pong"
        )
    assert (finding.outcome, finding.detail) == (outcome, said)
    assert "connect" in finding.timings_us


async def test_reset_is_connect(tools: ProbeTools) -> None:
    """The connection broke while the answer was awaited."""
    async with listening(reset) as port:
        finding = await find(tools, port, send="ping", expect="pong")
    assert finding.outcome is Outcome.CONNECT
    assert finding.detail == f"talking to 127.0.0.1:{port}: connection reset"


async def test_forbidden_address_is_inconclusive() -> None:
    """The policy's sentence is the finding's."""
    async with open_tools(refusal=lambda address, port: "not there") as tools:
        finding = await find(tools, 80)
    assert (finding.outcome, finding.detail) == (Outcome.INCONCLUSIVE, "not there")


def test_target_on_the_command_line_is_host_and_port() -> None:
    """`host:port`, also for IPv6."""
    assert TcpProbe.read_target("[::1]:443") == {"host": "::1", "port": 443}
    assert TcpProbe.model_validate(TcpProbe.read_target("x.example:25")).endpoints() == (("x.example", 25),)
