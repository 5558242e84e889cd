"""`faultline influxdb setup`, against a real server."""

import os
import secrets
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from faultline_collector.commands import main
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.setup import Wish, set_up
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.store import StoreError
from tests.collector.stores.influxdb.buckets import address_of, api
from tests.collector.stores.rows import DAY_US, Row, found, kept_up, put
from tests.servers.influxdb import Organisation

Setup = Callable[..., Result]


@pytest.fixture
def url(influxdb: Organisation) -> str:
    """A store in buckets that nobody has made yet."""
    return f"influxdb://{influxdb.url.removeprefix('http://')}/{influxdb.org}/own-{secrets.token_hex(4)}"


@pytest.fixture
def setup(influxdb: Organisation, url: str, tmp_path: Path) -> Setup:
    """Runs the command with a configuration."""

    def run(raw: str = "7d", operator: str = influxdb.token, **more: object) -> Result:
        target = {"id": "t", "kind": "http", "url": "http://127.0.0.1/"}
        config = {
            "store": url,
            "influxdb": {"token_file": str(tmp_path / "token")},
            "retention": {"raw": raw},
            "regions": [{"id": "in", "country": "IN", "latitude": 1, "longitude": 2}],
            "services": [{"id": "s", "components": [{"id": "web", "targets": [target]}]}],
        } | more
        (tmp_path / "collector.yaml").write_text(yaml.safe_dump(config))
        arguments = ["influxdb", "setup", "--config", str(tmp_path / "collector.yaml")]
        return CliRunner(env={"FAULTLINE_INFLUXDB_OPERATOR_TOKEN": operator}).invoke(main, arguments)

    return run


def test_setup_makes_what_is_missing_and_says_so(setup: Setup, url: str, tmp_path: Path) -> None:
    """Buckets with their retention, and a token that only its owner may read."""
    bucket = url.rpartition("/")[2]
    result = setup()
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1:] == [
        f"bucket {bucket}: made, keeps 7 days",
        f"bucket {bucket}-rollups: made, keeps 400 days",
        f"token in {tmp_path}/token: made, may read and write these two buckets and no more",
    ]
    assert stat.S_IMODE(os.stat(tmp_path / "token").st_mode) == 0o600
    assert (tmp_path / "token").read_text().strip() not in result.output


def test_setup_again_changes_nothing(setup: Setup, url: str, tmp_path: Path) -> None:
    """The token stays the same; a changed retention is taken over."""
    bucket = url.rpartition("/")[2]
    setup()
    token = (tmp_path / "token").read_text()
    assert f"bucket {bucket}: is there, keeps 7 days" in setup().output
    assert f"bucket {bucket}: kept 7 days, keeps 9 days now" in setup(raw="9d").output
    assert (tmp_path / "token").read_text() == token


def test_the_token_serves_a_store_and_nothing_else(
    influxdb: Organisation, url: str, setup: Setup, tmp_path: Path
) -> None:
    """Append, read, roll up and expire work with it; making a bucket does not, nor reading another."""
    setup()
    options = StoreOptions(token_file=tmp_path / "token", outbox=tmp_path / "outbox")
    store = open_store(url, options)
    put(store, [Row(1), Row(2, at_us=-DAY_US)])
    assert kept_up(store, 0) == 0
    assert len(found(store)) == 2
    store.close()
    token = (tmp_path / "token").read_text().strip()
    with api(influxdb) as client:
        client.headers["Authorization"] = f"Token {token}"
        seen = client.get("/api/v2/buckets", params={"org": influxdb.org, "limit": 100}).json()["buckets"]
        assert {one["name"] for one in seen} == {url.rpartition("/")[2], url.rpartition("/")[2] + "-rollups"}
        made = client.post("/api/v2/buckets", json={"orgID": seen[0]["orgID"], "name": "x"})
        assert made.status_code in (401, 403)


def test_setup_says_what_is_wrong_in_a_sentence(setup: Setup, influxdb: Organisation) -> None:
    """Exit 2 and no traceback: another store, no place for the token, a token that may not."""
    told = {
        "'memory://' is not influxdb://HOST:PORT/ORGANISATION/BUCKET": setup(store="memory://"),
        "influxdb.token_file: is not set": setup(influxdb={}),
        f"InfluxDB at {influxdb.url} does not accept the token (401: unauthorized access)": setup(
            operator="x"
        ),
    }
    for sentence, result in told.items():
        assert result.exit_code == 2
        assert sentence in result.output


def test_a_token_file_that_cannot_be_written_is_told(
    influxdb: Organisation, url: str, tmp_path: Path
) -> None:
    """With its path."""
    wish = Wish(timedelta(days=7), timedelta(days=400), tmp_path / "nowhere" / "token")
    with pytest.raises(StoreError, match=r"influxdb.token_file: .*nowhere/token cannot be written: No such"):
        list(set_up(address_of(url), influxdb.token, wish))
