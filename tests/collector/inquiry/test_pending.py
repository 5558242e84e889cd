"""Which proof is taken."""

import json

import pytest

from faultline_collector.inquiry.orders import Evidence, Explain
from faultline_collector.inquiry.pending import MOST_BYTES, MOST_PENDING, BadEvidence, Pending
from tests.collector.inquiry.scenes import HOUR_US, NOW_US, SECOND_US


def order(number: int = 1, until_us: int = NOW_US + 30 * SECOND_US) -> Explain:
    """A request about a-web."""
    return Explain(f"o-1.{number}", "o-1", "a-web", failing=True, until_us=until_us)


def evidence(request_id: str = "o-1.1", kind: str = "dns", text: str = '{"a": 1}', **other: str) -> Evidence:
    """What an agent gives."""
    return Evidence(request_id, other.get("target_id", "a-web"), kind, NOW_US, text)


@pytest.fixture
def pending() -> Pending:
    """One request, to the agent `east`."""
    pending = Pending()
    pending.note("east", order(), NOW_US)
    return pending


def test_proof_that_was_asked_for_is_taken_once(pending: Pending) -> None:
    """Each kind once, with whose it is; then nothing is waited for."""
    proof = pending.take("east", evidence(), NOW_US + SECOND_US)
    assert (proof.outage_id, proof.agent_id, proof.kind, proof.failing) == ("o-1", "east", "dns", True)
    assert (proof.data, proof.gathered_us) == ({"a": 1}, NOW_US)
    with pytest.raises(BadEvidence, match="not_asked"):
        pending.take("east", evidence(), NOW_US)
    for kind in ("story", "certificate", "traceroute"):
        pending.take("east", evidence(kind=kind), NOW_US)
    assert len(pending) == 0


@pytest.mark.parametrize(
    ("agent_id", "given", "reason"),
    [
        ("west", evidence(), "not_asked"),
        ("east", evidence("o-1.2"), "not_asked"),
        ("east", evidence(kind="secrets"), "not_asked"),
        ("east", evidence(target_id="a-api"), "not_asked"),
        ("east", evidence(text=json.dumps({"a": "x" * MOST_BYTES})), "oversize"),
        ("east", evidence(text="[1]"), "unreadable"),
        ("east", evidence(text="{"), "unreadable"),
        ("east", evidence(text="[" * 8_000), "unreadable"),
        ("east", evidence(text='{"a":' + "[" * 300 + "]" * 300 + "}"), "unreadable"),
        ("east", evidence(text='{"a": "\\ud800"}'), "unreadable"),
    ],
    ids=[
        "other-agent",
        "other-request",
        "other-kind",
        "other-target",
        "long",
        "list",
        "cut-off",
        "too-deep",
        "deep",
        "surrogate",
    ],
)
def test_what_was_not_asked_for_is_refused(
    pending: Pending, agent_id: str, given: Evidence, reason: str
) -> None:
    """An agent cannot put onto an outage what nobody asked it for."""
    with pytest.raises(BadEvidence, match=reason):
        pending.take(agent_id, given, NOW_US)
    assert len(pending) == 1


def test_an_impossible_time_is_replaced_by_that_of_receipt(pending: Pending) -> None:
    """An agent's clock may be anything."""
    assert pending.take("east", evidence(), NOW_US + HOUR_US).gathered_us == NOW_US + HOUR_US


def test_requests_end_and_are_bounded(pending: Pending) -> None:
    """What is past is forgotten when more is asked; of too many the oldest go."""
    pending.note("east", order(2, NOW_US + HOUR_US), NOW_US + 31 * SECOND_US)
    assert len(pending) == 1
    for number in range(3, MOST_PENDING + 10):
        pending.note("east", order(number, NOW_US + HOUR_US), NOW_US)
    assert len(pending) == MOST_PENDING
    with pytest.raises(BadEvidence):
        pending.take("east", evidence("o-1.2"), NOW_US)
