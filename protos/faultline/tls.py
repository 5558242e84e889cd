"""TLS as a client has it: whom it trusts, and what it shows."""

import ssl
from pathlib import Path


def client_context(authorities: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """What these files stand for; None: the system's authorities, no certificate of one's own.

    Raises ValueError with a sentence where a file cannot be read or used.
    """
    files = [path for path in (authorities, certificate, key) if path is not None]
    for path in files:
        try:
            path.read_bytes()
        except OSError as error:
            raise ValueError(f"reading {path}: {error.strerror}") from error
    try:
        context = ssl.create_default_context(cafile=authorities)
        if certificate is not None:
            context.load_cert_chain(certificate, key, _no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"{' and '.join(map(str, files))} cannot be used: {error}") from error
    return context


def _no_passphrase() -> str:
    raise ValueError("the key must not need a passphrase")
