"""Real InfluxDB 2 servers: one that all tests of a run share, and fresh ones to kill."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faultline_collector.lab.influxd import find_influxd, influxd_answers, influxd_command, set_up_influxd
from faultline_collector.lab.ports import free_port
from faultline_collector.stores.influxdb.address import ROLLUPS_SUFFIX
from tests.servers.process import ServerProcess, running

_ABSENT = (
    "no influxd on PATH and none built: run `make influxd`, or name a server by FAULTLINE_TEST_INFLUXDB_URL"
)
_DEADLINE_S = 30.0
BUCKET = "results"


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation of a real server, with an empty bucket; the token may do everything."""

    url: str
    org: str
    bucket: str
    token: str


class Influxd(ServerProcess):
    """An own influxd with its data in `folder`; the same place, port and tokens after each start.

    `token` is the operator's; the collector's own lies in `token_file`.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url, self.org, self.bucket = f"http://127.0.0.1:{port}", "faultline", BUCKET
        self.token = secrets.token_urlsafe(24)
        self.folder = folder
        self.token_file = folder / "collector.token"
        super().__init__(
            influxd_command(program, folder, port), folder / "influxd.log", lambda: influxd_answers(self.url)
        )

    def set_up(self) -> None:
        """Starts it for the first time, with organisation, bucket and token."""
        self.start()
        set_up_influxd(self.url, self.org, self.bucket, self.token, self.token_file)

    @property
    def organisation(self) -> Organisation:
        """Its first organisation."""
        return Organisation(self.url, self.org, self.bucket, self.token)


def new_organisation(url: str, token: str) -> Organisation:
    """Makes an organisation of its own with empty buckets on a server that is set up."""
    name = f"test-{secrets.token_hex(6)}"
    headers = {"Authorization": f"Token {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=_DEADLINE_S) as client:
        made = client.post("/api/v2/orgs", json={"name": name}).raise_for_status().json()
        for bucket in (BUCKET, BUCKET + ROLLUPS_SUFFIX):
            wanted = {"orgID": made["id"], "name": bucket, "retentionRules": []}
            client.post("/api/v2/buckets", json=wanted).raise_for_status()
    return Organisation(url, name, BUCKET, token)


def influxd_program() -> Path:
    """Where influxd is; where there is none, skips with a sentence (in CI: tests/skips.py)."""
    found = find_influxd()
    if found is None:
        pytest.skip(_ABSENT)
    return found


@pytest.fixture(scope="session")
def _influxdb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL and operator's token of the server that all tests share."""
    if url := os.environ.get("FAULTLINE_TEST_INFLUXDB_URL"):
        token = os.environ.get("FAULTLINE_TEST_INFLUXDB_TOKEN")
        if not token:
            pytest.fail("FAULTLINE_TEST_INFLUXDB_URL is set, and FAULTLINE_TEST_INFLUXDB_TOKEN is not")
        yield url.rstrip("/"), token
        return
    with running(Influxd(influxd_program(), tmp_path_factory.mktemp("influxd"))) as server:
        yield server.url, server.token


@pytest.fixture(scope="module")
def influxdb(_influxdb_server: tuple[str, str]) -> Organisation:
    """An organisation of the module's own, with an empty bucket."""
    return new_organisation(*_influxdb_server)


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    """A fresh server of the test's own, to kill and to freeze."""
    with running(Influxd(influxd_program(), tmp_path / "influxd")) as server:
        yield server
