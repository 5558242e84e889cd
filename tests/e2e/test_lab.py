"""A small lab from start to end, as a process, with what it has by itself: gRPC and the embedded store."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.e2e.demo import running, verdict_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_small_lab_starts_again_at_once_and_leaves_no_process() -> None:
    """Twice in the same folder; when its terminal is closed, and when it is terminated."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        with running(["lab", "run", "--agents", "2"], Path("build/e2e/small"), 120.0) as lab:
            family = lab.family()
            lab.end(number)
            assert not psutil.wait_procs(family, timeout=0)[1]


def test_fault_is_declared_and_resolved_with_the_embedded_store() -> None:
    """A service that fails everywhere is the only outage, and it ends."""
    with running(["lab", "run", "--agents", "6", "--interval", "2"], Path("build/e2e/small"), 120.0) as lab:
        lab.await_quiet(60.0)
        before = lab.seen()
        lab.fault("global", "reddit")
        lab.await_confirmed(("global", "reddit"), before, 60.0)
        lab.fault("clear")
        lab.await_quiet(60.0)
        assert [verdict_of(outage) for outage in lab.since(before)] == [("global", "reddit")]
