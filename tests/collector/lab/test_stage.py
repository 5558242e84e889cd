"""Every failure that the lab can show, seen through real sockets as an agent would see it."""

import pytest

from faultline_collector.lab.faults import BadFault, Failure, Fault
from faultline_collector.lab.stage import Claim, Stage
from faultline_collector.lab.world import REFERENCE_PORT, UP_NAME, Cell, Part, Vantage
from faultline_collector.outages import Scope
from tests.collector.lab.visitor import greet, look_up, visit

CONNECT, TIMEOUT, TLS, VERIFY, RECEIVE = 7, 28, 35, 60, 56


def part_of(stage: Stage, service: str, component: str) -> Part:
    """One component."""
    return stage.world.part(Cell("", service, component))


def first(stage: Stage) -> Vantage:
    """The agent in India."""
    return stage.world.vantages[0]


def last(stage: Stage) -> Vantage:
    """An agent elsewhere."""
    return stage.world.vantages[-1]


async def test_whole_world_answers_as_it_should(stage: Stage) -> None:
    """Every http and https component with 200 and its page, every tcp one with its greeting."""
    vantage = first(stage)
    for part in stage.world.parts():
        if part.transport in ("http", "https"):
            code, status, text = await visit(stage, vantage, part)
            assert (code, status) == (0, 200)
            assert f"{part.service} {part.id} is here" in text
        elif part.transport == "tcp":
            address = stage.world.address(vantage, part.service)
            assert await greet(address, part.port) == f"{part.service} {part.id} is here"


async def test_resolver_gives_each_agent_its_own_address(stage: Stage) -> None:
    """The same name, another address."""
    for vantage in stage.world.vantages:
        rcode, addresses = await look_up(stage, vantage, "web.twitter.test")
        assert (rcode, addresses) == ("NOERROR", [stage.world.address(vantage, "twitter")])


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (Failure.REFUSED, {(CONNECT, 0)}),
        (Failure.BLACKHOLE, {(TIMEOUT, 0)}),
        (Failure.RESET, {(TLS, 0), (CONNECT, 0), (RECEIVE, 0)}),
        (Failure.HTTP, {(0, 503)}),
        (Failure.SLOW, {(TIMEOUT, 0)}),
        (Failure.CONTENT, {(0, 200)}),
        (Failure.EXPIRED, {(VERIFY, 0)}),
    ],
    ids=lambda value: value.value if isinstance(value, Failure) else "",
)
async def test_failure_of_a_site_is_real(stage: Stage, failure: Failure, seen: set[tuple[int, int]]) -> None:
    """The first agent's region sees it, others do not, and it is whole again after clear."""
    part, vantage = part_of(stage, "twitter", "web"), first(stage)
    stage.inject(Fault(Scope.REGIONAL, "twitter", failure, regions=(vantage.region,)))
    code, status, text = await visit(stage, vantage, part)
    assert (code, status) in seen
    assert "is here" not in text
    assert (await visit(stage, last(stage), part))[:2] == (0, 200)
    stage.clear()
    assert (await visit(stage, vantage, part))[:2] == (0, 200)


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (Failure.SERVFAIL, "SERVFAIL"),
        (Failure.NXDOMAIN, "NXDOMAIN"),
        (Failure.SILENT, "silent"),
    ],
    ids=lambda value: value.value if isinstance(value, Failure) else "",
)
async def test_failure_of_a_name_is_real(stage: Stage, failure: Failure, seen: str) -> None:
    """Only the names of the failing service fail."""
    stage.inject(Fault(Scope.GLOBAL, "npm", failure))
    assert (await look_up(stage, first(stage), "registry.npm.test"))[0] == seen
    assert (await look_up(stage, first(stage), "web.reddit.test"))[0] == "NOERROR"


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (Failure.REFUSED, "ConnectionRefusedError"),
        (Failure.BLACKHOLE, "TimeoutError"),
        (Failure.RESET, "ConnectionResetError"),
        (Failure.SLOW, "TimeoutError"),
        (Failure.CONTENT, "busy"),
    ],
    ids=lambda value: value.value if isinstance(value, Failure) else "",
)
async def test_failure_of_a_tcp_service_is_real(stage: Stage, failure: Failure, seen: str) -> None:
    """As a client that waits for a greeting meets it."""
    part, vantage = part_of(stage, "signal", "messages"), first(stage)
    stage.inject(Fault(Scope.GLOBAL, "signal", failure))
    assert await greet(stage.world.address(vantage, "signal"), part.port) == seen


async def test_login_fails_while_the_page_is_fine(stage: Stage) -> None:
    """One component of a service can fail alone, with status 200."""
    stage.inject(Fault(Scope.GLOBAL, "twitter", Failure.CONTENT, component="login"))
    code, status, text = await visit(stage, first(stage), part_of(stage, "twitter", "login"))
    assert (code, status) == (0, 200)
    assert "Something went wrong" in text
    assert "is here" in (await visit(stage, first(stage), part_of(stage, "twitter", "web")))[2]


async def test_wrong_password_is_refused(stage: Stage) -> None:
    """A login is really looked at."""
    part = part_of(stage, "twitter", "login")
    assert (await visit(stage, first(stage), part, body="user=probe&password=no"))[1] == 401


async def test_network_fault_leaves_the_references_of_its_agents(stage: Stage) -> None:
    """Targets are black-holed, gateway and resolver answer."""
    vantage = first(stage)
    stage.inject(Fault(Scope.NETWORK, str(vantage.asn)))
    assert (await visit(stage, vantage, part_of(stage, "reddit", "web")))[0] == TIMEOUT
    assert await greet(stage.world.gateway(vantage), REFERENCE_PORT) == "nothing"
    assert (await look_up(stage, vantage, UP_NAME))[0] == "NOERROR"


async def test_agent_fault_takes_its_references_too(stage: Stage) -> None:
    """Nothing of its own answers; another agent's does."""
    vantage = first(stage)
    stage.inject(Fault(Scope.AGENT, vantage.id))
    assert await greet(stage.world.gateway(vantage), REFERENCE_PORT) == "TimeoutError"
    assert (await look_up(stage, vantage, UP_NAME))[0] == "silent"
    assert await greet(stage.world.gateway(last(stage)), REFERENCE_PORT) == "nothing"


async def test_bad_fault_changes_nothing(stage: Stage) -> None:
    """It is refused before anything breaks."""
    with pytest.raises(BadFault):
        stage.inject(Fault(Scope.GLOBAL, "nothing"))
    assert not stage.faults


def test_two_labs_take_different_addresses() -> None:
    """Each claims a block of its own."""
    one, other = Claim(), Claim()
    assert one.block != other.block
    one.close()
    other.close()
