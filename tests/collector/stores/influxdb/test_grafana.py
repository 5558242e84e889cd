"""Every query of the dashboard and every ready Flux file, against a real server with results in it."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from faultline.ranges import Ranges
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import State
from faultline_collector.results import Source
from faultline_collector.stores.influxdb.address import read_token
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.outbox import Outbox
from faultline_collector.stores.influxdb.reading import tables
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.influxdb.setup import Wish, set_up
from faultline_collector.stores.influxdb.store import InfluxdbStore
from tests.collector.stores.influxdb.buckets import address_of
from tests.collector.stores.influxdb.conftest import drained, until
from tests.collector.stores.influxdb.test_lines import outage
from tests.collector.stores.rows import NOON_US, Row, batch_of, kept_up, ranges_of
from tests.servers.influxdb import Organisation

FOLDER = Path("deploy/grafana")
FILES = sorted((FOLDER / "flux").glob("*.flux"))
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "faultline.json").read_text())
MINUTE_US = 60_000_000
TIMINGS = {"total": 9000, "dns": 1000, "connect": 2000, "tls": 3000, "first_byte": 3000}
FLEET = Fleet(
    agents=(Agent("in-1", "in-west", "IN", 9829), Agent("us-1", "us-east", "US", 7018)),
    targets=(
        Target("twitter-web", "twitter", "web", "cdn", "http", 60),
        Target("bank", "bank", "web", "", "http", 60),
    ),
)


def queries(place: Any) -> Iterator[str]:
    """Every Flux query in a piece of a dashboard."""
    for name, value in place.items() if isinstance(place, dict) else enumerate(place):
        if name == "query" and isinstance(value, str) and "bucket:" in value:
            yield value
        elif isinstance(value, dict | list):
            yield from queries(value)


@pytest.fixture(scope="module")
def ask(influxdb: Organisation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Asks the server; it has an hour of results of two services and regions, one of which fails in part."""
    folder = tmp_path_factory.mktemp("grafana")
    url = f"influxdb://{influxdb.url.removeprefix('http://')}/{influxdb.org}/results"
    wish = Wish(timedelta(days=7), timedelta(days=400), folder / "token")
    list(set_up(address_of(url), influxdb.token, wish))
    server = Server(address_of(url), lambda: read_token(folder / "token"))
    letters = DeadLetters(folder / "refused.jsonl")
    now_us = time.time_ns() // 1000
    with closing(InfluxdbStore(server, Outbox(folder / "outbox"), letters, lambda: now_us)) as store:
        store.note_outages([outage(State.CONFIRMED, confirmed_us=now_us - 20 * MINUTE_US)])
        for minutes in (range(48), range(48, 60)):  # the last are not in the roll-ups yet
            for agent, target in (("in-1", "twitter-web"), ("us-1", "twitter-web"), ("in-1", "bank")):
                put(store, agent, target, [now_us - (59 - minute) * MINUTE_US for minute in minutes])
        until(lambda: drained(store))
        kept_up(store)
    with closing(Server(address_of(url), lambda: influxdb.token)) as server:
        yield lambda flux: rows(server, flux)


def put(store: InfluxdbStore, agent: str, target: str, times_us: list[int]) -> None:
    """A result at each time; every fourth of the bank's is an error."""
    failed = {"outcome": 5, "status": 503, "detail": "503 instead of 200"}
    first = store.received().get(Source(agent, f"spool-{target}"), Ranges()).count() + 1
    results = []
    for i, time_us in enumerate(times_us, first):
        at_us = time_us - NOON_US
        row = Row(i, agent, target, at_us, f"spool-{target}", received_us=at_us + 1, timings_us=TIMINGS)
        results.append(replace(row, **failed) if target == "bank" and i % 4 == 0 else row)  # type: ignore[arg-type]
    store.append(batch_of(results), ranges_of(results), FLEET)


def rows(server: Server, flux: str) -> list[dict[str, str]]:
    """The rows of an answer, where Grafana's variables are set."""
    window = "{timeRangeStart: -2h, timeRangeStop: now(), windowPeriod: 5m}"
    text = flux.replace("${service:regex}", "(twitter|bank)")
    imports = "".join(re.findall(r"(?m)^import .*\n", text))
    asked = f"{imports}option v = {window}\n{text.replace(imports, '') if imports else text}"
    return [dict(zip(header, row, strict=True)) for header, some in tables(server.ask(asked)) for row in some]


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_ready_query_answers(ask: Any, file: Path) -> None:
    """None fails, none is empty."""
    assert ask(file.read_text())


def test_the_dashboard_asks_what_the_files_ask() -> None:
    """Each of its queries is one of the files, and each file is in it."""
    assert sorted(queries(DASHBOARD)) == sorted(file.read_text() for file in FILES)


def test_the_answers_are_right(ask: Any) -> None:
    """Availability, failures, latency, reasons: the numbers of what was stored."""

    def said(name: str) -> list[dict[str, str]]:
        return list(ask((FOLDER / "flux" / f"{name}.flux").read_text()))

    services = {row["service"]: float(row["_value"]) for row in said("availability-by-service")}
    assert services == {"bank": 75.0, "twitter": 100.0}
    assert sum(int(row["_value"]) for row in said("failures-by-outcome")) == 12
    assert sum(int(row["_value"]) for row in said("results-by-outcome")) == 180
    assert {float(row["_value"]) for row in said("latency-by-service")} == {9.0}
    assert [(row["detail"], row["_value"]) for row in said("reasons")] == [("503 instead of 200", "15")]
    assert [(row["target"], row["agent"]) for row in said("failing-now")] == [("bank", "in-1")]
    assert {row["status"] for row in said("status-codes")} == {"503"}
    assert [row["title"] for row in said("outages")] == ["service twitter: confirmed"]
