"""Posting to a receiver over HTTP: https or loopback, no redirects, one sentence for each way to fail."""

import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from faultline.hosts import is_loopback
from faultline_collector.notify.fate import NotDelivered

_NEVER = frozenset({400, 413, 422})
"""Answers to what will never be taken, however often it is sent."""

_BACK_OFF = frozenset({429, 503})
_SAID_BYTES = 300


def url_problem(url: str) -> str:
    """Why notices cannot be posted to a URL, in a sentence; empty when they can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"{url!r} is not a URL"
    if parts.username is not None or parts.password is not None:
        return "a URL with a user or password in it is refused: secrets come from a file or the environment"
    if parts.scheme not in ("http", "https") or not host:
        return f"{url!r} is not a URL like https://host/path"
    if parts.scheme == "http" and not is_loopback(host):
        return f"{url!r} would travel in plaintext: it must be https, or http to this machine"
    return ""


class Poster:
    """A client that posts bodies to one URL; the environment's proxies and passwords are not for it."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        self._url = url
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=timeout_s,
            headers={"User-Agent": "faultline", "Content-Type": "application/json"},
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=2, keepalive_expiry=30),
        )

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts once; raises NotDelivered unless the answer is a success."""
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                if not answer.is_success:
                    raise _refused(answer, await _beginning(answer))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = str(error) or type(error).__name__
            raise NotDelivered(f"{urlsplit(self._url).netloc} cannot be reached: {said}") from error

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()


async def _beginning(answer: httpx.Response) -> str:
    read = b""
    async for part in answer.aiter_raw():
        read += part
        if len(read) >= _SAID_BYTES:
            break
    text = read[:_SAID_BYTES].decode(errors="replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _refused(answer: httpx.Response, beginning: str) -> NotDelivered:
    status = answer.status_code
    said = f"answered {status}" + (f": {beginning}" if beginning else "")
    if answer.is_redirect or answer.has_redirect_location:
        said = f"answered {status}, a redirect; redirects are refused"
    pause_s = (
        retry_after_s(answer.headers.get("Retry-After", ""), time.time()) if status in _BACK_OFF else 0.0
    )
    return NotDelivered(said, permanent=status in _NEVER, pause_s=pause_s)


def retry_after_s(header: str, now_s: float) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); 0 when it cannot be read."""
    text = header.strip()
    if text.isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s) if text else 0.0
