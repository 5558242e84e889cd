"""The story with real processes and servers: every scope is declared as it is, and nothing else is."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.demo import OPEN, Demo, Verdict, running, verdict_of
from tests.servers.influxdb import influxd_program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]
log = logging.getLogger(__name__)

READY_S = 150.0
DECLARED_S = 60.0
RESOLVED_S = 120.0
ISOLATED_S = 20.0
INDIA = "in-west,in-north,in-east"


@pytest.fixture(scope="module")
def demo(program: Callable[[str], str]) -> Iterator[Demo]:
    """The demo with its 36 agents, half of them over MQTT, and InfluxDB as its store."""
    influxd_program()
    program("mosquitto")
    words = ["demo", "--store", "influxdb", "--uplink", "mixed"]
    with running(words, Path("build/e2e/story"), READY_S) as demo:
        log.info("ready after %.1f s", time.monotonic() - demo.started)
        yield demo


@pytest.fixture(autouse=True)
def _whole(demo: Demo) -> Iterator[None]:
    """Each test leaves a whole world."""
    yield
    if demo.process.poll() is None:
        demo.fault("clear")
        demo.await_quiet(RESOLVED_S)


def healths(demo: Demo) -> set[str]:
    """How the regions stand, all of whose agents are live."""
    return {r["health"] if r["live"] == r["agents"] == 3 else "not live" for r in demo.state()["regions"]}


def test_all_agents_are_live_and_nothing_is_out(demo: Demo) -> None:
    """The page shows 36 live agents, every region known or being learned, and no outage."""
    demo.until(
        lambda: healths(demo) <= {"ok", "learning"} or None, 60, "all live", lambda: str(healths(demo))
    )
    assert not demo.outages()
    assert {file for process in demo.family() for file in written_by(process)} <= {"story", "story.out"}
    assert "faultline lab fault regional twitter --regions in-west" in demo.words()


def written_by(process: psutil.Process) -> set[str]:
    """Where in build/e2e a process has files open to write; any other place by its path."""
    root = Path("build/e2e").resolve()
    files = {Path(file.path) for file in process.open_files() if file.mode != "r"}
    return {path.relative_to(root).parts[0] if path.is_relative_to(root) else str(path) for path in files}


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("network", "55836"), ("network", "55836")),
        (("provider", "aws"), ("provider", "aws")),
        (("agent", "us-east-verizon"), ("agent", "us-east-verizon")),
        (("agent", "de-west-o2", "--isolated"), ("agent", "de-west-o2")),
    ],
    ids=["network", "provider", "agent", "isolated-agent"],
)
def test_fault_is_declared_with_its_scope_and_subject(
    demo: Demo, words: tuple[str, ...], verdict: Verdict
) -> None:
    """Exactly one outage, of the right scope and subject, and it is resolved after."""
    before, began = demo.seen(), time.monotonic()
    demo.fault(*words)
    demo.await_confirmed(verdict, before, DECLARED_S)
    log.info("%s confirmed after %.1f s", verdict, time.monotonic() - began)
    demo.fault("clear")
    demo.await_quiet(RESOLVED_S)
    assert [verdict_of(outage) for outage in demo.since(before)] == [verdict]


def test_twitter_fails_in_india_then_everywhere(demo: Demo) -> None:
    """Regional first, then global, with the reason; no other service is named."""
    before, began = demo.seen(), time.monotonic()
    demo.fault("regional", "twitter", "--regions", INDIA)
    outage = demo.await_confirmed(("regional", "twitter"), before, DECLARED_S)
    log.info("regional confirmed after %.1f s: %s", time.monotonic() - began, outage["why"])
    assert set(outage["regions"]) == set(INDIA.split(","))
    began = time.monotonic()
    demo.fault("global", "twitter")
    outage = demo.await_confirmed(("global", "twitter"), before, DECLARED_S)
    log.info("global confirmed after %.1f s: %s", time.monotonic() - began, outage["why"])
    demo.fault("clear")
    demo.await_quiet(RESOLVED_S)
    assert {outage["subject"]["id"] for outage in demo.since(before)} == {"twitter"}


def test_isolated_collector_opens_and_closes_nothing(demo: Demo) -> None:
    """What was open stays open, what was fine is not called down; only the collector itself is out."""
    before = demo.seen()
    demo.fault("global", "reddit")
    demo.await_confirmed(("global", "reddit"), before, DECLARED_S)
    demo.fault("collector")
    until = time.monotonic() + ISOLATED_S
    demo.until(lambda: time.monotonic() > until or None, 2 * ISOLATED_S, "time has passed")
    during = {verdict_of(o): o["state"] in OPEN for o in demo.since(before)}
    assert during.pop(("global", "reddit"))
    assert {scope for scope, _ in during} <= {"collector"}
    demo.fault("clear")
    demo.await_quiet(RESOLVED_S)
    assert {scope for scope, _ in map(verdict_of, demo.since(before))} <= {"global", "collector"}


def test_every_region_is_fine_after_all(demo: Demo) -> None:
    """All has been learned, and all works again."""
    demo.until(lambda: healths(demo) == {"ok"} or None, 90, "every region fine", lambda: str(healths(demo)))
    assert not [outage for outage in demo.outages() if outage["state"] in OPEN]


def test_ctrl_c_ends_everything_within_five_seconds(demo: Demo) -> None:
    """No process is left, and nothing was written but in the demo's folder."""
    family = demo.family()
    assert len(family) == 1 + 1 + 36 + 2
    taken = demo.end(signal.SIGINT)
    log.info("ended after %.1f s", taken)
    _, alive = psutil.wait_procs(family, timeout=0)
    assert not alive
    assert taken < 5.0
