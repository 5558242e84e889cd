"""kill -9 at random moments in the middle of the lab loses nothing and doubles nothing."""

import logging
import os
from pathlib import Path
from random import Random

import pytest

from tests.e2e.kills import run_kills

KILLS = int(os.environ.get("FAULTLINE_KILLS", "10"))
"""How many kills of each; `make soak` asks for more."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300 + 20 * KILLS)]
log = logging.getLogger(__name__)


async def test_kills_lose_nothing_and_double_nothing() -> None:
    """Stored sequences and reported ranges together are 1..N for every spool, each stored once."""
    seed = Random().randrange(2**32)
    log.info("seed %d, %d kills of each", seed, KILLS)
    total = await run_kills(Path("build/e2e/kills"), KILLS, KILLS, seed, log.info)
    log.info("%s", total)
    assert not total.problems, f"seed {seed}: {total.problems}"
    assert total.spools == 6
    assert total.stored > 500
