"""One HTTP request and its answer through libcurl."""

import socket
from dataclasses import dataclass, field

import pycurl

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import ProbeFailed, Story, Tools
from faultline_agent.probes.tools import codes, sockets
from faultline_agent.probes.tools.endpoints import Endpoint, family_of
from faultline_agent.probes.tools.request import Request, ascii_url, place
from faultline_agent.probes.tools.stopwatch import Stopwatch

MOST_BODY_BYTES = 1024 * 1024
"""How much of a body is read; the rest is cut off."""

LEAD_S = 0.01
"""How much before the attempt libcurl gives up: it alone knows the phases of a transfer that it ends."""

SECURED = b"SSL connection using "
"""How libcurl begins to tell of protocol and cipher."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What of an answer is worth reading, and how TLS is done."""

    headers: bool
    body: bool
    certificate: bool
    verify: bool
    ca_file: str | None
    family: str

    @property
    def plain(self) -> bool:
        """Whether libcurl does so unasked, where it need not resolve."""
        return self.verify and self.ca_file is None and not (self.headers or self.certificate)


@dataclass(slots=True)
class Answer:
    """What came back; `body` and `headers` where they are wanted."""

    status: int = 0
    redirect: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    body_bytes: int = 0
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

    _unopened = ""
    _full = False
    _secured_by = ""
    _opened: tuple[socket.socket, ...] = ()

    def __init__(self, tools: Tools, request: Request, wants: Wants, pin: str | None) -> None:
        self.answer = Answer()
        self._tools = tools
        self._request = request
        self._wants = wants
        self._pin = pin
        scheme, self._place = place(request.url)
        self._secure = scheme == "https"

    async def run(self, watch: Stopwatch) -> Answer:
        """Makes the transfer; raises ProbeFailed or TimeoutError."""
        engine, plain, good = self._tools.engine, self._plain, False
        handle = engine.borrow()
        try:
            handle.setopt(pycurl.URL, ascii_url(self._request.url))
            handle.setopt(pycurl.WRITEFUNCTION, self._take)
            handle.setopt(pycurl.TIMEOUT_MS, max(1, int((watch.left_s() - LEAD_S) * 1000)))
            if not plain:
                self._prepare(handle)
            try:
                await engine.perform(handle)
                good = True
            finally:
                self._time(handle, watch)
        except pycurl.error as error:
            if not (self._full and error.args[0] == pycurl.E_WRITE_ERROR):
                raise self._failure(handle, error.args[0]) from error
        finally:
            self._finish(handle)
            engine.give_back(handle, as_lent=plain and good)
            for opened in self._opened:  # pycurl works on a duplicate
                opened.close()
        return self.answer

    @property
    def _plain(self) -> bool:
        """Whether URL, time limit and a place for the body are all that libcurl must be told."""
        pinned = self._pin == self._place.host
        return pinned and self._request.plain and self._wants.plain and self._tools.story is None

    def _prepare(self, handle: pycurl.Curl) -> None:
        request, wants = self._request, self._wants
        if request.headers:
            lines = [f"{name}: {value}".encode() for name, value in request.headers.items()]
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
        answer, room = self.answer, MOST_BODY_BYTES - self.answer.body_bytes
        taken = data if len(data) <= room else data[:room]
        answer.body_bytes += len(taken)
        if self._wants.body:  # a thousand answers at once are more than an agent has room for
            answer.body += taken
        self._full = taken is not data
        return 0 if self._full else None

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
            self._unopened = refused
            return pycurl.SOCKET_BAD
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            self._unopened = sockets.failed(error.errno or 0, f"connecting to {self._place}").sentence
            return pycurl.SOCKET_BAD
        self._opened += (opened,)
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
                "answered", status=answer.status, headers=dict(answer.headers), body_bytes=answer.body_bytes
            )

    def _time(self, handle: pycurl.Curl, watch: Stopwatch) -> None:
        """Splits libcurl's times since the start (each 0 until reached) into durations of phases."""
        us, last = watch.us, 0
        for phase, info in _PHASES_TLS if self._secure else _PHASES:
            at = handle.getinfo(info)
            if not at:
                watch.phase = phase
                return
            if phase == "connect":
                watch.family = family_of(self._pin or handle.getinfo(pycurl.PRIMARY_IP))
            if phase != "dns" or self._pin is None:
                us[phase] = us.get(phase, 0) + at - last
            last = at
        watch.phase = "body"

    def _failure(self, handle: pycurl.Curl, code: int) -> Exception:
        if self._unopened:
            return ProbeFailed(Outcome.INCONCLUSIVE, self._unopened)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return TimeoutError()
        if code == pycurl.E_COULDNT_CONNECT and (number := handle.getinfo(pycurl.OS_ERRNO)):
            return sockets.failed(number, f"connecting to {self._place}")
        return codes.failed(code, _text(handle.errstr_raw()), str(self._place))


def _text(said: bytes) -> str:
    """What the other side said, which need not be UTF-8."""
    return said.decode("utf-8", "replace")
