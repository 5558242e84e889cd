"""What a host says about the way to it."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine can be meant; an IPv6 address may stand in brackets."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
