"""A world of three agents on addresses of its own, with all its servers open."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from faultline_collector.lab.stage import Claim, Stage
from faultline_collector.lab.world import World, make_world, with_agents


@pytest.fixture
def world() -> World:
    """The whole world."""
    return make_world()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Three agents' servers, open."""
    with closing(Claim()) as claim:
        stage = Stage(with_agents(make_world(claim.block), 3), tmp_path, lambda _: ("127.0.0.1", 9))
        await stage.open()
        yield stage
        await stage.close()
