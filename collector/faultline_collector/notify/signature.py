"""The signature of a webhook: HMAC-SHA256 over the time of sending, a dot, and the body (RFC 2104)."""

import hmac
from hashlib import sha256

HEADER = "X-Faultline-Signature"
OLDEST_S = 300
"""How old a signature may be before a receiver should refuse it as a replay, seconds."""


def sign(secret: bytes, body: bytes, at_s: int) -> str:
    """The header's value: `t=1795348800,v1=<hex>`."""
    return f"t={at_s},v1={_digest(secret, body, at_s)}"


def verify(secret: bytes, body: bytes, header: str, now_s: float, oldest_s: int = OLDEST_S) -> bool:
    """Whether the header signs the body, and not too long ago; for receivers."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    if not parts.get("t", "").isdecimal():
        return False
    at_s = int(parts["t"])
    fresh = abs(now_s - at_s) <= oldest_s
    return fresh and hmac.compare_digest(parts.get("v1", "").encode(), _digest(secret, body, at_s).encode())


def _digest(secret: bytes, body: bytes, at_s: int) -> str:
    return hmac.new(secret, str(at_s).encode() + b"." + body, sha256).hexdigest()
