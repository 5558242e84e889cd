"""One HTTP request and its answer through libcurl."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, urlsplit

import pycurl

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import ProbeFailed, Story, Tools
from faultline_agent.probes.tools import sockets
from faultline_agent.probes.tools.endpoints import Endpoint, ascii_host, family_of
from faultline_agent.probes.tools.stopwatch import Stopwatch

MOST_BODY_BYTES = 1024 * 1024
"""How much of a body is read; the rest is cut off."""

CODES: dict[int, tuple[Outcome, str]] = {
    pycurl.E_UNSUPPORTED_PROTOCOL: (Outcome.HTTP, "the answer is not HTTP"),
    pycurl.E_FAILED_INIT: (Outcome.INCONCLUSIVE, "libcurl could not start"),
    pycurl.E_URL_MALFORMAT: (Outcome.INCONCLUSIVE, "the URL cannot be understood"),
    pycurl.E_NOT_BUILT_IN: (Outcome.INCONCLUSIVE, "this agent's libcurl lacks a feature"),
    pycurl.E_COULDNT_RESOLVE_HOST: (Outcome.DNS, "the name cannot be resolved"),
    pycurl.E_COULDNT_CONNECT: (Outcome.CONNECT, "no connection"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (Outcome.HTTP, "the answer is not HTTP"),
    pycurl.E_HTTP2: (Outcome.HTTP, "the answer breaks the rules of HTTP/2"),
    pycurl.E_PARTIAL_FILE: (Outcome.HTTP, "the connection was closed in the middle of the answer"),
    pycurl.E_HTTP_RETURNED_ERROR: (Outcome.HTTP, "the server answered with an error"),
    pycurl.E_WRITE_ERROR: (Outcome.INCONCLUSIVE, "the answer could not be taken"),
    pycurl.E_READ_ERROR: (Outcome.INCONCLUSIVE, "the request could not be read"),
    pycurl.E_OUT_OF_MEMORY: (Outcome.INCONCLUSIVE, "this agent's machine is out of memory"),
    pycurl.E_OPERATION_TIMEDOUT: (Outcome.TIMEOUT, "no answer in time"),
    pycurl.E_HTTP_RANGE_ERROR: (Outcome.HTTP, "the server does not take ranges"),
    pycurl.E_HTTP_POST_ERROR: (Outcome.INCONCLUSIVE, "the request cannot be made"),
    pycurl.E_SSL_CONNECT_ERROR: (Outcome.TLS, "the TLS handshake failed"),
    pycurl.E_ABORTED_BY_CALLBACK: (Outcome.INCONCLUSIVE, "the agent broke off"),
    pycurl.E_BAD_FUNCTION_ARGUMENT: (Outcome.INCONCLUSIVE, "libcurl was misused"),
    pycurl.E_INTERFACE_FAILED: (Outcome.INCONCLUSIVE, "this agent's network interface failed"),
    pycurl.E_TOO_MANY_REDIRECTS: (Outcome.HTTP, "too many redirects"),
    pycurl.E_UNKNOWN_OPTION: (Outcome.INCONCLUSIVE, "libcurl was misused"),
    pycurl.E_GOT_NOTHING: (Outcome.HTTP, "the server closed the connection without an answer"),
    pycurl.E_SSL_ENGINE_NOTFOUND: (Outcome.INCONCLUSIVE, "this agent's TLS engine is missing"),
    pycurl.E_SSL_ENGINE_SETFAILED: (Outcome.INCONCLUSIVE, "this agent's TLS engine failed"),
    pycurl.E_SEND_ERROR: (Outcome.HTTP, "the connection broke while the request was sent"),
    pycurl.E_RECV_ERROR: (Outcome.HTTP, "the connection broke before the answer was complete"),
    pycurl.E_SSL_CERTPROBLEM: (Outcome.INCONCLUSIVE, "this agent's client certificate is unusable"),
    pycurl.E_SSL_CIPHER: (Outcome.TLS, "no cipher in common"),
    pycurl.E_PEER_FAILED_VERIFICATION: (Outcome.TLS, "the certificate is refused"),
    pycurl.E_BAD_CONTENT_ENCODING: (Outcome.HTTP, "the answer's encoding is broken"),
    pycurl.E_FILESIZE_EXCEEDED: (Outcome.HTTP, "the answer is too long"),
    pycurl.E_USE_SSL_FAILED: (Outcome.TLS, "TLS could not be had"),
    pycurl.E_SEND_FAIL_REWIND: (Outcome.INCONCLUSIVE, "the request could not be sent again"),
    pycurl.E_SSL_ENGINE_INITFAILED: (Outcome.INCONCLUSIVE, "this agent's TLS engine failed"),
    pycurl.E_SSL_CACERT_BADFILE: (Outcome.INCONCLUSIVE, "the file of authorities cannot be read"),
    pycurl.E_AGAIN: (Outcome.INCONCLUSIVE, "libcurl was not ready"),
    pycurl.E_SSL_CRL_BADFILE: (Outcome.INCONCLUSIVE, "the revocation list cannot be read"),
    pycurl.E_SSL_ISSUER_ERROR: (Outcome.TLS, "the certificate's issuer is not the expected one"),
    pycurl.E_SSL_SHUTDOWN_FAILED: (Outcome.TLS, "TLS was not closed properly"),
    pycurl.E_NO_CONNECTION_AVAILABLE: (Outcome.INCONCLUSIVE, "libcurl has no connection left"),
    pycurl.E_SSL_PINNEDPUBKEYNOTMATCH: (Outcome.TLS, "the certificate's key is not the pinned one"),
    pycurl.E_SSL_INVALIDCERTSTATUS: (Outcome.TLS, "the certificate's status is not good"),
}
"""Every code of libcurl that an HTTP transfer can end with."""

LEAD_S = 0.01
"""How much before the attempt libcurl gives up: it alone knows the phases of a transfer that it ends."""

SECURED = b"SSL connection using "
"""How libcurl begins to tell of protocol and cipher."""

EXPLAINED = frozenset({pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CONNECT_ERROR})
"""Codes to which libcurl adds a reason worth telling."""


REDIRECTS_TO_GET = frozenset({301, 302, 303})
"""After these a POST goes on as GET (RFC 9110, 15.4)."""

FIRST_HOST_ONLY = frozenset({"authorization", "cookie", "host"})
"""Headers that do not follow a redirect elsewhere."""

PORTS = {"http": 80, "https": 443}
"""Default port of each scheme that is probed."""


@lru_cache(maxsize=4096)
def place(url: str) -> tuple[str, Endpoint]:
    """Scheme, and host and port of a URL; ValueError with a sentence when it cannot be requested."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"the URL cannot be understood: {error}") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("the URL is not of the form http://host or https://host")
    return parts.scheme, Endpoint(ascii_host(parts.hostname), PORTS[parts.scheme] if port is None else port)


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    def redirected(self, status: int, url: str) -> "Request":
        """The request that a redirect asks for."""
        method, body, headers = self.method, self.body, self.headers
        if status in REDIRECTS_TO_GET and method != "HEAD" and (status == 303 or method == "POST"):
            method, body = "GET", ""
        if place(url) != place(self.url):
            headers = {name: text for name, text in headers.items() if name.lower() not in FIRST_HOST_ONLY}
        return Request(method, url, headers, body)


@dataclass(frozen=True, slots=True)
class Wants:
    """What of an answer is worth reading, and how TLS is done."""

    headers: bool
    certificate: bool
    verify: bool
    ca_file: str | None
    family: str


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int = 0
    redirect: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    certificate: dict[str, str] = field(default_factory=dict)


_PHASES_TLS = (
    ("dns", pycurl.NAMELOOKUP_TIME_T),
    ("connect", pycurl.CONNECT_TIME_T),
    ("tls", pycurl.APPCONNECT_TIME_T),
    ("first_byte", pycurl.STARTTRANSFER_TIME_T),
)
_PHASES = tuple(entry for entry in _PHASES_TLS if entry[0] != "tls")
_RESOLVE = {"any": pycurl.IPRESOLVE_WHATEVER, "4": pycurl.IPRESOLVE_V4, "6": pycurl.IPRESOLVE_V6}


class Exchange:
    """One transfer on a borrowed handle; its phases go to the stopwatch, finished or not.

    `pin` is the address to connect to, None where libcurl is to resolve the host itself.
    """

    def __init__(self, tools: Tools, request: Request, wants: Wants, pin: str | None) -> None:
        self.answer = Answer()
        self._tools = tools
        self._request = request
        self._wants = wants
        self._pin = pin
        scheme, self._place = place(request.url)
        self._secure = scheme == "https"
        self._refused = ""
        self._full = False
        self._secured_by = ""
        self._opened: list[socket.socket] = []

    async def run(self, watch: Stopwatch) -> Answer:
        """Makes the transfer; raises ProbeFailed or TimeoutError."""
        handle = self._tools.engine.borrow()
        try:
            self._prepare(handle)
            handle.setopt(pycurl.TIMEOUT_MS, max(1, int((watch.left_s() - LEAD_S) * 1000)))
            try:
                await self._tools.engine.perform(handle)
            finally:
                self._time(handle, watch)
        except pycurl.error as error:
            if not (self._full and error.args[0] == pycurl.E_WRITE_ERROR):
                raise self._failure(handle, error.args[0]) from error
        finally:
            self._finish(handle)
            self._tools.engine.give_back(handle)
            for opened in self._opened:  # pycurl works on a duplicate
                opened.close()
        return self.answer

    def _prepare(self, handle: pycurl.Curl) -> None:
        request, wants = self._request, self._wants
        handle.setopt(pycurl.URL, _ascii_url(request.url, self._place))
        handle.setopt(pycurl.WRITEFUNCTION, self._take)
        if request.headers:
            lines = [f"{name}: {value}" for name, value in request.headers.items()]
            handle.setopt(pycurl.HTTPHEADER, lines)
        self._prepare_method(handle)
        if self._pin is None:
            handle.setopt(pycurl.IPRESOLVE, _RESOLVE[wants.family])
            handle.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        elif self._pin != self._place.host:
            handle.setopt(pycurl.CONNECT_TO, [f"::{Endpoint(self._pin, self._place.port)}"])
        if self._secure:
            self._prepare_tls(handle)
        if wants.headers or self._tools.story:
            handle.setopt(pycurl.HEADERFUNCTION, self._take_header)
        if self._tools.story:
            handle.setopt(pycurl.VERBOSE, 1)
            handle.setopt(pycurl.DEBUGFUNCTION, self._overhear)

    def _prepare_method(self, handle: pycurl.Curl) -> None:
        request = self._request
        if request.method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)
        elif request.method != "GET" or request.body:
            handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        if request.body:
            handle.setopt(pycurl.POSTFIELDS, request.body.encode())

    def _prepare_tls(self, handle: pycurl.Curl) -> None:
        if not self._wants.verify:
            handle.setopt(pycurl.SSL_VERIFYPEER, 0)
            handle.setopt(pycurl.SSL_VERIFYHOST, 0)
        if self._wants.ca_file is not None:
            handle.setopt(pycurl.CAINFO, self._wants.ca_file)
        if self._wants.certificate or self._tools.story:
            handle.setopt(pycurl.OPT_CERTINFO, 1)

    def _take(self, data: bytes) -> int | None:
        body, most = self.answer.body, MOST_BODY_BYTES
        if len(body) + len(data) <= most:
            body += data
            return None
        body += data[: most - len(body)]
        self._full = True
        return 0

    def _take_header(self, line: bytes) -> None:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            self.answer.headers.append((name.strip().lower(), value.strip()))
        elif line.startswith(b"HTTP/"):
            self.answer.headers.clear()

    def _open(self, purpose: int, address: tuple[int, int, int, tuple[str | bytes, int]]) -> object:
        family, kind, protocol, place = address
        host = place[0].decode() if isinstance(place[0], bytes) else place[0]
        if refused := self._tools.refusal(host, place[1]):
            self._refused = refused
            return pycurl.SOCKET_BAD
        opened = socket.socket(family, kind, protocol)
        self._opened.append(opened)
        return opened

    def _overhear(self, kind: int, data: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and data.startswith(SECURED):
            self._secured_by = data.decode("utf-8", "replace").removeprefix(SECURED.decode()).strip()

    def _finish(self, handle: pycurl.Curl) -> None:
        answer = self.answer
        answer.status = handle.getinfo(pycurl.RESPONSE_CODE)
        if 300 <= answer.status < 400:
            answer.redirect = _text(handle.getinfo_raw(pycurl.REDIRECT_URL) or b"")
        if self._secure and (self._wants.certificate or self._tools.story):
            chain = handle.getinfo_raw(pycurl.INFO_CERTINFO)
            answer.certificate = {_text(name): _text(said) for name, said in chain[0]} if chain else {}
        if self._tools.story:
            self._tell(self._tools.story, handle)

    def _tell(self, story: Story, handle: pycurl.Curl) -> None:
        answer, request = self.answer, self._request
        story.tell("requested", method=request.method, url=request.url, headers=dict(request.headers))
        if address := handle.getinfo(pycurl.PRIMARY_IP):
            story.tell("reached", address=str(Endpoint(address, handle.getinfo(pycurl.PRIMARY_PORT))))
        if answer.certificate or self._secured_by:
            names = {"Subject": "subject", "Issuer": "issuer", "Start date": "begins", "Expire date": "ends"}
            certificate = {word: answer.certificate.get(name, "") for name, word in names.items()}
            story.tell("secured", by=self._secured_by, **certificate)
        if answer.status:
            story.tell(
                "answered", status=answer.status, headers=dict(answer.headers), body_bytes=len(answer.body)
            )

    def _time(self, handle: pycurl.Curl, watch: Stopwatch) -> None:
        """Splits libcurl's times since the start (each 0 until reached) into durations of phases."""
        last = 0
        for phase, info in _PHASES_TLS if self._secure else _PHASES:
            watch.phase = phase
            at = handle.getinfo(info)
            if not at:
                return
            if phase == "connect":
                watch.family = family_of(self._pin or handle.getinfo(pycurl.PRIMARY_IP))
            if phase != "dns" or self._pin is None:
                watch.add(phase, at - last)
            last = at
        watch.phase = "body"

    def _failure(self, handle: pycurl.Curl, code: int) -> Exception:
        if self._refused:
            return ProbeFailed(Outcome.INCONCLUSIVE, self._refused)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return TimeoutError()
        if code == pycurl.E_COULDNT_CONNECT and (number := handle.getinfo(pycurl.OS_ERRNO)):
            return sockets.failed(number, f"connecting to {self._place}")
        outcome, said = CODES.get(code, (Outcome.INCONCLUSIVE, f"libcurl ended with code {code}"))
        reason = f" ({_reason(_text(handle.errstr_raw()))})" if code in EXPLAINED else ""
        return ProbeFailed(outcome, f"{self._place}: {said}{reason}")


def _ascii_url(url: str, at: Endpoint) -> str:
    """The URL with its host in ASCII, as libcurl without IDN needs it."""
    if url.isascii():
        return url
    host = urlsplit(url).hostname or ""
    start = url.lower().index(host, url.index("//"))
    return quote(url[:start] + at.host + url[start + len(host) :], safe=_URL_SAFE)


_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"
"""Characters of a URL that stay as they are; all others beyond ASCII are percent-encoded (RFC 3987, 3.1)."""


def _text(said: bytes) -> str:
    """What the other side said, which need not be UTF-8."""
    return said.decode("utf-8", "replace")


def _reason(text: str) -> str:
    """libcurl's own words without the number of OpenSSL's error, which only programs read."""
    plain = text.removeprefix("SSL certificate problem: ").removeprefix("SSL: ")
    return plain.rpartition("error:")[2].lstrip("0123456789ABCDEF:").replace("routines::", ": ").strip()[:200]
