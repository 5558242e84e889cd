"""What a store is told beside its URL."""

from dataclasses import dataclass
from pathlib import Path

OUTBOX_BYTES = 8 * 1024**3


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where the token of InfluxDB is read (None: the environment), where its outbox lies, and its bound.

    `authorities` is a PEM file of those that vouch for a server over TLS; None: the system's.
    """

    token_file: Path | None = None
    outbox: Path = Path("/var/lib/faultline/outbox")
    outbox_bytes: int = OUTBOX_BYTES
    authorities: Path | None = None
