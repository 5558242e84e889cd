"""What InfluxDB may answer to a write, and what becomes of the results."""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest

from faultline_collector.stores.influxdb.answers import answer_of, reason_of, retry_after_s
from faultline_collector.stores.store import StoreError
from tests.collector.stores.influxdb.buckets import address_of, api
from tests.collector.stores.influxdb.conftest import Opens, drained, until
from tests.collector.stores.influxdb.fake_server import scripted
from tests.collector.stores.rows import ALL, DAY_US, NOON_US, Row, found, put
from tests.servers.influxdb import Organisation

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_wrong_token_is_a_state_that_loses_nothing(
    opens: Opens, influxdb: Organisation, tmp_path: Path
) -> None:
    """Appends go on, the sentence says what is wrong and since when; the right token is taken up."""
    store = opens()
    (tmp_path / "token").write_text("wrong")
    store._server.renew()
    put(store, [Row(1), Row(2)])
    until(lambda: "does not accept the token (401" in store.standing().problem)
    assert store.standing().problem.startswith("store away since 20")
    assert store.standing().waiting_results == 2
    with pytest.raises(StoreError, match=r"store away since .* does not accept the token"):
        list(store.results(ALL))
    (tmp_path / "token").write_text(influxdb.token)
    until(lambda: drained(store))
    assert store.standing().problem == ""
    assert len(found(store)) == 2


def test_a_token_that_may_only_read_is_a_state_that_loses_nothing(
    opens: Opens, influxdb: Organisation, url: str, tmp_path: Path
) -> None:
    """InfluxDB answers 403; a token that may write is taken up, and everything goes there."""
    store = opens()
    (tmp_path / "token").write_text(token_for(influxdb, url, "read"))
    store._server.renew()
    put(store, [Row(1)])
    until(lambda: "does not let the token write (403" in store.standing().problem)
    (tmp_path / "token").write_text(influxdb.token)
    until(lambda: drained(store))
    assert found(store) == [Row(1)]


def token_for(place: Organisation, url: str, action: str) -> str:
    """A token that may do one thing with the bucket of a store, and nothing else."""
    with api(place) as client:
        bucket = client.get("/api/v2/buckets", params={"name": address_of(url).bucket}).json()["buckets"][0]
        resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
        asked = {"orgID": bucket["orgID"], "permissions": [{"action": action, "resource": resource}]}
        return str(client.post("/api/v2/authorizations", json=asked).raise_for_status().json()["token"])


def test_a_missing_bucket_is_a_state_that_loses_nothing(
    opens: Opens, influxdb: Organisation, url: str
) -> None:
    """Once somebody makes it, everything goes there."""
    name = f"late-{secrets.token_hex(4)}"
    store = opens(url.rpartition("/")[0] + "/" + name)
    put(store, [Row(1)])
    until(lambda: "has no such organisation or bucket (404" in store.standing().problem)
    with api(influxdb) as client:
        org = client.get("/api/v2/orgs", params={"org": influxdb.org}).json()["orgs"][0]["id"]
        made = {"orgID": org, "name": name, "retentionRules": []}
        client.post("/api/v2/buckets", json=made).raise_for_status()
    until(lambda: drained(store))
    assert found(store) == [Row(1)]


def test_points_beyond_retention_are_counted_and_kept_apart(
    opens: Opens, influxdb: Organisation, url: str, tmp_path: Path
) -> None:
    """The others are stored; each refused line stands in the file of dead letters with its reason."""
    with api(influxdb) as client:
        bucket = client.get("/api/v2/buckets", params={"name": address_of(url).bucket}).json()["buckets"][0]
        rules = {"retentionRules": [{"type": "expire", "everySeconds": 40 * 86_400}]}
        client.patch(f"/api/v2/buckets/{bucket['id']}", json=rules).raise_for_status()
    store = opens()
    fresh = [Row(i, at_us=_now_us() - NOON_US - i) for i in range(1, 30)]
    put(store, [*fresh, *(Row(i, at_us=-1000 * DAY_US) for i in (40, 41, 42))])
    until(lambda: drained(store))
    assert sorted(row.sequence for row in found(store)) == list(range(1, 30))
    assert store.standing().refused == {"retention": 3}
    letters = (tmp_path / "outbox" / "refused.jsonl").read_text().splitlines()
    refused = [json.loads(letter)["line"].partition('backlog="')[2][:3] for letter in letters]
    assert sorted(refused) == ["40;", "41;", "42;"]


def test_a_field_of_another_type_costs_only_its_own_points(
    opens: Opens, influxdb: Organisation, url: str
) -> None:
    """Somebody else has written text where we write numbers: the conflicting point is counted."""
    line = f'results,agent=x odd_us="text" {(NOON_US + 5) * 1000}'
    with api(influxdb) as client:
        asked = {"org": influxdb.org, "bucket": address_of(url).bucket}
        client.post("/api/v2/write", params=asked, content=line).raise_for_status()
    store = opens()
    put(store, [Row(1), Row(2, timings_us={"total": 5, "odd": 7}), Row(3)])
    until(lambda: drained(store))
    assert store.standing().refused == {"type_conflict": 1}
    assert [row.sequence for row in found(store)] == [1, 3]


def test_too_large_a_request_is_sent_in_halves(opens: Opens) -> None:
    """Until each fits; a line that is too large by itself becomes a dead letter."""
    with scripted() as script:
        script.most_bytes = 2000
        store = opens(script.url)
        put(store, [Row(i) for i in range(1, 41)])
        put(store, [Row(41, detail="x" * 500 * 4)])
        until(lambda: drained(store))
        assert sum(body.count(b"\n") for body in script.bodies) == 40
        assert store.standing().refused == {"too_large": 1}
        store.close()


def test_a_line_that_does_not_parse_is_found(opens: Opens) -> None:
    """400 stores nothing: the halves tell which line it was."""
    bad: tuple[int, dict[str, str], bytes] = (
        400,
        {},
        b'{"code":"invalid","message":"unable to parse \'results,...\': bad timestamp"}',
    )
    with scripted() as script:
        script.answers = [bad, bad, bad]
        store = opens(script.url)
        put(store, [Row(i) for i in range(1, 5)])
        until(lambda: drained(store))
        assert store.standing().refused == {"malformed": 1}
        assert sum(body.count(b"\n") for body in script.bodies) == 3
        store.close()


@pytest.mark.parametrize("status", [429, 503], ids=["too many", "overloaded"])
def test_retry_after_is_honoured(opens: Opens, status: int) -> None:
    """Nothing is sent before; then everything is."""
    with scripted() as script:
        script.answers = [(status, {"Retry-After": "1"}, b"")] * 2
        store = opens(script.url)
        put(store, [Row(1)])
        until(lambda: store.standing().problem != "")
        assert f"({status})" in store.standing().problem
        assert script.bodies == []
        until(lambda: drained(store))
        assert len(script.bodies) == 1
        store.close()


def test_answers_are_read_as_they_are_meant() -> None:
    """Status, words and headers; a date in Retry-After is one, too."""
    partial = answer_of(
        422, "partial write: dropped 7 points outside retention policy of duration 1h", {}, NOW
    )
    assert (partial.dropped, reason_of(partial.why), partial.settles) == (7, "retention", True)
    assert reason_of("something new") == "other"
    assert retry_after_s("Sun, 22 Nov 2026 12:00:30 GMT", NOW) == 30.0
    assert retry_after_s("soon", NOW) is None
    assert answer_of(500, "", {}, NOW).why == "fails (500)"


def _now_us() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)


def test_a_slow_server_is_sent_less_at_once(opens: Opens) -> None:
    """A request that times out there would time out again; smaller ones get through."""
    slow: tuple[int, dict[str, str], bytes] = (
        500,
        {},
        b'{"code":"internal error","message":"unexpected error writing points: timeout"}',
    )
    with scripted() as script:
        script.answers = [slow] * 3
        store = opens(script.url)
        put(store, [Row(i, at_us=i) for i in range(1, 9001)])
        until(lambda: drained(store))
        assert max(body.count(b"\n") for body in script.bodies) <= 2500
        assert sum(body.count(b"\n") for body in script.bodies) == 9000
        store.close()
