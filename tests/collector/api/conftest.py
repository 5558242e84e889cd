"""The world and a reader of its API, without a socket."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.collector.api.worlds import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world before its first tick."""
    made = make_world(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def reader(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the world's API."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="http://test") as client:
        yield client
