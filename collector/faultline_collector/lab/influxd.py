"""influxd, the server of InfluxDB 2: where it is found, how it is started and set up on this machine."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import httpx

from faultline_collector.stores.influxdb.address import parse_address
from faultline_collector.stores.influxdb.setup import Wish, set_up

INFLUXD_VERSION = "2.7.12"
"""What `make influxd` builds."""

_PASSWORD_BYTES = 18
_DEADLINE_S = 30.0
_RAW, _ROLLUPS = timedelta(days=7), timedelta(days=400)


def find_influxd() -> Path | None:
    """The one on PATH, or the one that `make influxd` keeps in the user's cache folder."""
    if on_path := shutil.which("influxd"):
        return Path(on_path)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = cache / "faultline" / f"influxd-{INFLUXD_VERSION}" / "influxd"
    return built if os.access(built, os.X_OK) else None


def influxd_command(program: Path, folder: Path, port: int) -> list[str]:
    """Starts it with all its data in `folder`, listening on 127.0.0.1."""
    return [
        str(program),
        f"--bolt-path={folder / 'influxd.bolt'}",
        f"--sqlite-path={folder / 'influxd.sqlite'}",
        f"--engine-path={folder / 'engine'}",
        f"--http-bind-address=127.0.0.1:{port}",
        "--reporting-disabled",
        "--log-level=warn",
    ]


def influxd_answers(url: str) -> bool:
    """Whether it serves."""
    try:
        return httpx.get(f"{url}/health", trust_env=False, timeout=2.0).is_success
    except httpx.HTTPError:
        return False


def set_up_influxd(url: str, org: str, bucket: str, operator: str, token_file: Path) -> None:
    """Gives a fresh server its organisation and operator's token, and what a collector needs of it.

    The collector's own token is put into the file. Raises httpx.HTTPError and StoreError.
    """
    first = {"username": "faultline", "password": os.urandom(_PASSWORD_BYTES).hex(), "token": operator}
    first |= {"org": org, "bucket": bucket}
    httpx.post(f"{url}/api/v2/setup", json=first, trust_env=False, timeout=_DEADLINE_S).raise_for_status()
    address = parse_address(f"{url.removeprefix('http://')}/{org}/{bucket}", tls=False)
    for _ in set_up(address, operator, Wish(_RAW, _ROLLUPS, token_file)):
        pass
