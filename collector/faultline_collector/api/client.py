"""How a command asks a running collector: plain HTTP with deadlines, and errors that are one sentence."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx

from faultline.hosts import is_loopback

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_STREAM_TIMEOUT = httpx.Timeout(45.0, connect=5.0)


class Unanswered(Exception):
    """Raised when the collector gives no answer; `permanent` says that asking again will not help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Change(NamedTuple):
    """One event of the stream."""

    name: str
    data: dict[str, Any]


class Client:
    """Asks the collector at `url`."""

    def __init__(self, url: str, timeout: httpx.Timeout = _TIMEOUT) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=timeout, trust_env=not is_loopback(_host(url)))

    def get(self, path: str, **asked: str) -> dict[str, Any]:
        """One answer; raises Unanswered."""
        with self._sentences():
            answer = self._http.get(f"/api/v1/{path}", params=asked)
            self._expect(answer)
            data: dict[str, Any] = answer.json()
            return data

    def lines(self, path: str, **asked: str) -> Iterator[dict[str, Any]]:
        """An answer line by line; raises Unanswered, also on the way."""
        with self._sentences(), self._http.stream("GET", f"/api/v1/{path}", params=asked) as answer:
            self._expect(answer)
            for line in answer.iter_lines():
                row: dict[str, Any] = json.loads(line)
                if row.keys() == {"error"}:
                    raise Unanswered(str(row["error"]))
                yield row

    def pieces(self, path: str, **asked: str) -> Iterator[bytes]:
        """An answer of lines as it comes, some whole lines at a time; raises Unanswered, also on the way."""
        with self._sentences(), self._http.stream("GET", f"/api/v1/{path}", params=asked) as answer:
            self._expect(answer)
            rest = b""
            for piece in answer.iter_bytes():
                lines, _, rest = (rest + piece).rpartition(b"\n")
                if lines:
                    self._refuse_error(lines.rpartition(b"\n")[2])
                    yield lines + b"\n"
            if rest:
                raise Unanswered(f"the answer of {self.url} ends within a line")

    @staticmethod
    def _refuse_error(line: bytes) -> None:
        if line.startswith(b'{"error": '):
            raise Unanswered(str(json.loads(line)["error"]))

    def changes(self) -> Iterator[Change]:
        """States and outages as they come, until the stream ends; raises Unanswered."""
        with (
            self._sentences(),
            self._http.stream("GET", "/api/v1/events", timeout=_STREAM_TIMEOUT) as answer,
        ):
            self._expect(answer)
            name = ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and name != "beat":
                    yield Change(name, json.loads(value))

    def close(self) -> None:
        """Leaves the collector."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise Unanswered(
                f"no collector answers at {self.url}; start one with `faultline collector run`"
            ) from error
        except httpx.TimeoutException as error:
            raise Unanswered(f"the collector at {self.url} did not answer in time") from error
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise Unanswered(f"what answers at {self.url} is not understood: {error}") from error

    def _expect(self, answer: httpx.Response) -> None:
        if answer.status_code == 200:
            return
        answer.read()
        try:
            sentence = str(answer.json()["error"])
        except (ValueError, KeyError, TypeError):
            sentence = f"what answers at {self.url} is not a collector (HTTP {answer.status_code})"
        raise Unanswered(sentence, permanent=answer.status_code != 503)


def _host(url: str) -> str:
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.hostname
    raise Unanswered(f"{url!r} is not a URL like http://127.0.0.1:8080", permanent=True)
