"""Alertmanager: the alerts of a notice, and Debian's own Alertmanager, which takes them."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from faultline_collector.notify.document import Notice, notices_of
from faultline_collector.notify.fate import NotDelivered
from faultline_collector.notify.notifiers.alertmanager import (
    Alertmanager,
    AlertmanagerSettings,
    alerts_of,
)
from faultline_collector.outages import Outage, Scope, State, Subject
from tests.collector.notify.posts import Post, until
from tests.collector.notify.receivers import TAKE, receiving
from tests.collector.notify.worlds import FLEET, NOW_US, SECOND_US, life, settings

MINUTE_US = 60 * SECOND_US


def a_life(begins_us: int = NOW_US) -> tuple[Notice, Notice, Notice]:
    """Confirmed for a region, found to be the provider's, resolved."""
    ago_us = begins_us - NOW_US
    first, confirmed, resolved = (moved(one, ago_us) for one in life())
    provider: dict[str, Any] = {"scope": Scope.PROVIDER, "subject": Subject("provider", "edgeline")}
    changed = replace(confirmed, **provider, changed_us=begins_us + MINUTE_US // 2)
    steps = ((first, confirmed), (confirmed, changed), (changed, replace(resolved, **provider)))
    one, two, three = (made for step in steps for made in notices_of(*step, FLEET))
    return one, two, three


def moved(outage: Outage, by_us: int) -> Outage:
    """The outage at another time."""
    names = ("onset_us", "onset_after_us", "onset_before_us", "detected_us", "confirmed_us", "resolved_us")
    times = {n: getattr(outage, n) + by_us for n in (*names, "changed_us") if getattr(outage, n) is not None}
    return replace(outage, **times)


def test_what_goes_on_ends_later_than_it_is_repeated() -> None:
    """So that Alertmanager never resolves what still goes on, and does resolve what nobody tells any more."""
    confirmed, _, _ = a_life()
    (alert,) = alerts_of(confirmed, NOW_US, 5 * MINUTE_US)
    assert alert["labels"] == {
        "alertname": "FaultlineOutage",
        "outage": "o-1",
        "scope": "regional",
        "kind": "service",
        "subject": "shop",
    }
    assert alert["annotations"]["description"] == "The shop fails in India."
    assert alert["startsAt"] == confirmed.outage.onset
    assert datetime.fromisoformat(alert["endsAt"]).timestamp() == (NOW_US + 5 * MINUTE_US) / 1e6


def test_another_scope_ends_the_alert_of_the_first() -> None:
    """Labels are an alert's identity, so an outage that turns out to be another's has two."""
    _, changed, resolved = a_life()
    now, before = alerts_of(changed, NOW_US, 5 * MINUTE_US)
    assert (now["labels"]["scope"], before["labels"]["scope"]) == ("provider", "regional")
    assert before["endsAt"] == changed.at < now["endsAt"]
    (end,) = alerts_of(resolved, NOW_US, 5 * MINUTE_US)
    assert end["labels"] == now["labels"]
    assert end["endsAt"] == resolved.outage.resolved_at


def test_the_end_ends_the_alert_also_where_the_outage_is_perhaps_back() -> None:
    """What ended and was suspected again before it could be kept has no time of its end."""
    first, confirmed, resolved = life()
    perhaps = replace(resolved, state=State.SUSPECTED, resolved_us=None, changed_us=NOW_US + MINUTE_US)
    (told,) = notices_of(confirmed, perhaps, FLEET)
    (alert,) = alerts_of(told, NOW_US + MINUTE_US, 5 * MINUTE_US)
    assert alert["endsAt"] == told.at
    assert first.id == told.outage.id


@pytest.mark.parametrize("secret", [b"two\nlines", b"\xff\xfe secret"], ids=["lines", "bytes"])
async def test_a_secret_that_no_header_can_carry_is_not_told(tmp_path: Path, secret: bytes) -> None:
    """Neither to the receiver nor in the sentence."""
    (tmp_path / "secret").write_bytes(secret)
    with receiving(TAKE) as receiver:
        notifier = Alertmanager(AlertmanagerSettings(url=receiver.url, secret_file=tmp_path / "secret"))
        with pytest.raises(NotDelivered) as caught:
            await notifier.deliver(a_life()[0], NOW_US)
        await notifier.close()
    assert str(caught.value) == "the secret is no bearer token: it must be one line of ASCII"
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("more", "header"),
    [
        ({}, None),
        ({"secret_env": "HOME"}, "Bearer "),
        ({"secret_env": "HOME", "username": "me"}, "Basic "),
    ],
    ids=["open", "token", "password"],
)
async def test_a_secret_is_a_token_or_a_password(more: dict[str, str], header: str | None) -> None:
    """Where one is named, it goes into the header and nowhere else."""
    with receiving(TAKE) as receiver:
        notifier = Alertmanager(AlertmanagerSettings(url=receiver.url, **more))  # type: ignore[arg-type]
        await notifier.deliver(a_life()[0], NOW_US)
        await notifier.close()
    (request,) = receiver.requests
    assert request.path == "/hook/api/v2/alerts"
    sent = request.headers.get("Authorization")
    assert sent is None if header is None else (sent or "").startswith(header)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "http://192.0.2.1:9093"}, "would travel in plaintext"),
        ({"url": "https://am", "repeat": "5m"}, "lasts must be longer than repeat"),
        ({"url": "https://am", "repeat": "0s"}, "repeat must be 1s or longer"),
        ({"url": "https://am", "username": "me"}, "username needs secret_file or secret_env"),
        ({"url": "https://am", "secret_env": "A", "secret_file": "b"}, "cannot both be given"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], said: str) -> None:
    """Each with a sentence."""
    with pytest.raises(ValidationError, match=said):
        AlertmanagerSettings.model_validate(settings)


@pytest.fixture
def alertmanager(program: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    """Debian's Alertmanager on loopback, alone; gives its address."""
    path = program("prometheus-alertmanager")
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        "route: {receiver: nobody}\nreceivers: [{name: nobody}]\nglobal: {resolve_timeout: 5m}\n"
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [path, f"--config.file={config}", f"--storage.path={tmp_path / 'data'}",
             f"--web.listen-address={address}", "--cluster.listen-address="],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield ready(f"http://{address}", process)
    finally:
        process.terminate()
        process.wait(30)


def ready(url: str, process: subprocess.Popen[bytes]) -> str:
    """The address, once it answers."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/-/ready", trust_env=False, verify=False).is_success:
                return url
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("Alertmanager does not answer")


def active(url: str) -> dict[str, str]:
    """What Alertmanager holds for going on: scope by subject."""
    found = httpx.get(f"{url}/api/v2/alerts?active=true", trust_env=False, verify=False, timeout=30).json()
    return {alert["labels"]["subject"]: alert["labels"]["scope"] for alert in found}


async def test_debians_alertmanager_follows_an_outage(alertmanager: str) -> None:
    """It fires when confirmed, again when repeated, moves with the scope, and ends with the outage."""
    notifier = Alertmanager(AlertmanagerSettings(url=alertmanager))
    now_us = time.time_ns() // 1000
    confirmed, changed, resolved = a_life(now_us - 2 * MINUTE_US)
    assert active(alertmanager) == {}
    for told, firing in (
        (confirmed, {"shop": "regional"}),
        (confirmed, {"shop": "regional"}),
        (changed, {"edgeline": "provider"}),
        (changed, {"edgeline": "provider"}),
        (resolved, {}),
    ):
        await notifier.deliver(told, now_us)
        assert active(alertmanager) == firing
    await notifier.close()


def ends(url: str) -> list[float]:
    """When Alertmanager takes what goes on for over, if it hears no more of it."""
    found = httpx.get(f"{url}/api/v2/alerts?active=true", trust_env=False, verify=False, timeout=30).json()
    return [datetime.fromisoformat(alert["endsAt"]).timestamp() for alert in found]


async def test_an_outage_that_lasts_outlasts_its_alerts_end(alertmanager: str, post: Post) -> None:
    """The courier tells it again in time, also a courier that comes after another was cut off."""
    receiver = {"id": "am", "kind": "alertmanager", "url": alertmanager, "repeat": "1s", "lasts": "1m"}
    post.settings = settings(receivers=[receiver])
    _, confirmed, resolved = (moved(one, time.time_ns() // 1000 - NOW_US) for one in life())
    post.keep(confirmed)
    async with post.courier():
        await until(lambda: bool(ends(alertmanager)))
        first = ends(alertmanager)[0]
        await until(lambda: ends(alertmanager)[0] > first)
    async with post.courier():
        await until(lambda: ends(alertmanager)[0] > first + 3)
        post.keep(replace(resolved, resolved_us=time.time_ns() // 1000))
        await until(lambda: ends(alertmanager) == [])
        await until(lambda: post.fates() == ["sent", "sent"])


async def test_debians_alertmanager_says_what_it_does_not_take(alertmanager: str) -> None:
    """An outage that ends before it begins is refused for ever."""
    notifier = Alertmanager(AlertmanagerSettings(url=alertmanager))
    confirmed, _, _ = a_life()
    with pytest.raises(NotDelivered, match="answered 400") as caught:
        await notifier.deliver(confirmed, confirmed_us := NOW_US - 3600 * SECOND_US)
    assert confirmed_us
    assert caught.value.permanent
    await notifier.close()
