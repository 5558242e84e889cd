"""An HTTP request, where it goes, and what a redirect makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

from faultline_agent.probes.tools.endpoints import Endpoint, ascii_host

REDIRECTS_TO_GET = frozenset({301, 302, 303})
"""After these a POST goes on as GET (RFC 9110, 15.4)."""

FIRST_HOST_ONLY = frozenset({"authorization", "cookie", "host"})
"""Headers that do not follow a redirect elsewhere."""

PORTS = {"http": 80, "https": 443}
"""Default port of each scheme that is probed."""

_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"
"""Characters of a URL that stay as they are; all others beyond ASCII are percent-encoded (RFC 3987, 3.1)."""


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


def bare(url: str) -> str:
    """A URL without user, question and fragment, where secrets use to be; empty where it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def ascii_url(url: str) -> str:
    """The URL with its host in ASCII, as libcurl without IDN needs it."""
    if url.isascii():
        return url
    at = place(url)[1]
    host = urlsplit(url).hostname or ""
    start = url.lower().index(host, url.index("//"))
    return quote(url[:start] + at.host + url[start + len(host) :], safe=_URL_SAFE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def plain(self) -> bool:
        """Whether its URL says all of it."""
        return self.method == "GET" and not self.headers and not self.body

    def redirected(self, status: int, url: str) -> "Request":
        """The request that a redirect asks for."""
        method, body, headers = self.method, self.body, self.headers
        if status in REDIRECTS_TO_GET and method != "HEAD" and (status == 303 or method == "POST"):
            method, body = "GET", ""
        if place(url) != place(self.url):
            headers = {name: text for name, text in headers.items() if name.lower() not in FIRST_HOST_ONLY}
        return Request(method, url, headers, body)
