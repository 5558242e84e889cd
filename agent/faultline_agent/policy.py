"""What this agent may be told to probe. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Policy:
    """Allowed address ranges, ports and kinds; an empty tuple of ports or kinds allows all.

    Public addresses are allowed unless `only_networks`; private, link-local, loopback and metadata addresses
    are refused unless a range in `networks` names them.
    """

    networks: tuple[Network, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    kinds: tuple[str, ...] = ()
    only_networks: bool = False

    def kind_refusal(self, kind: str) -> str:
        """Why probes of this kind are refused; empty when they are not."""
        if self.kinds and kind not in self.kinds:
            return f"this agent's policy allows no {kind} probes"
        return ""

    def refusal(self, address: str, port: int) -> str:
        """Why a connection there is refused; empty when it is not."""
        if refused := self._port_refusal(port):
            return refused
        if not _is_address(address):
            return f"{address!r} is not an address"
        parsed = _plain(_parse(address))
        if any(parsed in network for network in self.networks):
            return ""
        if self.only_networks:
            return f"this agent's policy does not allow {address}"
        if _is_public(parsed):
            return ""
        return f"{address} is not a public address, and this agent's policy does not allow it"

    def endpoints_refusal(self, endpoints: Iterable[tuple[str, int]]) -> str:
        """Why one of these hosts is refused before it is resolved, by address or port; empty when none."""
        for host, port in endpoints:
            refused = self.refusal(host, port) if _is_address(host) else self._port_refusal(port)
            if refused:
                return refused
        return ""

    def _port_refusal(self, port: int) -> str:
        if not self.ports or any(low <= port <= high for low, high in self.ports):
            return ""
        return f"this agent's policy does not allow port {port}"


def network(text: str) -> Network:
    """Reads `10.0.0.0/8` or one address; raises ValueError with a sentence."""
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an address range like 10.0.0.0/8") from None


def port_range(text: str | int) -> tuple[int, int]:
    """Reads `443` or `8000-8999`; raises ValueError with a sentence."""
    low, dash, high = str(text).partition("-")
    ends = (low, high if dash else low)
    if not all(end.isascii() and end.isdecimal() for end in ends):
        raise ValueError(f"{text!r} is not a port or a range like 8000-8999")
    first, last = (int(end) for end in ends)
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"{text!r} is not within 1-65535")
    return first, last


def _parse(text: str) -> Address:
    return ip_address(text.strip("[]").partition("%")[0])


def _is_address(text: str) -> bool:
    try:
        _parse(text)
    except ValueError:
        return False
    return True


_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""All that is given out of IPv6 (RFC 4291, 2.4): what lies beyond is a site's own, or IPv4 in disguise."""

_OF_PROVIDERS = (IPv4Network("192.0.0.0/24"), IPv4Network("168.63.129.16/32"))
"""Where Oracle's and Azure's machines are told about themselves; no address says so."""


def _is_public(address: Address) -> bool:
    if any(address in network for network in _OF_PROVIDERS):
        return False
    given_out = address.version == 4 or address in _UNICAST
    return given_out and address.is_global and not address.is_multicast


def _plain(address: Address) -> Address:
    """An IPv4 address that is dressed as IPv6 is judged as what it is."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
