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

from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import State
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.reading import tables
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.influxdb.setup import Wish, set_up
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.options import StoreOptions
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
    with closing(open_store(url, StoreOptions(folder / "token", folder / "outbox"))) as store:
        assert isinstance(store, InfluxdbStore)
        store.note_outages([outage(State.CONFIRMED, confirmed_us=now_us() - 20 * MINUTE_US)])
        for minutes in (range(48), range(48, 60)):  # the last are not in the roll-ups yet
            for agent, target in (("in-1", "twitter-web"), ("us-1", "twitter-web"), ("in-1", "bank")):
                put(store, agent, target, minutes)
        until(lambda: drained(store))
        kept_up(store)
    with closing(Server(address_of(url), lambda: influxdb.token)) as server:
        yield lambda flux: rows(server, flux)


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def put(store: InfluxdbStore, agent: str, target: str, minutes: range) -> None:
    """A result for some minutes of the last hour; every fourth of the bank's is an error."""
    begin_us = now_us() - 60 * MINUTE_US - NOON_US
    failed = {"outcome": 5, "status": 503, "detail": "503 instead of 200"}
    results = []
    for i in minutes:
        at_us = begin_us + i * MINUTE_US
        row = Row(i + 1, agent, target, at_us, f"spool-{target}", received_us=at_us + 1, timings_us=TIMINGS)
        results.append(replace(row, **failed) if target == "bank" and i % 4 == 3 else row)  # type: ignore[arg-type]
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
