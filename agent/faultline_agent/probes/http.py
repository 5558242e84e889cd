"""The probe kind `http`: a request over http or https, and what its answer must be."""

import asyncio
import re
import ssl
from collections.abc import Mapping
from functools import cached_property
from time import time
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, field_validator
from pydantic.config import JsonDict

from faultline.config import Between, Matching
from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding, Probe, ProbeFailed, Tools
from faultline_agent.probes.tools import sockets
from faultline_agent.probes.tools.endpoints import Family, literal, over
from faultline_agent.probes.tools.exchange import Answer, Exchange, Wants
from faultline_agent.probes.tools.patterns import compiled, found
from faultline_agent.probes.tools.request import Request, bare, place
from faultline_agent.probes.tools.resolve import addresses
from faultline_agent.probes.tools.stopwatch import Stopwatch, concluded

_NAME = Matching(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "the name of a header like X-Request-Id")
_NAMES: JsonDict = {"propertyNames": _NAME.schema()}
_STATUSES = "is not a status like 204 or a class of statuses like '2xx'"


def _checked_status(value: object) -> int | str:
    if type(value) is int and 100 <= value <= 599:
        return value
    if isinstance(value, str) and re.fullmatch("[1-5]xx", value):
        return value
    raise ValueError(f"{value!r} {_STATUSES}")


Status = Annotated[
    int | str,
    PlainValidator(_checked_status),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": "^[1-5]xx$"},
            ],
            "errorMessage": _STATUSES,
        }
    ),
]
HeaderName = Annotated[str, _NAME]
HeaderValue = Annotated[str, Matching(r"^[^\r\n\x00]*$", "one line of text")]
Pattern = Annotated[str, Field(max_length=500, json_schema_extra={"format": "regex"})]
Url = Annotated[
    str,
    Matching(
        r"^https?://[^\s\x00-\x1f/?#][^\s\x00-\x1f]*$",
        "a URL like https://example.com/path: http:// or https://, a host, no spaces",
    ),
]


class HttpProbe(Probe):
    """Requests a URL, each time over a new connection."""

    kind: ClassVar[str] = "http"
    timings: ClassVar[tuple[str, ...]] = ("dns", "connect", "tls", "first_byte", "total")
    target_form: ClassVar[str] = "URL"

    url: Url = Field(max_length=2000, description="What to request, http:// or https://.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="Method of the request."
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={},
        max_length=50,
        description="Headers of the request, by name, sent as UTF-8.",
        json_schema_extra=_NAMES,
    )
    body: str = Field(default="", max_length=65_536, description="Body of the request, sent as UTF-8.")
    follow_redirects: Annotated[int, Between(0, 20)] = Field(
        default=5, description="Most redirects to follow; 0: the redirect itself is the answer."
    )
    statuses: tuple[Status, ...] = Field(
        default=("2xx",), min_length=1, max_length=50, description='Statuses that are good, as 204 or "2xx".'
    )
    header_matches: dict[HeaderName, Pattern] = Field(
        default={},
        max_length=20,
        description="Regular expressions (RE2) that the answer's headers must match.",
        json_schema_extra=_NAMES,
    )
    body_contains: str = Field(default="", max_length=4096, description="Text that the body must contain.")
    body_matches: Pattern = Field(
        default="", description="Regular expression (RE2) to be found in the body's first 64 KiB."
    )
    body_lacks: str = Field(default="", max_length=4096, description="Text that the body must not contain.")
    certificate_days: Annotated[int, Between(0, 3650)] = Field(
        default=0, description="Days that the certificate must still be valid; 0: as long as it is valid now."
    )
    family: Family = Field(default="any", description='Addresses to use: "4", "6" or "any".')
    verify: bool = Field(default=True, description="Whether the certificate must be valid and the host's.")
    ca_file: str | None = Field(default=None, description="File of authorities to trust; none: the system's.")

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        place(url)
        return url

    @field_validator("body_matches", "header_matches")
    @classmethod
    def _check_patterns(cls, given: str | dict[str, str]) -> str | dict[str, str]:
        for pattern in given.values() if isinstance(given, dict) else (given,):
            compiled(pattern)
        return given

    @classmethod
    def read_target(cls, text: str) -> dict[str, object]:
        """A URL."""
        return {"url": text}

    @property
    def subject(self) -> str:
        """The URL without user and question."""
        return f"{bare(self.url)}{over(self.family)}"

    def endpoints(self) -> tuple[tuple[str, int], ...]:
        """The host of the URL; redirects are judged as they come."""
        return (place(self.url)[1],)

    @property
    def shows_certificate(self) -> bool:
        """With https."""
        return self.url.startswith("https:")

    async def run(self, tools: Tools, timeout_s: float) -> Finding:
        """One request, with those that redirects lead to."""
        watch = Stopwatch(timeout_s)
        return await concluded(watch, self._steps(tools, watch))

    async def _steps(self, tools: Tools, watch: Stopwatch) -> Finding:
        answer = await self._exchange(tools, watch, request := self._first)
        for _ in range(self.follow_redirects):
            if not answer.redirect:
                break
            request = _follow(request, answer.status, answer.redirect)
            answer = await self._exchange(tools, watch, request)
        if answer.redirect and self.follow_redirects:
            detail = f"redirected more than {self.follow_redirects} times"
            return watch.finding(Outcome.HTTP, detail, answer.status)
        return watch.finding(*await self._judged(answer, watch), answer.status)

    async def _exchange(self, tools: Tools, watch: Stopwatch, request: Request) -> Answer:
        """Makes one request; where the agent resolves, at the first address that takes the connection."""
        host, port = place(request.url)[1]
        itself = literal(host)
        if itself is None and not tools.resolvers:
            return await Exchange(tools, request, self._wants, None).run(watch)
        failure: ProbeFailed | None = None
        for address in (itself,) if itself else await self._addresses(tools, watch, host):
            sockets.check_policy(tools, address, port)
            try:
                return await Exchange(tools, request, self._wants, address).run(watch)
            except ProbeFailed as failed:
                if failed.outcome not in (Outcome.CONNECT, Outcome.INCONCLUSIVE):
                    raise
                failure = sockets.telling(failure, failed)
        raise failure or ProbeFailed(Outcome.DNS, f"{host} has no address")

    async def _addresses(self, tools: Tools, watch: Stopwatch, host: str) -> tuple[str, ...]:
        with watch.timing("dns"):  # libcurl keeps the time of all that comes after
            async with asyncio.timeout(watch.left_s()):
                return await addresses(tools, host, self.family)

    @cached_property
    def _first(self) -> Request:
        return Request(self.method, self.url, self.headers, self.body)

    @cached_property
    def _wants(self) -> Wants:
        return Wants(
            headers=bool(self.header_matches),
            body=bool(self.body_contains or self.body_lacks or self.body_matches),
            certificate=self.certificate_days > 0,
            verify=self.verify,
            ca_file=self.ca_file,
            family=self.family,
        )

    async def _judged(self, answer: Answer, watch: Stopwatch) -> tuple[Outcome, str]:
        """Judges in a thread where there are patterns, since the worst of them take seconds."""
        if not (self.body_matches or self.header_matches):
            return self._judge(answer)
        try:
            async with asyncio.timeout(watch.left_s()):
                return await asyncio.to_thread(self._judge, answer)
        except TimeoutError:
            return Outcome.INCONCLUSIVE, "the patterns took too long to be searched for"

    def _judge(self, answer: Answer) -> tuple[Outcome, str]:
        if answer.status not in self.statuses and f"{answer.status // 100}xx" not in self.statuses:
            wanted = " or ".join(str(good) for good in self.statuses)
            return Outcome.HTTP, f"status {answer.status}, expected {wanted}"
        if wrong := self._wrong_content(answer):
            return Outcome.CONTENT, wrong
        if self.certificate_days and answer.certificate:
            return judge_certificate(answer.certificate, self.certificate_days)
        return Outcome.OK, ""

    def _wrong_content(self, answer: Answer) -> str:
        """What is wrong with headers and body; empty when nothing is."""
        for name, pattern in self.header_matches.items():
            values = [value for each, value in answer.headers if each == name.lower()]
            if not any(found(pattern, value.encode()) for value in values):
                return f"header {name}: {_brief(values[0]) if values else 'absent'}, expected {pattern!r}"
        if self.body_contains and self.body_contains.encode() not in answer.body:
            return f"the body does not contain {_brief(self.body_contains)}"
        if self.body_lacks and self.body_lacks.encode() in answer.body:
            return f"the body contains {_brief(self.body_lacks)}"
        if self.body_matches and not found(self.body_matches, answer.body):
            return f"the body does not match {self.body_matches!r}"
        return ""


def _brief(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")


def _follow(request: Request, status: int, url: str) -> Request:
    try:
        return request.redirected(status, url)
    except ValueError as error:
        raise ProbeFailed(Outcome.HTTP, f"redirected to where it cannot go: {error}") from error


def judge_certificate(certificate: Mapping[str, str], days: int) -> tuple[Outcome, str]:
    """Whether a certificate, as libcurl tells it, is valid for so many more days."""
    try:
        ends = ssl.cert_time_to_seconds(certificate.get("Expire date", ""))
    except ValueError:
        return Outcome.INCONCLUSIVE, "the certificate's end cannot be read"
    left = max(0, int((ends - time()) // 86_400))
    if left >= days:
        return Outcome.OK, ""
    return Outcome.TLS, f"the certificate is valid for {left} more days, expected {days}"
