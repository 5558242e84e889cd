"""`influxdb://HOST:PORT/ORGANISATION/BUCKET`, and the token that opens it."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from faultline_collector.stores.store import StoreError

TOKEN_VARIABLE = "FAULTLINE_INFLUXDB_TOKEN"
TOKEN_FILE = "influxdb.token_file"
ROLLUPS_SUFFIX = "-rollups"

_PORT = 8086
_EXAMPLE = "influxdb://localhost:8086/faultline/results is one"


@dataclass(frozen=True, slots=True)
class Address:
    """Where results and roll-ups are kept; `url` is that of the server."""

    url: str
    org: str
    bucket: str

    @property
    def rollups(self) -> str:
        """The bucket of roll-ups, beside that of results."""
        return self.bucket + ROLLUPS_SUFFIX

    @property
    def host(self) -> str:
        """The name or address of the server."""
        return urlsplit(self.url).hostname or ""


def parse_address(place: str, *, tls: bool) -> Address:
    """Reads what follows `influxdb://` or `influxdbs://`; raises StoreError with a sentence."""
    scheme = "influxdbs" if tls else "influxdb"
    url = f"{scheme}://{place}"
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError as error:
        raise StoreError(f"{url!r}: {error}; {_EXAMPLE}", permanent=True) from error
    if parts.username is not None or parts.password is not None:
        raise StoreError(
            f"{scheme}://{parts.hostname}: a token does not belong into the URL, but into a file or "
            f"{TOKEN_VARIABLE}",
            permanent=True,
        )
    names = [unquote(name) for name in parts.path.split("/")[1:]]
    if not parts.hostname or len(names) != 2 or not all(names) or parts.query or parts.fragment:
        raise StoreError(f"{url!r} does not name host, organisation and bucket; {_EXAMPLE}", permanent=True)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(f"{'https' if tls else 'http'}://{host}:{port}", *names)


def read_token(file: Path | None, setting: str = TOKEN_FILE, variable: str = TOKEN_VARIABLE) -> str:
    """The token out of the file, or else of the environment; raises StoreError with a sentence."""
    if file is None:
        if token := os.environ.get(variable, "").strip():
            return token
        raise StoreError(f"no token for InfluxDB: neither {setting} nor {variable} is set", permanent=True)
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StoreError(f"{setting}: {file} cannot be read: {error.strerror}", permanent=True) from error
    except ValueError as error:
        raise StoreError(f"{setting}: {file} does not hold a token", permanent=True) from error
    if not token or any(letter.isspace() for letter in token):
        raise StoreError(f"{setting}: {file} does not hold a token", permanent=True)
    return token
