"""kill -9 at random moments in the middle of the lab loses nothing and doubles nothing."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.e2e.kills import Kills, run_kills
from tests.servers.influxdb import influxd_program

COUNT = int(os.environ.get("FAULTLINE_KILLS", "5"))
"""How many kills of each; `make soak` asks for more."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300 + 20 * COUNT)]
log = logging.getLogger(__name__)


async def lose_nothing(folder: Path, kills: Kills) -> None:
    """Stored sequences and reported ranges together are 1..N for every spool, each stored once."""
    seed = Random().randrange(2**32)
    log.info("seed %d, kills: %s", seed, kills)
    total = await run_kills(folder, kills, seed, log.info)
    log.info("%s", total)
    assert not total.problems, f"seed {seed}: {total.problems}"
    assert total.spools == 6
    assert total.stored > 500


async def test_kills_lose_nothing_and_double_nothing() -> None:
    """Agents over gRPC and a collector with its embedded store."""
    await lose_nothing(Path("build/e2e/kills"), Kills(2 * COUNT, 2 * COUNT))


async def test_kills_of_real_servers_lose_nothing_and_double_nothing(program: Callable[[str], str]) -> None:
    """influxd, mosquitto, the collector and agents; every result is in InfluxDB once."""
    influxd_program()
    program("mosquitto")
    await lose_nothing(Path("build/e2e/kills-servers"), Kills(COUNT, COUNT, COUNT, COUNT))
