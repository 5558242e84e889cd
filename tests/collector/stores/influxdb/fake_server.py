"""A server that answers writes as it was told, where the real one cannot be brought to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Script:
    """Answers in order (status, headers, body); 204 once there are no more. `bodies` were taken."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    most_bytes: int = 2**40
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def answer(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """What comes of a body."""
        if len(body) > self.most_bytes:
            return 413, {}, b'{"code":"request too large","message":"too large"}'
        if self.answers:
            return self.answers.pop(0)
        self.bodies.append(body)
        return 204, {}, b""


@contextmanager
def scripted() -> Iterator[Script]:
    """Serves a script on a port of its own."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, text = script.answer(body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"influxdb://127.0.0.1:{server.server_address[1]}/org/bucket"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
