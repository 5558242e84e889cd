"""The real InfluxDB of the tests is one, is each module's own, and stands up again."""

import time

import httpx
import pytest

from tests.servers.influxdb import Influxd, Organisation, new_organisation


def now_us() -> int:
    """Buckets keep what is not too old."""
    return time.time_ns() // 1000


def write(place: Organisation, lines: str) -> int:
    """Writes line protocol; gives the status."""
    where = {"org": place.org, "bucket": place.bucket, "precision": "us"}
    headers = {"Authorization": f"Token {place.token}"}
    return httpx.post(
        f"{place.url}/api/v2/write", params=where, headers=headers, content=lines, trust_env=False
    ).status_code


def read(place: Organisation) -> str:
    """All points of the bucket as Flux's CSV."""
    headers = {"Authorization": f"Token {place.token}", "Content-Type": "application/vnd.flux"}
    flux = f'from(bucket: "{place.bucket}") |> range(start: 0)'
    answer = httpx.post(
        f"{place.url}/api/v2/query", params={"org": place.org}, headers=headers, content=flux, trust_env=False
    )
    return answer.raise_for_status().text.strip()


def test_organisations_share_nothing(influxdb: Organisation) -> None:
    """A point of one is not in the bucket of the same name of another."""
    other = new_organisation(influxdb.url, influxdb.token)
    assert write(influxdb, f"m,t=a v=1i {now_us()}") == 204
    assert "value" in read(influxdb)
    assert read(other) == ""


@pytest.mark.timeout(120)
def test_killed_server_comes_back_with_what_it_answered(influxd: Influxd) -> None:
    """The same URL, token and points after kill -9; frozen, it answers nobody."""
    assert write(influxd.organisation, f"m,t=a v=41i {now_us()}") == 204
    influxd.kill()
    with pytest.raises(httpx.ConnectError):
        write(influxd.organisation, f"m,t=a v=42i {now_us()}")
    influxd.start()
    assert ",41," in read(influxd.organisation)
    influxd.freeze()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{influxd.url}/health", timeout=0.2, trust_env=False)
    influxd.thaw()
    assert httpx.get(f"{influxd.url}/health", timeout=30, trust_env=False).is_success
