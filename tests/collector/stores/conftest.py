"""Every store, by the same name as in the table."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultline_collector.stores import STORES, open_store
from faultline_collector.stores.store import Store

PLACES = {"memory": "memory://", "duckdb": "duckdb://{folder}/results.duckdb"}


@pytest.fixture(params=sorted(STORES))
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that holds nothing yet."""
    return PLACES[request.param].format(folder=tmp_path)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store that holds nothing yet."""
    opened = open_store(store_url)
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
