"""REST, end to end without a socket: every address, its caching, its errors."""

import gzip
import json
from functools import partial
from pathlib import Path
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
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.summary import Summary, SummaryQuery
from tests.collector.api.worlds import MINUTE_US, NOW_US, World, ended, make_world, outage, results

OK, HTTP, INCONCLUSIVE = Outcome.OK, Outcome.HTTP, Outcome.INCONCLUSIVE
PREPARED = ("state", "services", "agents", "targets", "outages", "outages?open=true", "openapi.json")


async def ask(reader: httpx.AsyncClient, path: str) -> Any:
    """The content of a good answer."""
    answer = await reader.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(reader: httpx.AsyncClient, path: str, status: int) -> str:
    """The sentence of a refusal."""
    answer = await reader.get(path)
    assert answer.status_code == status, answer.text
    content = answer.json()
    assert content.keys() == {"error"}
    return str(content["error"])


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
    assert (await ask(reader, "outages/o-1"))["state"] == "suspected"
    world.publish(open_now=[outage()], changed=[outage()])
    story = await ask(reader, "outages/o-1")
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


async def test_an_outage_that_nobody_knows_is_404(reader: httpx.AsyncClient) -> None:
    """With a sentence."""
    assert await refused(reader, "/api/v1/outages/nope", 404) == "there is no outage 'nope'"


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
    world.keep(results(OK, HTTP), results(OK, agent="us-1", target="bank-web", start_us=NOW_US - MINUTE_US))
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


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("results?limit=-1", "limit: '-1' is not between 1 and 10000000"),
        ("results?agent=x", "agent: 'x' is not known; known are east-1, us-1, west-1"),
        (
            "results?target=x",
            "target: 'x' is not known; known are bank-web, rail-web, twitter-login, twitter-web",
        ),
        ("availability?service=x", "service: 'x' is not known; known are bank, rail, twitter"),
        ("availability?region=x", "region: 'x' is not known; known are in-east, in-west, us-west"),
        ("availability?component=x", "component: 'x' is not known; known are login, web"),
        ("availability?service=bank&component=login", "component: 'login' is not known; known are web"),
        ("availability?provider=x", "provider: 'x' is not known; known are edgeline"),
        (
            "latency?target=x",
            "target: 'x' is not known; known are bank-web, rail-web, twitter-login, twitter-web",
        ),
        ("latency?network=AS1", "network: 1 is not known; known are 7018, 55836"),
        ("latency?network=x", "network: 'x' is not the number of a network like 55836 or AS55836"),
        (
            "latency?timing=typo",
            "timing: 'typo' is not a timing; there are dns, connect, tls, first_byte, answer, total",
        ),
        (
            "export/rollups?timing=x",
            "timing: 'x' is not a timing; there are dns, connect, tls, first_byte, answer, total",
        ),
        ("results?family=5", "family: '5' is not an address family, which is 4 or 6"),
        (
            "availability?by=service,colour",
            "by: 'colour' is not one of service, component, target, provider, region, network, family",
        ),
        ("export/rollups?width=1m", "width: '1m' is not a width of roll-ups, which is 5m or 1h"),
        ("export/rollups?service=x", "service: 'x' is not known; known are bank, rail, twitter"),
        ("export/results?since=1h&until=2h", "since: the window is empty, since must lie before until"),
        ("availability?since=1h&until=2h", "since: the window is empty, since must lie before until"),
        ("availability?since=365d&step=1s", "step: would make 252288000 rows, at most 200000 are allowed"),
        ("outages?limit=ten", "limit: 'ten' is not a whole number"),
    ],
)
async def test_a_bad_question_is_400_with_a_sentence(
    world: World, reader: httpx.AsyncClient, path: str, said: str
) -> None:
    """Which parameter, which value, what is allowed."""
    world.publish()
    assert await refused(reader, f"/api/v1/{path}", 400) == said


@pytest.mark.parametrize("path", ["/api/v2/state", "/api/v1/nothing", "/nothing.js"])
async def test_what_is_not_there_is_404_in_json(reader: httpx.AsyncClient, path: str) -> None:
    """Below the API as below the page."""
    assert await refused(reader, path, 404) == f"there is nothing at {path}"


async def test_other_methods_are_refused_in_json(reader: httpx.AsyncClient) -> None:
    """Nothing here changes anything."""
    answer = await reader.post("/api/v1/state")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})


@pytest.mark.parametrize("path", ["results", "availability"])
async def test_a_store_that_is_away_is_503_with_its_sentence(
    world: World, reader: httpx.AsyncClient, path: str
) -> None:
    """And says when to come back; the state is still there."""
    world.publish()
    world.store.close()
    answer = await reader.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()) == (503, {"error": "the store is closed"})
    assert answer.headers["retry-after"] == "5"
    assert (await reader.get("/api/v1/state")).status_code == 200


async def test_a_registry_that_is_away_is_503(world: World, reader: httpx.AsyncClient) -> None:
    """For what only it knows."""
    world.lose_registry()
    assert "registry failed" in await refused(reader, "/api/v1/outages?limit=7", 503)


class FaultyStore(MemoryStore):
    """Has a bug."""

    def summary(self, query: SummaryQuery) -> Summary:
        """See `Store`."""
        raise ZeroDivisionError


async def test_a_fault_of_the_collectors_own_is_500_in_json_and_still_raised(tmp_path: Path) -> None:
    """The server logs it; the reader gets a sentence and no traceback."""
    world = make_world(tmp_path, store=FaultyStore())
    quiet = httpx.ASGITransport(world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=quiet, base_url="http://test") as reader:
        said = await refused(reader, "/api/v1/availability", 500)
    assert said == "the collector has a fault of its own; its log says which"
    loud = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=loud, base_url="http://test") as reader:
        with pytest.raises(ZeroDivisionError):
            await reader.get("/api/v1/availability")
    world.close()


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
