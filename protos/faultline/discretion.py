"""What is not told to everyone who may read a log, a status or a page."""

_SECRET = ("cookie", "auth", "token", "secret", "key", "session", "password", "credential")

UNTOLD = "(not told)"
"""Stands where a secret would."""


def is_secret(name: str) -> bool:
    """Whether what has this name, a header or a setting, opens doors."""
    return any(word in name.lower() for word in _SECRET)
