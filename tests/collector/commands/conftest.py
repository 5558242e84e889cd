"""A served world, and a way to run commands against it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from faultline_collector.commands import main
from tests.collector.api.serving import Served, serving
from tests.collector.api.worlds import make_world

Faultline = Callable[..., Result]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A world behind a socket."""
    world = make_world(tmp_path)
    with serving(world) as running:
        yield running
    world.close()


@pytest.fixture
def faultline(served: Served) -> Faultline:
    """Runs `faultline` with the served world's address in the environment."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env={"FAULTLINE_URL": served.url})

    return run
