"""A small lab from start to end, as a process, with what it has by itself: gRPC and the embedded store."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.e2e.demo import running, verdict_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

FOLDER = Path("build/e2e/small")
READY_S, PATIENCE_S = 120.0, 60.0


def test_fault_is_declared_and_resolved_with_the_embedded_store() -> None:
    """A service that fails everywhere is the only outage; when the terminal is closed, no process is left."""
    with running(["lab", "run", "--agents", "6", "--interval", "2"], FOLDER, READY_S) as lab:
        before = lab.seen()
        lab.fault("global", "reddit")
        lab.await_confirmed(("global", "reddit"), before, PATIENCE_S)
        lab.fault("clear")
        lab.await_quiet(PATIENCE_S)
        assert [verdict_of(outage) for outage in lab.since(before)] == [("global", "reddit")]
        family = lab.family()
        lab.end(signal.SIGHUP)
        assert not psutil.wait_procs(family, timeout=0)[1]


def test_small_lab_starts_again_at_once_and_leaves_no_process() -> None:
    """In the same folder; when it is terminated, no process is left."""
    with running(["lab", "run", "--agents", "2"], FOLDER, READY_S) as lab:
        family = lab.family()
        lab.end(signal.SIGTERM)
        assert not psutil.wait_procs(family, timeout=0)[1]
