"""The probe kind http over TLS."""

import pytest

from faultline.outcomes import Outcome
from faultline_agent.probes.http import HttpProbe, judge_certificate
from faultline_agent.probes.probe import Finding
from faultline_agent.probes.tools import ProbeTools
from tests.agent.probes.certificates import Authority
from tests.agent.probes.conftest import PATIENT_S
from tests.agent.probes.servers import Reply, Website, listening, say_nothing, talks


async def find(
    tools: ProbeTools,
    authority: Authority,
    host: str = "127.0.0.1",
    *,
    days: float = 90,
    own: bool = False,
    **settings: object,
) -> Finding:
    """One attempt at a server whose certificate is for `host`."""
    async with listening(Website({"/": Reply()}), tls=authority.server(host, days=days, own=own)) as port:
        settings = {"url": f"https://127.0.0.1:{port}/", "ca_file": str(authority.file), **settings}
        return await HttpProbe.model_validate(settings).run(tools, PATIENT_S)


async def test_tls_is_timed_apart_from_connect(tools: ProbeTools, authority: Authority) -> None:
    """A trusted certificate for the host is ok."""
    finding = await find(tools, authority)
    assert (finding.outcome, finding.status) == (Outcome.OK, 200)
    assert set(finding.timings_us) == {"connect", "tls", "first_byte", "total"}


REFUSED = {
    "expired": ("127.0.0.1", -1, False, "certificate has expired"),
    "another host": ("elsewhere.example", 90, False, "no alternative certificate subject name matches"),
    "signed by itself": ("127.0.0.1", 90, True, "self-signed certificate"),
}


@pytest.mark.parametrize(("host", "days", "own", "said"), REFUSED.values(), ids=REFUSED.keys())
async def test_bad_certificate_is_tls(
    tools: ProbeTools, authority: Authority, host: str, days: float, own: bool, said: str
) -> None:
    """A certificate that a browser would refuse, and the sentence says why."""
    finding = await find(tools, authority, host, days=days, own=own)
    assert finding.outcome is Outcome.TLS
    assert "the certificate is refused" in finding.detail
    assert said in finding.detail
    assert set(finding.timings_us) == {"connect", "total"}


async def test_unknown_authority_is_tls(tools: ProbeTools, authority: Authority) -> None:
    """Without a file of authorities the system's are trusted, which do not know the test's."""
    finding = await find(tools, authority, ca_file=None)
    assert finding.outcome is Outcome.TLS


async def test_certificate_is_not_looked_at_when_told_so(tools: ProbeTools, authority: Authority) -> None:
    """verify: false takes any certificate."""
    finding = await find(tools, authority, "elsewhere.example", days=-1, verify=False)
    assert finding.outcome is Outcome.OK


async def test_certificate_that_ends_soon_is_tls(tools: ProbeTools, authority: Authority) -> None:
    """Fewer days left than wanted; the answer itself was good."""
    finding = await find(tools, authority, days=10.5, certificate_days=14)
    assert (finding.outcome, finding.status) == (Outcome.TLS, 200)
    assert finding.detail == "the certificate is valid for 10 more days, expected 14"


async def test_certificate_that_lasts_is_ok(tools: ProbeTools, authority: Authority) -> None:
    """As many days left as wanted."""
    finding = await find(tools, authority, days=14.5, certificate_days=14)
    assert finding.outcome is Outcome.OK


async def test_server_without_tls_is_tls(tools: ProbeTools) -> None:
    """A server that speaks plain text on a port for TLS."""
    async with listening(talks(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        finding = await HttpProbe.model_validate({"url": f"https://127.0.0.1:{port}/"}).run(tools, PATIENT_S)
    assert finding.outcome is Outcome.TLS
    assert "the TLS handshake failed" in finding.detail


async def test_silent_handshake_times_out(tools: ProbeTools) -> None:
    """A server that never says hello."""
    async with listening(say_nothing) as port:
        finding = await HttpProbe.model_validate({"url": f"https://127.0.0.1:{port}/"}).run(tools, 0.3)
    assert finding.outcome is Outcome.TIMEOUT
    assert finding.detail == "the TLS handshake was not finished within 0.3 s"


async def test_missing_file_of_authorities_is_inconclusive(tools: ProbeTools, authority: Authority) -> None:
    """The agent's own fault says nothing about the target."""
    finding = await find(tools, authority, ca_file="/nowhere.pem")
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "the file of authorities cannot be read" in finding.detail


def test_certificate_without_a_readable_end_is_inconclusive() -> None:
    """A year beyond 9999, say."""
    outcome, said = judge_certificate({"Expire date": "Jan  1 00:00:00 12026 GMT"}, 14)
    assert (outcome, said) == (Outcome.INCONCLUSIVE, "the certificate's end cannot be read")
