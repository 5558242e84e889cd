"""A real receiver on loopback that takes, refuses, redirects, hangs or resets, as it is told."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TAKE, REFUSE, NEVER, REDIRECT, BUSY, HANG, RESET, GARBLE = (
    "take", "refuse", "never", "redirect", "busy", "hang", "reset", "garble",
)  # fmt: skip
STATUS = {TAKE: 204, REFUSE: 500, NEVER: 400, REDIRECT: 302, BUSY: 429}
HEADERS = {REDIRECT: ("Location", "/elsewhere"), BUSY: ("Retry-After", "1")}


@dataclass(frozen=True)
class Request:
    """One request as it came, and how it was answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    answer: str

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def notice(self) -> str:
        """The id of the notice, as the header has it."""
        return self.headers.get("X-Faultline-Notice", "")


@dataclass
class Receiver:
    """Answers the next requests by `script`, all further ones by its last word."""

    script: list[str] = field(default_factory=lambda: [TAKE])
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, path: str, headers: dict[str, str], body: bytes) -> str:
        """Keeps a request; gives how to answer it."""
        with self._lock:
            answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            self.requests.append(Request(path, headers, body, answer))
            return answer

    def taken(self) -> list[str]:
        """Ids of the notices that were taken, in order."""
        return [request.notice for request in self.requests if request.answer == TAKE]


class Quiet(ThreadingHTTPServer):
    """A receiver's server, whose broken connections are no news."""

    daemon_threads = True

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.receiver = receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing."""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    @property
    def receiver(self) -> Receiver:
        """Whom it answers for."""
        assert isinstance(self.server, Quiet)
        return self.server.receiver

    def do_POST(self) -> None:
        """Answers as the script says."""
        receiver = self.receiver
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it was killed
            self.close_connection = True
            return
        answer = receiver.note(self.path, dict(self.headers.items()), body)
        if answer in STATUS:
            self._answer(answer)
            return
        self.close_connection = True
        if answer == HANG:
            receiver.over.wait(60)
        elif answer == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.wfile.write(b"no HTTP at all\r\n\r\n")

    def _answer(self, answer: str) -> None:
        said = b"" if answer == TAKE else f"I\0\33 {answer}".encode()
        self.send_response(STATUS[answer])
        if answer in HEADERS:
            self.send_header(*HEADERS[answer])
        if said:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def receiving(*script: str) -> Iterator[Receiver]:
    """A receiver at work."""
    receiver = Receiver(list(script) or [TAKE])
    server = Quiet(receiver)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
