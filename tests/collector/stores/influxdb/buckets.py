"""Empty buckets of a real InfluxDB, and the URL of a store in them."""

import secrets
from pathlib import Path

import httpx

from faultline_collector.stores.influxdb.address import ROLLUPS_SUFFIX, Address, parse_address
from faultline_collector.stores.options import StoreOptions
from tests.servers.influxdb import Organisation

_DEADLINE_S = 30.0


def api(place: Organisation) -> httpx.Client:
    """A client of the server's own API that may do everything."""
    return httpx.Client(
        base_url=place.url,
        headers={"Authorization": f"Token {place.token}"},
        trust_env=False,
        timeout=_DEADLINE_S,
    )


def new_store_url(place: Organisation) -> str:
    """The URL of a store that holds nothing yet, in new buckets."""
    name = f"results-{secrets.token_hex(6)}"
    with api(place) as client:
        orgs = client.get("/api/v2/orgs", params={"org": place.org}).raise_for_status().json()["orgs"]
        for bucket in (name, name + ROLLUPS_SUFFIX):
            asked = {"orgID": orgs[0]["id"], "name": bucket, "retentionRules": []}
            client.post("/api/v2/buckets", json=asked).raise_for_status()
    return f"influxdb://{place.url.removeprefix('http://')}/{place.org}/{name}"


def options(place: Organisation, folder: Path) -> StoreOptions:
    """An outbox and the token in a folder of their own."""
    token = folder / "token"
    token.write_text(place.token)
    return StoreOptions(token_file=token, outbox=folder / "outbox")


def address_of(url: str) -> Address:
    """Where a store's URL points."""
    return parse_address(url.removeprefix("influxdb://"), tls=False)
