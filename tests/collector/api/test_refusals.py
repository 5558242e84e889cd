"""What REST refuses: bad questions, what is not there, what is away; each with a sentence."""

from pathlib import Path

import httpx
import pytest

from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.summary import Summary, SummaryQuery
from tests.collector.api.worlds import World, make_world


async def refused(reader: httpx.AsyncClient, path: str, status: int) -> str:
    """The sentence of a refusal."""
    answer = await reader.get(path)
    assert answer.status_code == status, answer.text
    content = answer.json()
    assert content.keys() == {"error"}
    return str(content["error"])


async def test_an_outage_that_nobody_knows_is_404(reader: httpx.AsyncClient) -> None:
    """With a sentence."""
    assert await refused(reader, "/api/v1/outages/nope", 404) == "there is no outage 'nope'"


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
        (
            "latency?service=bank&provider=edgeline&since=365d&step=1s",
            "step: would make 31536000 rows, at most 200000 are allowed",
        ),
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
