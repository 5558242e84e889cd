"""REST, end to end without a socket: every address, its caching, its errors."""

import gzip
import json
from functools import partial
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.api.endpoints import ENDPOINTS
from faultline_collector.api.openapi import document
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import State
from tests.collector.api.worlds import MINUTE_US, NOW_US, World, ended, outage, results

OK, HTTP, INCONCLUSIVE = Outcome.OK, Outcome.HTTP, Outcome.INCONCLUSIVE
PREPARED = ("state", "services", "agents", "targets", "outages", "outages?open=true", "openapi.json")


async def ask(reader: httpx.AsyncClient, path: str) -> Any:
    """The content of a good answer."""
    answer = await reader.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", PREPARED)
async def test_prepared_bytes_come_plain_packed_or_not_again(
    world: World, reader: httpx.AsyncClient, path: str
) -> None:
    """By what the reader accepts and already has."""
    world.publish(open_now=[outage()], changed=[outage()])
    plain = await reader.get(f"/api/v1/{path}", headers={"Accept-Encoding": "identity"})
    packed = await reader.get(f"/api/v1/{path}", headers={"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert plain.headers["cache-control"] == "no-cache"
    held = await reader.get(f"/api/v1/{path}", headers={"If-None-Match": plain.headers["etag"]})
    assert (held.status_code, held.content) == (304, b"")
    other = await reader.get(f"/api/v1/{path}", headers={"If-None-Match": 'W/"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("path", PREPARED)
async def test_viewers_share_one_body(world: World, reader: httpx.AsyncClient, path: str) -> None:
    """Neither store nor registry is asked: both may be gone."""
    world.publish(open_now=[outage()], changed=[outage()])
    world.store.close()
    world.lose_registry()
    first, second = [await reader.get(f"/api/v1/{path}") for _ in range(2)]
    assert first.status_code == 200
    assert first.headers["etag"] == second.headers["etag"]


async def test_the_packed_body_is_made_once(world: World) -> None:
    """For all who accept it."""
    world.publish()
    packed = world.board.state.packed
    assert packed is not None
    assert world.board.state.packed is packed
    assert gzip.decompress(packed) == world.board.state.body


@pytest.mark.parametrize("path", ["/api/v1/state", "/api/v1/results", "/api/v1/events", "/healthz", "/"])
async def test_head_answers_without_doing_the_work(
    world: World, reader: httpx.AsyncClient, path: str
) -> None:
    """Also where the body would never end."""
    world.wellbeing.ticked_us = NOW_US
    answer = await reader.head(path)
    assert answer.status_code == 200


async def test_every_address_answers_as_its_schema_says(world: World, reader: httpx.AsyncClient) -> None:
    """Real answers of a world in which something happened, against the document."""
    world.wellbeing.ticked_us = NOW_US
    world.keep(results(OK, HTTP, INCONCLUSIVE), results(OK, agent="us-1", flags=Flag.SATURATED))
    world.publish(open_now=[outage()], changed=[outage(), ended("over", NOW_US)])
    described = document()
    for endpoint in ENDPOINTS:
        if endpoint.name == "events":
            continue
        answer = await reader.get(endpoint.path.replace("{id}", "o-1"))
        assert answer.status_code == 200, endpoint.path
        assert answer.headers["content-type"].split(";")[0] == endpoint.media_type
        content = described["paths"][endpoint.path]["get"]["responses"]["200"]["content"]
        schema = content[endpoint.media_type]["schema"] | {"components": described["components"]}
        for part in parts(endpoint.media_type, answer):
            Draft202012Validator(schema).validate(part)


def parts(media_type: str, answer: httpx.Response) -> list[Any]:
    """What of an answer a schema describes."""
    if media_type == "application/json":
        return [answer.json()]
    if media_type == "application/x-ndjson":
        return [json.loads(line) for line in answer.text.splitlines()]
    return [answer.text]


async def test_outages_by_filter_come_from_the_registry(world: World, reader: httpx.AsyncClient) -> None:
    """Also what the board has forgotten."""
    old = ended("old", NOW_US - 48 * 60 * MINUTE_US)
    world.registry.save_outages([old])
    world.publish(open_now=[outage()], changed=[outage()])
    found = partial(ask, reader)
    assert [o["id"] for o in (await found("outages"))["outages"]] == ["o-1"]
    assert [o["id"] for o in (await found("outages?open=true"))["outages"]] == ["o-1"]
    assert [o["id"] for o in (await found("outages?limit=10"))["outages"]] == ["o-1", "old"]
    assert [o["id"] for o in (await found("outages?limit=1"))["outages"]] == ["o-1"]
    assert [o["id"] for o in (await found("outages?since=7d"))["outages"]] == ["o-1", "old"]
    assert [o["id"] for o in (await found("outages?since=1h"))["outages"]] == ["o-1"]


async def test_an_outage_is_told_with_its_evidence_and_its_life(
    world: World, reader: httpx.AsyncClient
) -> None:
    """From suspicion to where it is."""
    suspected = outage(state=State.SUSPECTED, confirmed_us=None, changed_us=NOW_US - 50_000_000)
    world.publish(open_now=[suspected], changed=[suspected])
    first = await ask(reader, "outages/o-1")
    assert (first["state"], first["family"]) == ("suspected", None)
    confirmed = outage(family=6)
    world.publish(open_now=[confirmed], changed=[confirmed])
    story = await ask(reader, "outages/o-1")
    assert story["family"] == 6
    assert story["evidence"]["failing"]["agents"] == 2
    assert [(step["state"], step["at"]) for step in story["transitions"]] == [
        ("suspected", "2027-01-15T07:59:10.000+00:00"),
        ("confirmed", "2027-01-15T07:59:20.000+00:00"),
    ]


def piece(kind: str, failing: bool = True, **data: object) -> Proof:
    """A piece of proof of the outage."""
    return Proof("o-1", "west-1", "twitter-web", kind, failing, NOW_US, data)


PATH = [{"hop": 1, "address": "10.0.0.1"}, {"hop": 2}]
SAID = [
    (piece("story", outcome="http", status=503, detail="status 503"), "http, status 503, status 503"),
    (piece("story"), "unknown"),
    (piece("dns", unavailable="10.0.0.9 is an address"), "none: 10.0.0.9 is an address"),
    (
        piece(
            "dns",
            answers=[
                {"resolver": "r:53", "type": "A", "rcode": "NOERROR", "records": ["192.0.2.1"]},
                {"resolver": "r:53", "type": "AAAA", "rcode": "NOERROR", "records": []},
                {"resolver": "q:53", "type": "A", "rcode": "SERVFAIL", "records": []},
                {"resolver": "p:53", "type": "A", "problem": "no answer within 3 s"},
                "odd",
            ],
        ),
        "r:53 A: 192.0.2.1; r:53 AAAA: nothing; q:53 A: SERVFAIL; p:53 A: no answer within 3 s",
    ),
    (piece("dns", answers="odd"), "nothing was asked"),
    (piece("certificate", names=["a.test"], issuer="CN=x", ends="2027"), "for a.test, by CN=x, until 2027"),
    (
        piece("certificate", names=[], subject="CN=y", issuer="CN=x", ends="2027"),
        "for CN=y, by CN=x, until 2027",
    ),
    (piece("traceroute", failing=False, reached=True, hops=PATH), "reached after 2 hops"),
    (piece("traceroute", reached=False, hops=PATH), "ends beyond 10.0.0.1, hop 1: silence"),
    (piece("traceroute", hops=[{"hop": 1}]), "nobody on the way answers"),
]


async def test_an_outage_is_told_with_what_agents_gathered(world: World, reader: httpx.AsyncClient) -> None:
    """As soon as it is there, each piece with its data and a few words, whatever an agent sent."""
    world.publish(open_now=[outage()], changed=[outage()])
    assert (await ask(reader, "outages/o-1"))["proofs"] == []
    world.registry.save_proofs([proof for proof, _ in SAID])
    world.board.renew()
    told = (await ask(reader, "outages/o-1"))["proofs"]
    assert [piece["says"] for piece in told] == [words for _, words in SAID]
    assert (told[0]["agent"], told[0]["failing"], told[7]["failing"]) == ("west-1", True, False)
    assert told[8]["data"] == {"reached": False, "hops": PATH}
    assert told[0]["gathered_at"] == "2027-01-15T08:00:00.000+00:00"


async def test_a_crowd_that_asks_for_an_outage_costs_one_look_up(world: World) -> None:
    """Until the next change: the registry is gone, and the story still told."""
    world.publish(open_now=[outage()], changed=[outage()])
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as crowd:
        first = await crowd.get("/api/v1/outages/o-1")
        world.lose_registry()
        second = await crowd.get("/api/v1/outages/o-1")
    assert first.content == second.content


async def test_availability_counts_what_is_known_and_says_how_much_that_is(
    world: World, reader: httpx.AsyncClient
) -> None:
    """Unknown results leave the denominator; coverage stands beside it."""
    world.publish()
    world.keep(results(OK, OK, OK, HTTP, INCONCLUSIVE))
    rows = (await ask(reader, "availability?since=1h&service=twitter&region=in-west"))["rows"]
    given = [{name: value for name, value in row.items() if value is not None} for row in rows]
    assert given == [
        {
            "service": "twitter",
            "region": "in-west",
            "start": "2027-01-15T07:00:00.000+00:00",
            "ok": 3,
            "failed": 1,
            "unknown": 1,
            "coverage": round(1 / 60, 4),
            "availability": 0.75,
        }
    ]


async def test_where_nothing_is_known_availability_is_null_not_full(
    world: World, reader: httpx.AsyncClient
) -> None:
    """A dark region has rows that say so, for every step; one that is not probed has none."""
    world.publish()
    world.keep(results(INCONCLUSIVE))
    rows = (await ask(reader, "availability?since=1h&step=15m"))["rows"]
    assert len(rows) == 4 * (3 + 3 + 2)
    assert {(row["availability"], row["coverage"]) for row in rows} == {(None, 0.0)}
    assert sum(row["unknown"] for row in rows) == 1


async def test_results_come_newest_first_as_lines(world: World, reader: httpx.AsyncClient) -> None:
    """Times by the collector's clock; phases that were not reached are left out."""
    world.publish()
    world.keep(
        results(OK, HTTP, flags=Flag.ASKED),
        results(OK, agent="us-1", target="bank-web", start_us=NOW_US - MINUTE_US),
    )
    answer = await reader.get("/api/v1/results")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [(line["agent"], line["sequence"]) for line in lines] == [
        ("us-1", 1),
        ("west-1", 2),
        ("west-1", 1),
    ]
    assert lines[1] == {
        "agent": "west-1",
        "spool": "spool-1",
        "sequence": 2,
        "target": "twitter-web",
        "started_at": "2027-01-15T07:30:10.000+00:00",
        "received_at": "2027-01-15T07:30:11.000+00:00",
        "clock_offset_s": 0.002,
        "attempt": 0,
        "outcome": "http",
        "status": 503,
        "family": 4,
        "saturated": False,
        "late": False,
        "asked": True,
        "timings_ms": {"total": 1.5},
        "detail": "status 503 is not 200",
    }


@pytest.mark.parametrize(
    ("asked", "sequences"),
    [
        ("target=bank-web", [1]),
        ("service=twitter", [2, 1]),
        ("service=twitter&target=bank-web", []),
        ("agent=us-1", [1]),
        ("limit=2", [1, 2]),
        ("since=10m", [1]),
        ("until=10m", [2, 1]),
    ],
)
async def test_results_are_selected_by_what_is_asked(
    world: World, reader: httpx.AsyncClient, asked: str, sequences: list[int]
) -> None:
    """Each parameter narrows."""
    world.publish()
    world.keep(results(OK, HTTP), results(OK, agent="us-1", target="bank-web", start_us=NOW_US - MINUTE_US))
    answer = await reader.get(f"/api/v1/results?{asked}")
    assert [json.loads(line)["sequence"] for line in answer.text.splitlines()] == sequences


async def test_health_is_told_by_tick_and_store(world: World, reader: httpx.AsyncClient) -> None:
    """One sentence when something is wrong."""
    starting = await reader.get("/healthz")
    assert starting.status_code == 503
    assert "starting" in starting.json()["problem"]
    world.wellbeing.ticked_us = NOW_US
    assert (await reader.get("/healthz")).json() == {"ok": True, "problem": "", "broker": "", "store": ""}
    world.wellbeing.ticked_us = NOW_US - 11_000_000
    assert (await reader.get("/healthz")).json()["problem"] == "the last tick is 11 s old"
    world.wellbeing.ticked_us, world.wellbeing.store_problem = NOW_US, "disk full"
    unwell = await reader.get("/healthz")
    assert (unwell.status_code, unwell.json()["problem"]) == (
        503,
        "the store does not take results: disk full",
    )


async def test_metrics_come_in_the_text_format(reader: httpx.AsyncClient) -> None:
    """As Prometheus reads it."""
    answer = await reader.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "faultline_event_streams 0.0" in answer.text
