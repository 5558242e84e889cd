"""The probe kind http over plain HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes.http import HttpProbe
from faultline_agent.probes.probe import Finding
from faultline_agent.probes.tools import ProbeTools, open_tools
from faultline_agent.probes.tools.exchange import MOST_BODY_BYTES
from faultline_agent.probes.tools.patterns import MOST_TEXT
from tests.agent.probes.conftest import PATIENT_S, TOO_LONG, problems_with
from tests.agent.probes.servers import (
    Reply,
    Website,
    black_hole,
    close_at_once,
    free_port,
    listening,
    reset,
    say_nothing,
    talks,
)

SHORT_S = 0.3
"""A time limit that is meant to be met."""


@pytest.fixture
async def site() -> Website:
    """A website with one page."""
    return Website({"/": Reply()})


@pytest.fixture
async def port(site: Website) -> AsyncIterator[int]:
    """Where the website listens."""
    async with listening(site) as bound:
        yield bound


async def find(
    tools: ProbeTools, url: str, /, *, timeout_s: float = PATIENT_S, **settings: object
) -> Finding:
    """One attempt with these settings."""
    return await HttpProbe.model_validate({"url": url, **settings}).run(tools, timeout_s)


async def test_answer_is_ok_with_every_phase_timed(tools: ProbeTools, port: int) -> None:
    """A good answer has status, family and the phases that were reached, within the total."""
    finding = await find(tools, f"http://127.0.0.1:{port}/")
    assert (finding.outcome, finding.detail, finding.status, finding.family) == (Outcome.OK, "", 200, 4)
    assert set(finding.timings_us) == {"connect", "first_byte", "total"}
    assert 0 < finding.timings_us["connect"] + finding.timings_us["first_byte"] <= finding.timings_us["total"]


async def test_name_is_resolved_by_the_system_and_timed(tools: ProbeTools, port: int) -> None:
    """Where the agent names no resolvers libcurl resolves, and the phase is there."""
    finding = await find(tools, f"http://localhost:{port}/", family="4")
    assert finding.outcome is Outcome.OK
    assert "dns" in finding.timings_us


async def test_ipv6_address_is_probed(tools: ProbeTools, six: str, site: Website) -> None:
    """An IPv6 literal works, and the family says so."""
    async with listening(site, six) as bound:
        finding = await find(tools, f"http://[::1]:{bound}/")
    assert (finding.outcome, finding.family) == (Outcome.OK, 6)


async def test_closed_port_is_connect(tools: ProbeTools) -> None:
    """A refused connection says so and has no phases."""
    bound = free_port()
    finding = await find(tools, f"http://127.0.0.1:{bound}/")
    assert finding.outcome is Outcome.CONNECT
    assert finding.detail == f"connecting to 127.0.0.1:{bound}: connection refused"
    assert set(finding.timings_us) == {"total"}


async def test_unknown_name_is_dns(tools: ProbeTools) -> None:
    """A name that the system refuses without asking anybody: its label is too long."""
    finding = await find(tools, f"http://{TOO_LONG}/")
    assert finding.outcome is Outcome.DNS
    assert finding.detail == f"{TOO_LONG}:80: the name cannot be resolved"


async def test_black_hole_times_out_connecting(tools: ProbeTools) -> None:
    """A full backlog drops packets: time-out, and the sentence names the phase."""
    with black_hole() as bound:
        finding = await find(tools, f"http://127.0.0.1:{bound}/", timeout_s=SHORT_S)
    assert (finding.outcome, finding.detail) == (Outcome.TIMEOUT, "no connection within 0.3 s")
    assert set(finding.timings_us) == {"total"}


async def test_silent_server_times_out_waiting(tools: ProbeTools) -> None:
    """A server that takes the request and says nothing."""
    async with listening(say_nothing) as bound:
        finding = await find(tools, f"http://127.0.0.1:{bound}/", timeout_s=SHORT_S)
    assert (finding.outcome, finding.detail) == (Outcome.TIMEOUT, "no answer within 0.3 s")
    assert set(finding.timings_us) == {"connect", "total"}
    assert finding.family == 4


async def test_unfinished_answer_times_out(tools: ProbeTools) -> None:
    """A body that stops halfway while the connection stays open."""
    async with listening(talks(Reply(length=100).encode())) as bound:
        finding = await find(tools, f"http://127.0.0.1:{bound}/", timeout_s=SHORT_S)
    assert (finding.outcome, finding.detail) == (Outcome.TIMEOUT, "the answer was not complete within 0.3 s")
    assert "first_byte" in finding.timings_us


BROKEN = {
    "reset": (reset, "the connection broke before the answer was complete"),
    "closed": (close_at_once, "the server closed the connection without an answer"),
    "not HTTP": (talks(b"SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not HTTP"),
}


@pytest.mark.parametrize(("behaviour", "said"), BROKEN.values(), ids=BROKEN.keys())
async def test_broken_conversation_is_http(tools: ProbeTools, behaviour: object, said: str) -> None:
    """A server that takes the connection and then does not answer as HTTP asks."""
    async with listening(behaviour) as bound:  # type: ignore[arg-type]
        finding = await find(tools, f"http://127.0.0.1:{bound}/")
    assert (finding.outcome, finding.detail) == (Outcome.HTTP, f"127.0.0.1:{bound}: {said}")


async def test_answer_cut_short_is_http(tools: ProbeTools, site: Website, port: int) -> None:
    """Fewer bytes than promised."""
    site.pages["/"] = Reply(length=100)
    finding = await find(tools, f"http://127.0.0.1:{port}/")
    assert finding.outcome is Outcome.HTTP
    assert "closed in the middle" in finding.detail


STATUSES = {
    "default takes 2xx": (204, ["2xx"], Outcome.OK),
    "server error": (503, ["2xx"], Outcome.HTTP),
    "listed": (404, [200, 404], Outcome.OK),
    "class": (404, ["2xx", "4xx"], Outcome.OK),
    "not listed": (200, [404], Outcome.HTTP),
}


@pytest.mark.parametrize(("status", "wanted", "outcome"), STATUSES.values(), ids=STATUSES.keys())
async def test_status_is_judged(
    tools: ProbeTools, site: Website, port: int, status: int, wanted: list[int | str], outcome: Outcome
) -> None:
    """Statuses are good one by one or by class."""
    site.pages["/"] = Reply(status, body=b"")
    finding = await find(tools, f"http://127.0.0.1:{port}/", statuses=wanted)
    assert (finding.outcome, finding.status) == (outcome, status)


async def test_wrong_status_says_what_was_expected(tools: ProbeTools, port: int) -> None:
    """The sentence has both."""
    finding = await find(tools, f"http://127.0.0.1:{port}/none", statuses=["2xx", 301])
    assert finding.detail == "status 404, expected 2xx or 301"


CONTENT = {
    "contains": ({"body_contains": "Welcome"}, ""),
    "does not contain": ({"body_contains": "Goodbye"}, "the body does not contain 'Goodbye'"),
    "matches": ({"body_matches": "Wel.ome, \\w+"}, ""),
    "does not match": ({"body_matches": "^x"}, "the body does not match '^x'"),
    "lacks": ({"body_lacks": "error"}, ""),
    "does not lack": ({"body_lacks": "user"}, "the body contains 'user'"),
    "header matches": ({"header_matches": {"X-Served-By": "^edge-"}}, ""),
    "header differs": (
        {"header_matches": {"x-served-by": "^origin"}},
        "header x-served-by: 'edge-7', expected '^origin'",
    ),
    "header absent": ({"header_matches": {"X-No": "."}}, "header X-No: absent, expected '.'"),
}


@pytest.mark.parametrize(("settings", "wrong"), CONTENT.values(), ids=CONTENT.keys())
async def test_content_is_judged(
    tools: ProbeTools, site: Website, port: int, settings: dict[str, Any], wrong: str
) -> None:
    """Headers and body are matched, and the sentence says what is wrong."""
    site.pages["/"] = Reply(body=b"Welcome, user", headers={"X-Served-By": "edge-7"})
    finding = await find(tools, f"http://127.0.0.1:{port}/", **settings)
    assert (finding.outcome, finding.detail) == (Outcome.CONTENT if wrong else Outcome.OK, wrong)


async def test_long_body_is_read_to_its_bound(tools: ProbeTools, site: Website, port: int) -> None:
    """What lies beyond the bound is not seen, and the answer is judged by what was read."""
    site.pages["/"] = Reply(body=b"begin" + b"." * MOST_BODY_BYTES + b"end")
    begin = await find(tools, f"http://127.0.0.1:{port}/", body_contains="begin")
    end = await find(tools, f"http://127.0.0.1:{port}/", body_contains="end")
    assert (begin.outcome, begin.status, end.outcome) == (Outcome.OK, 200, Outcome.CONTENT)


async def test_request_is_sent_as_set(tools: ProbeTools, site: Website, port: int) -> None:
    """Method, headers and body arrive."""
    settings: dict[str, Any] = {"method": "PUT", "headers": {"X-Token": "größe"}, "body": "größe=1"}
    finding = await find(tools, f"http://127.0.0.1:{port}/", **settings)
    assert finding.outcome is Outcome.OK
    assert site.requests[0].startswith("PUT / HTTP/1.1\r\n")
    assert "X-Token: größe\r\n" in site.requests[0].encode("latin-1").decode()
    assert site.bodies == ["größe=1".encode()]


async def test_head_has_no_body(tools: ProbeTools, site: Website, port: int) -> None:
    """HEAD does not wait for the body that the headers promise."""
    site.pages["/"] = Reply(body=b"", length=5)
    finding = await find(tools, f"http://127.0.0.1:{port}/", method="HEAD")
    assert finding.outcome is Outcome.OK
    assert site.requests[0].startswith("HEAD / ")


async def test_redirect_is_followed(tools: ProbeTools, site: Website, port: int) -> None:
    """The last answer counts, and times add up over the hops."""
    site.pages["/old"] = Reply(302, headers={"Location": "/"})
    finding = await find(tools, f"http://127.0.0.1:{port}/old")
    assert (finding.outcome, finding.status) == (Outcome.OK, 200)
    assert [head.split()[1] for head in site.requests] == ["/old", "/"]


async def test_redirect_is_the_answer_when_none_is_followed(
    tools: ProbeTools, site: Website, port: int
) -> None:
    """Zero redirects: the redirect's own status is judged."""
    site.pages["/old"] = Reply(301, headers={"Location": "/"})
    finding = await find(tools, f"http://127.0.0.1:{port}/old", follow_redirects=0, statuses=[301])
    assert (finding.outcome, finding.status) == (Outcome.OK, 301)


async def test_redirect_loop_is_http(tools: ProbeTools, site: Website, port: int) -> None:
    """A loop ends at the bound."""
    site.pages["/a"] = Reply(302, headers={"Location": "/a"})
    finding = await find(tools, f"http://127.0.0.1:{port}/a", follow_redirects=3)
    assert (finding.outcome, finding.detail) == (Outcome.HTTP, "redirected more than 3 times")
    assert len(site.requests) == 4


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://127.0.0.1:99999/"])
async def test_redirect_to_another_protocol_is_http(
    tools: ProbeTools, site: Website, port: int, place: str
) -> None:
    """Only http and https are followed."""
    site.pages["/old"] = Reply(302, headers={"Location": place})
    finding = await find(tools, f"http://127.0.0.1:{port}/old")
    assert finding.outcome is Outcome.HTTP


METHODS = {
    "303 makes GET": (303, "POST", "GET", b""),
    "302 makes GET of POST": (302, "POST", "GET", b""),
    "302 keeps PUT": (302, "PUT", "PUT", b"x"),
    "307 keeps POST": (307, "POST", "POST", b"x"),
}


@pytest.mark.parametrize(("status", "method", "then", "body"), METHODS.values(), ids=METHODS.keys())
async def test_redirect_changes_the_method_as_rfc_9110_says(
    tools: ProbeTools, site: Website, port: int, status: int, method: str, then: str, body: bytes
) -> None:
    """Section 15.4."""
    site.pages["/old"] = Reply(status, headers={"Location": "/"})
    await find(tools, f"http://127.0.0.1:{port}/old", method=method, body="x")
    assert site.requests[1].split()[0] == then
    assert site.bodies[1] == body


async def test_secrets_do_not_follow_a_redirect_elsewhere(
    tools: ProbeTools, site: Website, port: int
) -> None:
    """Authorization is for the first host; other headers go on."""
    site.pages["/old"] = Reply(302, headers={"Location": f"http://localhost:{port}/"})
    headers = {"Authorization": "Bearer x", "X-Kept": "1"}
    await find(tools, f"http://127.0.0.1:{port}/old", headers=headers, family="4")
    assert "Authorization" in site.requests[0]
    assert "Authorization" not in site.requests[1]
    assert "X-Kept: 1" in site.requests[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_forbidden_address_is_inconclusive(site: Website, port: int, host: str) -> None:
    """The policy is asked before any connection, also where libcurl resolves by itself."""
    async with open_tools(refusal=lambda address, at: f"no {address}") as tools:
        finding = await find(tools, f"http://{host}:{port}/", family="4")
    assert (finding.outcome, finding.detail) == (Outcome.INCONCLUSIVE, "no 127.0.0.1")
    assert site.requests == []


async def test_policy_is_asked_again_after_a_redirect(site: Website, port: int) -> None:
    """A public page cannot lead the agent to a private one."""
    site.pages["/old"] = Reply(302, headers={"Location": f"http://127.0.0.2:{port}/"})
    async with open_tools(refusal=lambda address, at: "no" if address == "127.0.0.2" else "") as tools:
        finding = await find(tools, f"http://127.0.0.1:{port}/old")
    assert (finding.outcome, finding.detail) == (Outcome.INCONCLUSIVE, "no")


BAD = {
    "ftp://x/": "is not a URL like https://example.com/path",
    "http://": "is not a URL like https://example.com/path",
    "http://x/a b": "is not a URL like https://example.com/path",
    "http://x/\x00": "is not a URL like https://example.com/path",
    "http://x:70000/": "the URL cannot be understood",
    "http://ü..x/": "is not a host name",
}


@pytest.mark.parametrize(("url", "said"), BAD.items(), ids=BAD.keys())
def test_bad_url_is_refused_with_a_sentence(url: str, said: str) -> None:
    """A target that cannot be requested never becomes a probe."""
    (problem,) = problems_with(HttpProbe, {"url": url})
    assert said in problem


@pytest.mark.parametrize("field", ["body_matches", "header_matches"])
def test_bad_pattern_is_refused_with_a_sentence(field: str) -> None:
    """A pattern is compiled when it is read."""
    value = "(" if field == "body_matches" else {"X": "("}
    with pytest.raises(ValueError, match="is not a regular expression"):
        HttpProbe.model_validate({"url": "http://x/", field: value})


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"(a|aa)+!", r"(x+x+)+y", r"(.*a){12}!"])
async def test_catastrophic_pattern_is_searched_in_linear_time(
    tools: ProbeTools, site: Website, port: int, pattern: str
) -> None:
    """What takes a backtracking engine for ever has its answer; the body is the size that is searched."""
    site.pages["/"] = Reply(body=b"a" * (MOST_TEXT - 1) + b"?")
    finding = await find(tools, f"http://127.0.0.1:{port}/", body_matches=pattern)
    assert (finding.outcome, finding.detail) == (Outcome.CONTENT, f"the body does not match {pattern!r}")


async def test_search_that_outlasts_the_attempt_says_nothing_of_the_target(
    tools: ProbeTools, site: Website, port: int
) -> None:
    """The largest pattern that is taken needs longer than such an attempt has, and the loop goes on."""
    site.pages["/"] = Reply(body=b"ab" * (MOST_TEXT // 2))
    finding = await find(
        tools, f"http://127.0.0.1:{port}/", body_matches="(?i)(.*a){200}x", timeout_s=SHORT_S
    )
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.detail == "the patterns took too long to be searched for"


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "[ab].{900}z"])
def test_pattern_beyond_linear_time_is_refused(pattern: str) -> None:
    """Looking around and back, and what is too large once compiled."""
    with pytest.raises(ValueError, match="is not a regular expression"):
        HttpProbe.model_validate({"url": "http://x/", "body_matches": pattern})


def test_header_cannot_smuggle_a_line() -> None:
    """A value with a line break would be a second header."""
    (problem,) = problems_with(HttpProbe, {"url": "http://x/", "headers": {"X": "1\r\nY: 2"}})
    assert problem.startswith("headers.X: '1\\r\\nY: 2' is not ")


def test_endpoint_is_the_urls_host_and_port() -> None:
    """What the policy looks at first, with the scheme's port and the host in ASCII."""
    assert HttpProbe.model_validate({"url": "https://bücher.example/"}).endpoints() == (
        ("xn--bcher-kva.example", 443),
    )
