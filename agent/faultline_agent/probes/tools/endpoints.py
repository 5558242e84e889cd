"""Addresses, ports and host names as people write them."""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from faultline.config import Matching

Family = Literal["any", "4", "6"]
"""Which addresses a probe may use."""


class Endpoint(NamedTuple):
    """A host or address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, default_port: int | None = None) -> Endpoint:
    """Reads `host:port`, `[v6]:port` and, with a default port, a bare host; ValueError with a sentence."""
    host, port = _split(text)
    if not host or (port is None and default_port is None):
        raise ValueError(f"{text!r} is not of the form host:port")
    if port is None:
        return Endpoint(host, default_port or 0)
    if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError(f"{text!r}: the port is not between 1 and 65535")
    return Endpoint(host, int(port))


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        return (host, rest[1:] if rest.startswith(":") else None) if closed else ("", None)
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


@lru_cache(maxsize=4096)
def literal(host: str) -> str | None:
    """The address that `host` is, in its usual form; None when it is a name."""
    with suppress(ValueError):
        return str(ip_address(host.removeprefix("[").removesuffix("]")))
    return None


def family_of(address: str) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4


def over(family: Family) -> str:
    """How sentences end where one family is asked for."""
    return "" if family == "any" else f" over IPv{family}"


def ascii_host(host: str) -> str:
    """A host name as it goes over the wire (RFC 3490); ValueError with a sentence when it cannot be one."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is not a host name") from error


def checked_resolver(text: str) -> str:
    """The same text; ValueError with a sentence when it is not an address or address:port."""
    with suppress(ValueError):
        if literal(parse_endpoint(text, 53).host) is not None:
            return text
    raise ValueError(f"{text!r} is not {_RESOLVER.words}")


_RESOLVER = Matching(
    r"^([0-9.]+(:[0-9]+)?|[0-9a-fA-F:.]+|\[[0-9a-fA-F:.]+\](:[0-9]+)?)$", "an address or address:port"
)

Resolvers = Annotated[
    tuple[Annotated[str, _RESOLVER, AfterValidator(checked_resolver)], ...], Field(max_length=8)
]
"""A pydantic field that holds resolvers as address or address:port."""


def resolver_endpoints(resolvers: tuple[str, ...]) -> Iterator[Endpoint]:
    """The resolvers' addresses and ports."""
    return (parse_endpoint(text, 53) for text in resolvers)
