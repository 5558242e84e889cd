"""What an uplink is opened with: where to, as whom, how protected."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from faultline.hosts import is_loopback

DEFAULT_PORT = 7443
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
"""Ports by scheme, where they are not `DEFAULT_PORT`."""


@dataclass(frozen=True, slots=True)
class Address:
    """A collector's URL in its parts."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host:port`, with an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it cannot leave this machine."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for TLS; None: the system's authorities, no certificate of one's own."""

    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach the collector."""

    address: Address
    agent_id: str
    token: str = field(repr=False)
    tls: Tls = Tls()


def parse_url(text: str) -> Address:
    """Reads `grpc://host:port`; raises ValueError with a sentence."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL like grpc://host:7443: {error}") from None
    if parts.username or parts.password:
        raise ValueError(f"{parts.scheme}://{parts.hostname}: no name or password belongs into the URL")
    if not parts.scheme or bool(parts.hostname) != (parts.scheme != "memory") or port == 0:
        raise ValueError(f"{text!r} is not a URL like grpc://host:7443")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{text!r} has more than scheme, host and port")
    if port is None:
        port = DEFAULT_PORTS.get(parts.scheme, DEFAULT_PORT)
    return Address(parts.scheme, parts.hostname or "", port)
