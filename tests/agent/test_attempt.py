"""One attempt, whatever the probe does."""

import asyncio

import pytest

from faultline.outcomes import Outcome
from faultline_agent import attempt as module
from faultline_agent.attempt import Bugs, attempt
from tests.agent.probing import BAD, plain_tools, told
from tests.agent.stage import KeptLog


async def test_finding_is_passed_on() -> None:
    """As it is."""
    log = KeptLog()
    assert await attempt(told(BAD), plain_tools(), 1.0, "web", Bugs(log)) == BAD
    assert log.events == []


async def test_bug_becomes_inconclusive_and_is_logged_once_with_its_traceback() -> None:
    """It says nothing about the target."""
    log = KeptLog()
    bugs = Bugs(log)
    for _ in range(3):
        finding = await attempt(told(KeyError("oops")), plain_tools(), 1.0, "web", bugs)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.detail == "bug in the told probe: KeyError('oops')"
    assert finding.timings_us["total"] >= 0
    ((name, facts),) = log.events
    assert (name, facts["target"]) == ("bug in a probe", "web")
    assert "Traceback" in facts["exception"]


async def test_probe_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had its time and a little more."""
    monkeypatch.setattr(module, "GRACE_S", 0.0)  # the reason for patching: a constant of time
    probe = told()
    probe.hold()
    finding = await attempt(probe, plain_tools(), 0.01, "web", Bugs(KeptLog()))
    assert finding.outcome is Outcome.TIMEOUT
    assert finding.detail == "the told probe did not end within 0.01 s"


async def test_cancellation_passes_also_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else cancelled is heard."""
    monkeypatch.setattr(module, "GRACE_S", 0.0)  # the reason for patching: a constant of time
    probe = told()
    probe.hold()
    running = asyncio.create_task(attempt(probe, plain_tools(), 0.01, "web", Bugs(KeptLog())))
    for _ in range(2):  # one alone, when the alarm is due but has not rung, would be taken for it
        asyncio.get_running_loop().call_later(0.01, running.cancel)
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_cancellation_passes() -> None:
    """The end of the agent is no finding."""
    probe = told()
    probe.hold()
    running = asyncio.create_task(attempt(probe, plain_tools(), 60.0, "web", Bugs(KeptLog())))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
