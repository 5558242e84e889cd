"""What the tests of notices share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.notify.posts import Post


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """A post office."""
    made = Post(tmp_path)
    yield made
    made.registry.close()
