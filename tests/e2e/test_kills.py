"""kill -9 at random moments in the middle of the lab loses nothing and doubles nothing."""

import asyncio
import logging
import os
from pathlib import Path
from random import Random

import pytest

from faultline_collector.lab.lab import Lab, LabOptions
from tests.e2e.kills import Account, account, caught_up, kill_agents, kill_collector, read_spool

KILLS = int(os.environ.get("FAULTLINE_KILLS", "10"))
"""How many kills of each; `make soak` asks for more."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300 + 20 * KILLS)]
log = logging.getLogger(__name__)


async def run_kills(folder: Path, agent_kills: int, collector_kills: int, seed: int) -> Account:
    """Six agents at intervals of a second, the kills, and the account of every result."""
    lab = Lab(LabOptions(folder, agents=6, interval_s=1.0))
    random = Random(seed)
    try:
        await lab.open(log.info)
        async with asyncio.TaskGroup() as killing:
            killing.create_task(kill_agents(lab, agent_kills, random))
            killing.create_task(kill_collector(lab, collector_kills, random))
        await caught_up(lab)
    finally:
        await lab.close()
    spools = [read_spool(lab, vantage) for vantage in lab.world.vantages]
    return account(lab.folder / "results.duckdb", spools)


async def test_kills_lose_nothing_and_double_nothing() -> None:
    """Stored sequences and reported ranges together are 1..N for every spool, each stored once."""
    seed = Random().randrange(2**32)
    log.info("seed %d, %d kills of each", seed, KILLS)
    total = await run_kills(Path("build/e2e/kills"), KILLS, KILLS, seed)
    log.info("%s", total)
    assert not total.problems, f"seed {seed}: {total.problems}"
    assert total.spools == 6
    assert total.stored > 500
