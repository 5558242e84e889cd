"""A small lab from start to end, as a process."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.e2e.demo import running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_small_lab_starts_again_at_once_and_leaves_no_process() -> None:
    """Twice in the same folder; when its terminal is closed, and when it is terminated."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        with running(["lab", "run", "--agents", "2"], Path("build/e2e/small"), 60.0) as lab:
            family = lab.family()
            lab.end(number)
            assert not psutil.wait_procs(family, timeout=0)[1]
