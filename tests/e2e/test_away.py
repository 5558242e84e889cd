"""InfluxDB away while results come in: all of them are there once it is back."""

import logging
from pathlib import Path

import pytest

from tests.e2e.away import RATE, run_away
from tests.servers.influxdb import Influxd

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
log = logging.getLogger(__name__)

AWAY_S = 30
"""Seconds of load, which come in no time; `make soak` has an hour of it."""


def test_influxdb_that_was_away_gets_everything_once(influxd: Influxd, tmp_path: Path) -> None:
    """The store says since when it is away; back, it takes backlog and live results side by side."""
    seen = run_away(influxd, tmp_path, AWAY_S, log.info)
    log.info("%s", seen)
    assert seen.problem.startswith("store away since ")
    assert not seen.total.problems
    assert seen.total.stored >= AWAY_S * RATE
