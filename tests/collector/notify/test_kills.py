"""Deliveries are counted over kill -9 of whoever delivers, and over failures of the receiver."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from faultline_collector.config import load_config
from faultline_collector.notify.fate import Fate
from faultline_collector.notify.outbox import Outbox
from faultline_collector.outages import Scope
from faultline_collector.registry.registry import Registry
from tests.collector.app.process import CollectorProcess, settings
from tests.collector.notify.receivers import REFUSE, RESET, TAKE, Receiver, receiving
from tests.collector.notify.worlds import FLEET, life
from tests.collector.notify.worlds import settings as notify_settings

pytestmark = pytest.mark.timeout(600)
OUTAGES = 20


def until(true: Callable[[], bool], seconds: float = 180) -> None:
    """Waits until something is true; fails after a while."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def receivers_of(receiver: Receiver, place: Path) -> list[dict[str, Any]]:
    """Settings that tell this receiver."""
    (place / "secret").write_text("secret")
    return [{"id": "ops", "kind": "webhook", "url": receiver.url, "secret_file": str(place / "secret")}]


def filled(url: str, receivers: list[dict[str, Any]], outages: int) -> Outbox:
    """An outbox with the lives of so many outages: two notices each."""
    registry = Registry(url)
    outbox = Outbox(registry.engine)
    told = notify_settings(receivers=receivers)
    now_us = time.time_ns() // 1000
    registry.steps.append(
        lambda session, before, after: outbox.take(
            session, before, after, fleet=FLEET, settings=told, now_us=now_us
        )
    )
    for i in range(outages):
        for outage in life(f"o-{i}", scope=Scope.GLOBAL):
            registry.save_outages([outage])
    return outbox


def test_nothing_is_lost_when_the_deliverer_is_killed(tmp_path: Path) -> None:
    """Killed again and again while its receiver fails now and then, it delivers every notice, in order.

    What comes twice carries the same id and the same body.
    """
    random = Random(5)
    url = f"sqlite:///{tmp_path}/registry.db"
    script = [random.choice((TAKE, TAKE, TAKE, TAKE, TAKE, TAKE, REFUSE, RESET)) for _ in range(60)]
    with receiving(*script, TAKE) as receiver:
        receivers = receivers_of(receiver, tmp_path)
        outbox = filled(url, receivers, OUTAGES)
        arguments = [url, json.dumps({"receivers": receivers})]
        for _ in range(4):
            with running("tests.collector.notify.deliverer", *arguments) as process:
                seen = len(receiver.requests) + random.randrange(1, 12)
                until(lambda seen=seen: len(receiver.requests) >= seen)  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
        with running("tests.collector.notify.deliverer", *arguments):
            until(lambda: not outbox.waiting())
    made = {d.notice.id: d.notice for d in outbox.deliveries(limit=1000)}
    assert len(made) == 2 * OUTAGES
    assert {d.fate for d in outbox.deliveries(limit=1000)} == {Fate.SENT}
    assert set(receiver.taken()) == set(made)
    assert all(request.body == made[request.notice].body() for request in receiver.requests)
    for outage in {notice.outage.id for notice in made.values()}:
        kinds = [r.document["kind"] for r in receiver.requests if r.document["outage"]["id"] == outage]
        assert kinds == sorted(kinds), "confirmed before resolved"


@contextmanager
def running(module: str, *arguments: str) -> Any:
    """A Python process that is killed at the end, if it was not before."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_collector_goes_on_with_its_outbox_after_kill_9(tmp_path: Path) -> None:
    """What it could not deliver before it was killed, it delivers afterwards, under the same ids."""
    collector = CollectorProcess(tmp_path)
    with receiving(REFUSE) as receiver:
        receivers = receivers_of(receiver, tmp_path)
        collector.write(settings(tmp_path) | {"notify": {"receivers": receivers}})
        url = load_config(collector.path).registry
        outbox = filled(url, receivers, 3)
        try:
            collector.start()
            until(lambda: len({r.notice for r in receiver.requests}) >= 3)
            assert "faultline_notices_waiting" in collector.text("/metrics")
            collector.kill()
            receiver.script = [TAKE]
            collector.start()
            until(lambda: not outbox.waiting())
            assert 'faultline_notices_total{fate="sent",receiver="ops"} 6.0' in collector.text("/metrics")
        finally:
            collector.close()
    made = {d.notice.id for d in outbox.deliveries()}
    assert set(receiver.taken()) == made
    assert {r.notice for r in receiver.requests} == made
