"""A served rig for every test of the gRPC server."""

from collections.abc import AsyncIterator

import pytest

from tests.collector.ingest.serving import Served, serving
from tests.collector.ingest.worlds import Rig


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A served rig with a memory store."""
    async with serving(Rig()) as one:
        yield one
