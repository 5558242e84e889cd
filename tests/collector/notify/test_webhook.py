"""The webhook against a real receiver."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from faultline_collector.notify import signature
from faultline_collector.notify.document import Notice, notices_of, schema_text
from faultline_collector.notify.fate import NotDelivered
from faultline_collector.notify.notifiers.posting import retry_after_s, url_problem
from faultline_collector.notify.notifiers.webhook import Webhook, WebhookSettings
from faultline_collector.outages import Scope
from tests.collector.notify.receivers import (
    BUSY,
    GARBLE,
    NEVER,
    REDIRECT,
    REFUSE,
    RESET,
    TAKE,
    receiving,
)
from tests.collector.notify.worlds import FLEET, NOW_US, life, notice

SECRET = b"a secret of sixteen bytes or more"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with the secret and the newline that editors leave."""
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    return path


async def send(url: str, secret: Path, made: Notice) -> None:
    """Delivers once."""
    webhook = Webhook(WebhookSettings(url=url, secret_file=secret))
    try:
        await webhook.deliver(made, NOW_US)
    finally:
        await webhook.close()


async def test_a_notice_is_posted_signed_and_in_its_form(secret: Path) -> None:
    """A receiver can check body and time by the secret, and the form by the schema that is shipped."""
    with receiving(TAKE) as receiver:
        await send(receiver.url, secret, notice(family=4))
    (request,) = receiver.requests
    header = request.headers["X-Faultline-Signature"]
    now_s = NOW_US / 1e6
    assert signature.verify(SECRET, request.body, header, now_s)
    assert not signature.verify(SECRET, request.body + b" ", header, now_s)
    assert not signature.verify(b"another", request.body, header, now_s)
    assert not signature.verify(SECRET, request.body, header, now_s + signature.OLDEST_S + 1)
    assert not signature.verify(SECRET, request.body, "v1=00", now_s)
    Draft202012Validator(json.loads(schema_text())).validate(request.document)
    assert request.document["services"] == ["shop"]
    assert request.document["outage"]["family"] == 4
    assert request.notice == request.document["id"]
    assert request.headers["X-Faultline-Kind"] == request.document["kind"] == "confirmed"


@pytest.mark.parametrize(
    ("answer", "said", "permanent", "pause_s"),
    [
        pytest.param(REFUSE, "answered 500: I refuse", False, 0, id="500"),
        pytest.param(NEVER, "answered 400: I never", True, 0, id="400"),
        pytest.param(BUSY, "answered 429: I busy", False, 1, id="429"),
        pytest.param(REDIRECT, "answered 302, a redirect; redirects are refused", False, 0, id="redirect"),
        pytest.param(RESET, "cannot be reached: ", False, 0, id="reset"),
        pytest.param(GARBLE, "cannot be reached: ", False, 0, id="garbled"),
    ],
)
async def test_what_is_not_taken_is_a_sentence(
    secret: Path, answer: str, said: str, permanent: bool, pause_s: float
) -> None:
    """Whatever a receiver does, it is one error that says what, whether for ever, and for how long."""
    with receiving(answer) as receiver:
        with pytest.raises(NotDelivered) as caught:
            await send(receiver.url, secret, notice())
    assert said in str(caught.value)
    assert (caught.value.permanent, caught.value.pause_s) == (permanent, pause_s)
    assert len(receiver.requests) == 1, "nothing follows a redirect"


async def test_a_receiver_that_is_not_there_is_a_sentence(secret: Path) -> None:
    """Nobody listens."""
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1:9 cannot be reached"):
        await send("http://127.0.0.1:9/", secret, notice())


async def test_a_secret_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """Nothing is sent unsigned."""
    with receiving(TAKE) as receiver:
        with pytest.raises(NotDelivered, match="cannot be read: No such file"):
            await send(receiver.url, tmp_path / "none", notice())
        with pytest.raises(NotDelivered, match="the environment variable FAULTLINE_NONE holds no secret"):
            await Webhook(WebhookSettings(url=receiver.url, secret_env="FAULTLINE_NONE")).deliver(notice(), 0)
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://hooks.example/a", ""),
        ("http://localhost:1/", ""),
        ("http://[::1]:1/", ""),
        ("http://hooks.example/", "would travel in plaintext"),
        ("http://192.0.2.1/", "would travel in plaintext"),
        ("https://me:hunter2@hooks.example/", "a URL with a user or password in it is refused"),
        ("ftp://hooks.example/", "is not a URL like"),
        ("https:///path", "is not a URL like"),
        ("https://[::1", "is not a URL"),
    ],
)
def test_urls_are_https_or_loopback(url: str, said: str) -> None:
    """And hold no secrets, which the sentence does not repeat."""
    found = url_problem(url)
    assert said in found if said else found == ""
    assert "hunter2" not in found
    if said:
        with pytest.raises(ValidationError):
            WebhookSettings(url=url, secret_env="S")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("120", 120),
        ("soon", 0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float) -> None:
    """RFC 9110, 10.2.3."""
    assert retry_after_s(header, 10.0) == seconds


def test_the_schema_can_fail() -> None:
    """What a notice does not have is refused."""
    validator = Draft202012Validator(json.loads(schema_text()))
    assert not validator.is_valid(notice().model_dump(mode="json") | {"more": 1})


def test_a_change_says_what_it_was_before() -> None:
    """And each notice of an outage has an id of its own, always the same."""
    first, confirmed, resolved = life()
    wider = replace(confirmed, scope=Scope.GLOBAL, changed_us=NOW_US + 1)
    steps = [(first, confirmed), (confirmed, wider), (wider, replace(resolved, scope=Scope.GLOBAL))]
    made = [n for before, after in steps for n in notices_of(before, after, FLEET)]
    again = [n for before, after in steps for n in notices_of(before, after, FLEET)]
    assert [n.body() for n in made] == [n.body() for n in again]
    assert len({n.id for n in made}) == 3
    assert [n.previous and n.previous.scope for n in made] == [None, Scope.REGIONAL, None]
