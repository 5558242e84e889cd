"""What the tests of the program share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.app.process import CollectorProcess


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector that is not started yet; it ends with the test."""
    one = CollectorProcess(tmp_path)
    yield one
    one.close()
