"""Every store, by the same name as in the table."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from faultline_collector.stores import STORES, open_store
from faultline_collector.stores.duckdb import DuckdbStore
from faultline_collector.stores.influxdb.address import read_token
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.outbox import Outbox
from faultline_collector.stores.influxdb.server import Server
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.store import Store
from tests.collector.stores.influxdb.buckets import address_of, new_store_url, options
from tests.collector.stores.rows import DAY_US
from tests.servers.influxdb import Organisation

PLACES = {"memory": "memory://", "duckdb": "duckdb://{folder}/results.duckdb"}
Fresh = Callable[[], AbstractContextManager[Store]]
AFTER_ALL_US = 2**60
"""A time at which every day of these tests has long settled."""

OVER_TLS = {"influxdbs"}
"""The same store as another, on another connection."""


@pytest.fixture(params=sorted(STORES.keys() - OVER_TLS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store that holds nothing yet."""
    if request.param in PLACES:
        opened = open_store(PLACES[request.param].format(folder=tmp_path))
    else:
        place: Organisation = request.getfixturevalue("influxdb")
        opened = open_store(new_store_url(place), options(place, tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the same file again and again; the one before is closed."""
    opened: list[Store] = []

    def reopen() -> Store:
        for one in opened:
            one.close()
        opened.append(open_store(f"duckdb://{tmp_path}/lasting.duckdb"))
        return opened[-1]

    yield reopen
    for one in opened:
        one.close()


@pytest.fixture(params=sorted(STORES.keys() - OVER_TLS - {"memory"}))
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Opens an empty store of each kind but memory, as often as is asked, for a block."""

    @contextmanager
    def opened() -> Iterator[Store]:
        folder = tmp_path_factory.mktemp("fresh")
        if request.param == "duckdb":
            store: Store = DuckdbStore(folder / "results.duckdb", clock=days_after_all())
        else:
            store = _settled(request.getfixturevalue("influxdb"), folder)
        with closing(store):
            yield store

    return opened


def days_after_all() -> Callable[[], int]:
    """A clock that goes on by a day whenever it is asked, so that nothing waits."""
    times = count(AFTER_ALL_US, DAY_US)
    return lambda: next(times)


def _settled(place: Organisation, folder: Path) -> InfluxdbStore:
    """An empty store by whose clock all days have settled."""
    told = options(place, folder)
    server = Server(address_of(new_store_url(place)), lambda: read_token(told.token_file))
    letters = DeadLetters(told.outbox / "refused.jsonl")
    return InfluxdbStore(server, Outbox(told.outbox), letters, days_after_all())


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many examples a property is tried with: fewer where a server makes each store anew."""
    return 25 if "duckdb" in request.node.name else 8
