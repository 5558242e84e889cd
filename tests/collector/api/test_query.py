"""gRPC Query over a real socket: the same answers as REST."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from faultline.outcomes import Outcome
from faultline.v1 import query_pb2 as pb
from faultline.v1 import query_pb2_grpc
from faultline_collector.api.query import QueryServicer
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import State
from tests.collector.api.worlds import MINUTE_US, NOW_US, World, ended, make_world, outage, results, until

OK, HTTP, INCONCLUSIVE = Outcome.OK, Outcome.HTTP, Outcome.INCONCLUSIVE
HOUR_US = 60 * MINUTE_US
PATIENCE_S = 30.0


@pytest.fixture
async def query(world: World) -> AsyncIterator[Any]:
    """A stub that asks the world."""
    async for stub in asking(world):
        yield stub


async def asking(world: World) -> AsyncIterator[Any]:
    """A server for the world and a stub that asks it."""
    server = grpc.aio.server()
    QueryServicer(world.board, world.history).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield query_pb2_grpc.QueryStub(channel)
    await server.stop(0)


async def test_outages_are_listed_newest_first(world: World, query: Any) -> None:
    """By what is asked; what is not there is zero."""
    suspected = outage(state=State.SUSPECTED, confirmed_us=None)
    world.publish(open_now=[suspected], changed=[suspected, ended("over", NOW_US - 10 * MINUTE_US)])
    found = await query.ListOutages(pb.ListOutagesRequest())
    assert [(o.id, o.state, o.confirmed_us > 0, o.resolved_us > 0) for o in found.outages] == [
        ("o-1", "suspected", False, False),
        ("over", "resolved", True, True),
    ]
    only = await query.ListOutages(pb.ListOutagesRequest(open_only=True, limit=5))
    assert [o.id for o in only.outages] == ["o-1"]
    late = await query.ListOutages(pb.ListOutagesRequest(since_us=NOW_US - MINUTE_US))
    assert [o.id for o in late.outages] == ["o-1"]


async def test_an_outage_is_explained_with_its_evidence(world: World, query: Any) -> None:
    """As a JSON object; all that REST says is there."""
    found = outage(family=6)
    world.publish(open_now=[found], changed=[found])
    told = await query.ExplainOutage(pb.ExplainOutageRequest(id="o-1"))
    assert json.loads(told.evidence_json)["failing"]["agents"] == 2
    assert (told.scope, told.subject_kind, told.subject_id) == ("regional", "service", "twitter")
    assert list(told.regions) == ["in-east", "in-west"]
    assert (told.onset_us, told.family) == (outage().onset_us, 6)
    assert [(step.at_us, step.state, step.scope) for step in told.transitions] == [
        (outage().changed_us, "confirmed", "regional")
    ]


async def test_an_outage_is_explained_with_its_proof(world: World, query: Any) -> None:
    """What agents gathered at the moment of failure, in order, with a few words and all of its data."""
    world.publish(open_now=[outage()], changed=[outage()])
    path = {"reached": False, "hops": [{"hop": 1, "address": "10.0.0.1"}, {"hop": 2}]}
    fine = Proof("o-1", "us-1", "twitter-web", "story", False, NOW_US, {"outcome": "ok"})
    world.registry.save_proofs(
        [Proof("o-1", "west-1", "twitter-web", "traceroute", True, NOW_US, path), fine]
    )
    told = await query.ExplainOutage(pb.ExplainOutageRequest(id="o-1"))
    first, second = told.proofs
    assert json.loads(first.data_json) == path
    first.data_json = ""
    assert first == pb.Proof(
        agent_id="west-1",
        target_id="twitter-web",
        kind="traceroute",
        failing=True,
        gathered_us=NOW_US,
        says="ends beyond 10.0.0.1, hop 1: silence",
    )
    assert (second.agent_id, second.failing, second.says) == ("us-1", False, "ok")
    (listed,) = (await query.ListOutages(pb.ListOutagesRequest())).outages
    assert not listed.proofs


async def test_an_outage_that_nobody_knows_is_not_found(query: Any) -> None:
    """With a sentence."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await query.ExplainOutage(pb.ExplainOutageRequest(id="nope"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "there is no outage 'nope'"


async def test_watching_gives_what_is_open_and_then_each_change(world: World, query: Any) -> None:
    """Until the watcher leaves, which frees its place."""
    world.publish(open_now=[outage()], changed=[outage()])
    async with asyncio.timeout(PATIENCE_S):
        watching = query.WatchOutages(pb.WatchOutagesRequest())
        assert (await watching.read()).state == "confirmed"
        over = outage().with_state(State.RESOLVED, NOW_US)
        world.publish(changed=[over])
        assert (await watching.read()).state == "resolved"
        watching.cancel()
        await until(lambda: not len(world.board.events))


async def test_watching_ends_with_the_board(world: World, query: Any) -> None:
    """So that the collector can stop at once."""
    async with asyncio.timeout(PATIENCE_S):
        watching = query.WatchOutages(pb.WatchOutagesRequest())
        await until(lambda: bool(len(world.board.events)))
        world.board.close()
        assert [change async for change in watching] == []


async def test_beyond_all_places_a_watcher_is_refused(tmp_path: Path) -> None:
    """With a status that says to come back later."""
    world = make_world(tmp_path, most_readers=0)
    async for query in asking(world):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await query.WatchOutages(pb.WatchOutagesRequest()).read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    world.close()


async def test_availability_is_absent_where_nothing_is_known(world: World, query: Any) -> None:
    """Absent, not zero and not one."""
    world.publish()
    world.keep(results(OK, OK, HTTP, INCONCLUSIVE))
    found = await query.Availability(
        pb.AvailabilityRequest(since_us=NOW_US - HOUR_US, until_us=NOW_US, service="twitter")
    )
    rows = {row.region: row for row in found.rows}
    assert rows["in-west"].availability == pytest.approx(2 / 3)
    assert rows["in-west"].coverage == pytest.approx(1 / 60)
    assert (rows["in-west"].ok, rows["in-west"].failed, rows["in-west"].unknown) == (2, 1, 1)
    assert not rows["us-west"].HasField("availability")


async def test_availability_comes_in_steps(world: World, query: Any) -> None:
    """Of the width that is asked."""
    world.publish()
    asked = pb.AvailabilityRequest(
        since_us=NOW_US - HOUR_US,
        until_us=NOW_US,
        step_us=20 * MINUTE_US,
        service="bank",
        region="us-west",
    )
    found = await query.Availability(asked)
    assert [row.start_us for row in found.rows] == [NOW_US - n * 20 * MINUTE_US for n in (3, 2, 1)]


async def test_results_are_streamed_newest_first(world: World, query: Any) -> None:
    """With the agent's own start, and the offset of its clock beside it."""
    world.publish()
    world.keep(results(OK, HTTP))
    asked = pb.ResultsRequest(since_us=NOW_US - HOUR_US, until_us=NOW_US)
    rows = [row async for row in query.Results(asked)]
    assert [row.sequence for row in rows] == [2, 1]
    newest = rows[0]
    assert (newest.agent_id, newest.spool_id, newest.target_id) == ("west-1", "spool-1", "twitter-web")
    assert newest.started_us + newest.offset_us == NOW_US - 30 * MINUTE_US + 10_000_000
    assert (newest.outcome, newest.status, newest.detail) == (HTTP, 503, "status 503 is not 200")
    assert dict(newest.timings_us) == {"total": 1500}


async def test_a_reader_of_results_that_leaves_frees_its_place(world: World, query: Any) -> None:
    """Also when it never read to the end."""
    world.publish()
    world.keep(results(*[OK] * 10_000))
    before = world.history.streams.free
    async with asyncio.timeout(PATIENCE_S):
        asked = pb.ResultsRequest(since_us=NOW_US - HOUR_US, until_us=NOW_US + 24 * HOUR_US, limit=10_000)
        stream = query.Results(asked)
        await stream.read()
        stream.cancel()
        await until(lambda: world.history.streams.free == before)


@pytest.mark.parametrize(
    ("call", "asked", "said"),
    [
        (
            "Latency",
            pb.LatencyRequest(since_us=1, until_us=2, timing="typo"),
            "timing: 'typo' is not a timing; there are dns, connect, tls, first_byte, answer, total",
        ),
        ("Results", pb.ResultsRequest(), "since: the window is empty, since must lie before until"),
        (
            "Results",
            pb.ResultsRequest(since_us=1, until_us=2, agent_id="x"),
            "agent: 'x' is not known; known are east-1, us-1, west-1",
        ),
    ],
)
async def test_a_bad_question_is_an_invalid_argument(
    world: World, query: Any, call: str, asked: Message, said: str
) -> None:
    """With the sentence that REST has."""
    world.publish()
    called = getattr(query, call)(asked)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (called.read() if call == "Results" else called)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, said)


async def test_a_store_that_is_away_is_unavailable(world: World, query: Any) -> None:
    """A client knows that it may try again."""
    world.publish()
    world.store.close()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await query.Availability(pb.AvailabilityRequest(since_us=1, until_us=HOUR_US))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_latency_comes_with_its_error_and_its_worst_region(world: World, query: Any) -> None:
    """Percentiles of good results only; where there is none, the count says so."""
    world.publish()
    world.keep(results(OK, OK, HTTP, INCONCLUSIVE), results(OK, agent="us-1", start_us=NOW_US - MINUTE_US))
    asked = pb.LatencyRequest(since_us=NOW_US - HOUR_US, until_us=NOW_US, by=["service"])
    found = await query.Latency(asked)
    rows = {row.service: row for row in found.rows}
    assert (rows["twitter"].count, rows["twitter"].region) == (3, "")
    assert rows["twitter"].p50_us == pytest.approx(1500, rel=found.error)
    assert (rows["twitter"].worst_region, rows["bank"].count) == ("in-west", 0)


async def test_availability_is_divided_by_what_is_asked(world: World, query: Any) -> None:
    """With the worst region and the weighted mean beside the mean where rows have several regions."""
    world.publish()
    world.keep(results(OK, HTTP), results(OK, agent="us-1", start_us=NOW_US - MINUTE_US))
    asked = pb.AvailabilityRequest(
        since_us=NOW_US - HOUR_US, until_us=NOW_US, by=["component", "family"], service="twitter"
    )
    rows = {(row.component, row.family): row for row in (await query.Availability(asked)).rows}
    web = rows["web", 4]
    assert (web.service, web.ok, web.failed) == ("twitter", 2, 1)
    assert (web.weighted, web.worst, web.worst_region) == (0.75, 0.5, "in-west")
    assert not rows["login", 0].HasField("availability")


async def test_the_fleet_and_its_targets_are_listed(world: World, query: Any) -> None:
    """As of the last tick."""
    known = world.fleet
    agents_of_2016 = tuple(replace(agent, ca_bundle="2016") for agent in known.agents)
    over_ipv6 = tuple(replace(target, family=6) for target in known.targets)
    told = replace(world, fleet=replace(known, agents=agents_of_2016, targets=over_ipv6))
    told.publish(live=("us-1",))
    agents = (await query.ListAgents(pb.ListAgentsRequest())).agents
    assert [(a.agent_id, a.region, a.asn, a.state) for a in agents] == [
        ("east-1", "in-east", 55836, "never"),
        ("us-1", "us-west", 7018, "live"),
        ("west-1", "in-west", 55836, "never"),
    ]
    assert {a.ca_bundle for a in agents} == {"2016"}
    targets = (await query.ListTargets(pb.ListTargetsRequest())).targets
    assert [t.target_id for t in targets] == ["bank-web", "rail-web", "twitter-login", "twitter-web"]
    last = targets[-1]
    assert (last.service, last.component, last.provider) == ("twitter", "web", "edgeline")
    assert (last.kind, last.interval_us, last.family) == ("http", 30_000_000, 6)
