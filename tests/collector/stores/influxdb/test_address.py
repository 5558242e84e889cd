"""URLs and tokens of InfluxDB, and the connection over TLS."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from faultline_collector.config import check_data
from faultline_collector.lab.certificates import Authority
from faultline_collector.lab.influxd import influxd_command
from faultline_collector.lab.ports import free_port
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.address import Address, parse_address, read_token
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.store import StoreError
from tests.collector.stores.influxdb.conftest import drained, until
from tests.collector.stores.rows import Row, found, put
from tests.servers.influxdb import influxd_program
from tests.servers.process import ServerProcess


@pytest.mark.parametrize(
    ("place", "tls", "address"),
    [
        ("localhost/acme/results", False, Address("http://localhost:8086", "acme", "results")),
        ("[::1]:9/a%20b/c", False, Address("http://[::1]:9", "a b", "c")),
        ("db.example:443/acme/results", True, Address("https://db.example:443", "acme", "results")),
    ],
    ids=["port by default", "escaped", "tls"],
)
def test_urls_name_host_organisation_and_bucket(place: str, tls: bool, address: Address) -> None:
    """The bucket of roll-ups stands beside."""
    assert parse_address(place, tls=tls) == address
    assert address.rollups == address.bucket + "-rollups"


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("", "'influxdb://' does not name host, organisation and bucket"),
        ("host", "'influxdb://host' does not name host, organisation and bucket"),
        ("host/org/bucket/more", "does not name host, organisation and bucket"),
        ("host:70000/org/bucket", "Port out of range 0-65535"),
        ("me:secret@host/org/bucket", "influxdb://host: a token does not belong into the URL"),
    ],
    ids=["nothing", "host", "more", "port", "token"],
)
def test_bad_urls_get_a_sentence(place: str, sentence: str) -> None:
    """And no secret is repeated in it."""
    with pytest.raises(StoreError) as caught:
        parse_address(place, tls=False)
    assert sentence in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.permanent


def test_a_token_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong is said with the file's name, never with what is in it."""
    monkeypatch.setenv("FAULTLINE_INFLUXDB_TOKEN", "from-environment")
    (tmp_path / "token").write_text("from-file\n")
    assert read_token(tmp_path / "token") == "from-file"
    assert read_token(None) == "from-environment"
    (tmp_path / "two").write_text("top secret")
    (tmp_path / "binary").write_bytes(b"\xff")
    for name, sentence in (
        ("two", "does not hold a token"),
        ("binary", "does not hold a token"),
        ("none", "cannot be read: No such file or directory"),
    ):
        with pytest.raises(StoreError, match=f"influxdb.token_file: {tmp_path}/{name} {sentence}"):
            read_token(tmp_path / name)
    monkeypatch.delenv("FAULTLINE_INFLUXDB_TOKEN")
    with pytest.raises(StoreError, match=r"neither influxdb\.token_file nor FAULTLINE_INFLUXDB_TOKEN is set"):
        read_token(None)


def test_the_outbox_lies_beside_the_registry() -> None:
    """Unless the configuration says where."""
    target = {"id": "t", "kind": "http", "url": "http://127.0.0.1/"}
    plain = {
        "store": "influxdb://localhost/acme/results",
        "registry": "sqlite:////var/lib/acme/registry.db",
        "regions": [{"id": "in", "country": "IN", "latitude": 1, "longitude": 2}],
        "services": [{"id": "s", "components": [{"id": "web", "targets": [target]}]}],
    }
    options = check_data(plain, "x").store_options()
    assert options == StoreOptions(None, Path("/var/lib/acme/outbox"))
    told = {"influxdb": {"outbox": "/fast/outbox", "token_file": "/etc/token", "outbox_bytes": 2**30}}
    assert check_data(plain | told, "x").store_options() == StoreOptions(
        Path("/etc/token"), Path("/fast/outbox"), 2**30
    )
    elsewhere = check_data(plain | {"registry": "sqlite://"}, "x").store_options()
    assert elsewhere.outbox == Path("/var/lib/faultline/outbox")


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[str, Path, str]]:
    """A server over TLS: the URL of a store, the authorities that vouch for it, its operator's token."""
    authority = Authority(tmp_path / "authority")
    pem = authority.issue(tmp_path / "server.pem", "localhost", ["localhost", "127.0.0.1"])
    port = free_port()
    command = influxd_command(influxd_program(), tmp_path / "influxd", port)
    url = f"https://127.0.0.1:{port}"
    context = ssl.create_default_context(cafile=str(authority.file))

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health", verify=context, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    (tmp_path / "influxd").mkdir()
    secured = [*command, f"--tls-cert={pem}", f"--tls-key={pem}"]
    process = ServerProcess(secured, tmp_path / "influxd.log", answers)
    process.start()
    try:
        first = {"username": "faultline", "password": "not-secret-here", "token": "operator", "org": "acme"}
        body = first | {"bucket": "results"}
        httpx.post(f"{url}/api/v2/setup", json=body, verify=context, trust_env=False).raise_for_status()
        yield f"influxdbs://127.0.0.1:{port}/acme/results", authority.file, "operator"
    finally:
        process.kill()


def test_results_travel_over_tls(tls: tuple[str, Path, str], tmp_path: Path) -> None:
    """The server is believed when the authorities vouch for it, and only then."""
    url, authorities, token = tls
    (tmp_path / "token").write_text(token)
    options = StoreOptions(tmp_path / "token", tmp_path / "outbox")
    with closing(open_store(url, options)) as store:
        assert isinstance(store, InfluxdbStore)
        put(store, [Row(1)])
        until(lambda: "does not speak TLS as it should" in store.standing().problem)
    with closing(open_store(url, replace(options, authorities=authorities))) as store:
        assert isinstance(store, InfluxdbStore)
        until(lambda: drained(store))
        assert found(store) == [Row(1)]
