"""What HTTP probes run on: transfers on the event loop, and easy handles that are used again."""

import hashlib
import os
import ssl
from collections import deque
from collections.abc import Awaitable
from pathlib import Path

import pycurl

from faultline_agent.probes.tools.transfers import Transfers

MOST_IDLE = 256
"""Handles kept for later, as many as are lent at once where answers are slow; each holds a few kilobytes."""

AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
"""Where systems keep the authorities they trust: Debian, Fedora, Alpine."""


def trusted_authorities() -> str | None:
    """The file of authorities that this system trusts; SSL_CERT_FILE goes first."""
    named = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return next((path for path in (named, *AUTHORITIES) if path and Path(path).is_file()), None)


def name_of_authorities(path: str | None) -> str:
    """The first 16 hexadecimal digits of the file's SHA-256; empty where it cannot be read."""
    try:
        return "" if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


class CurlEngine:
    """Lends handles and runs their transfers; meets `Engine`. Close it with `aclose`."""

    def __init__(self) -> None:
        self._transfers = Transfers()
        self._idle: deque[pycurl.Curl] = deque()
        self._authorities = trusted_authorities()

    def borrow(self) -> pycurl.Curl:
        """Gives a handle on which nothing is kept from one transfer to the next."""
        return self._idle.pop() if self._idle else self._set_up(pycurl.Curl())

    def perform(self, handle: pycurl.Curl) -> Awaitable[None]:
        """Starts the transfer; awaited, it raises pycurl.error."""
        return self._transfers.perform(handle)

    def give_back(self, handle: pycurl.Curl, *, as_lent: bool) -> None:
        """Ends the transfer, forgets all about it and keeps the handle, unless there are enough."""
        self._transfers.leave(handle)
        if len(self._idle) >= MOST_IDLE:
            handle.close()
            return
        if as_lent:
            handle.unsetopt(pycurl.WRITEFUNCTION)
        else:
            handle.reset()
            self._set_up(handle)
        self._idle.append(handle)

    def _set_up(self, handle: pycurl.Curl) -> pycurl.Curl:
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.PROXY, "")
        handle.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
        handle.setopt(pycurl.FRESH_CONNECT, 1)
        handle.setopt(pycurl.FORBID_REUSE, 1)
        handle.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
        if self._authorities is not None:
            handle.setopt(pycurl.CAINFO, self._authorities)
        return handle

    async def aclose(self) -> None:
        """Ends what runs and frees all handles; safe twice."""
        self._transfers.close()
        while self._idle:
            self._idle.pop().close()
