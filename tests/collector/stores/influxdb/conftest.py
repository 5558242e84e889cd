"""Stores in InfluxDB that are opened again and again, and servers that are away."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultline_collector.stores.influxdb.address import read_token
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.outbox import Bounds, Outbox
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.influxdb.store import InfluxdbStore
from tests.collector.stores.influxdb.buckets import address_of, new_store_url, options
from tests.collector.stores.rows import NOON_US
from tests.servers.influxdb import Organisation

Opens = Callable[..., InfluxdbStore]

_DEADLINE_S = 40.0
_POLL_S = 0.02


@pytest.fixture
def url(influxdb: Organisation) -> str:
    """A store that holds nothing yet."""
    return new_store_url(influxdb)


@pytest.fixture
def opens(influxdb: Organisation, url: str, tmp_path: Path) -> Iterator[Opens]:
    """Opens the same store again and again, the one before is closed; with another URL, bounds or time."""
    opened: list[InfluxdbStore] = []

    def reopen(url: str = url, bounds: Bounds | None = None, now_us: int = NOON_US) -> InfluxdbStore:
        for one in opened:
            one.close()
        told = options(influxdb, tmp_path)
        server = Server(
            address_of(url), lambda: read_token(told.token_file), write_deadline_s=2.0, query_deadline_s=10.0
        )
        letters = DeadLetters(told.outbox / "refused.jsonl")
        opened.append(InfluxdbStore(server, Outbox(told.outbox, bounds), letters, lambda: now_us))
        return opened[-1]

    yield reopen
    for one in opened:
        one.close()


def until(ready: Callable[[], bool]) -> None:
    """Waits until something has come true."""
    deadline = time.monotonic() + _DEADLINE_S
    while not ready():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(_POLL_S)


def drained(store: InfluxdbStore) -> bool:
    """Whether InfluxDB has everything."""
    return store.standing().waiting_results == 0
