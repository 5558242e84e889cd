"""Every store, by the same name as in the table."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultline_collector.stores import STORES, open_store
from faultline_collector.stores.store import Store
from tests.collector.stores.influxdb.buckets import new_store_url, options
from tests.servers.influxdb import Organisation

PLACES = {"memory": "memory://", "duckdb": "duckdb://{folder}/results.duckdb"}
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
