"""The agent looks at itself before it speaks against a target."""

import asyncio

from faultline_agent.references import TRUSTED_S, References
from tests.agent.probing import BAD, GOOD, ToldProbe, plain_tools, told
from tests.agent.stage import KeptLog, SetClocks, eventually


class Stage:
    """References that find what they are told."""

    def __init__(self, *probes: ToldProbe) -> None:
        self.clocks = SetClocks()
        self.log = KeptLog()
        self.probes = {f"r{i}": probe for i, probe in enumerate(probes)}
        self.references = References(self.probes, plain_tools(), self.log, self.clocks, every_s=10.0)

    async def well(self) -> bool:
        """Whether the agent is well as of now."""
        now = self.clocks.axis_s()
        return (await self.references.confirm(now, now)).well


async def test_agent_without_references_is_well() -> None:
    """It has nothing to judge itself by."""
    assert await Stage().well()


async def test_silent_references_make_the_agent_unwell_and_it_is_logged_once() -> None:
    """Both ways."""
    stage = Stage(told(BAD), told(BAD))
    for _ in range(3):
        assert not await stage.well()
        stage.clocks.now_s += 1
    for probe in stage.probes.values():
        probe.tell(GOOD)
    assert await stage.well()
    assert [name for name, _ in stage.log.events] == ["unwell", "well again"]
    sentence = stage.log.named("unwell")[0]["condition"]
    assert sentence == "2 of 2 references do not answer; r0: connection refused"


async def test_failure_that_began_while_the_agent_was_unwell_says_nothing() -> None:
    """Though the agent is well again when the attempt ends."""
    stage = Stage(told(BAD), told(BAD))
    began = stage.clocks.axis_s()
    assert not await stage.well()
    for probe in stage.probes.values():
        probe.tell(GOOD)
    stage.clocks.now_s += 4
    condition = await stage.references.confirm(began, stage.clocks.axis_s())
    assert condition.sentence == "2 of 2 references do not answer; r0: connection refused"
    stage.clocks.now_s += 1
    assert await stage.well()


async def test_fresh_check_is_not_repeated() -> None:
    """Many targets that fail together cost one check."""
    stage = Stage(told(), told())
    ended = stage.clocks.axis_s()
    for _ in range(5):
        await stage.references.confirm(ended, ended)
    assert [probe.runs for probe in stage.probes.values()] == [1, 1]
    await stage.references.confirm(ended, ended + 2 * TRUSTED_S)
    assert [probe.runs for probe in stage.probes.values()] == [2, 2]


async def test_failures_that_come_during_a_check_wait_for_it() -> None:
    """One check at a time."""
    slow = told()
    slow.hold()
    stage = Stage(slow, told())
    waiting = [asyncio.create_task(stage.well()) for _ in range(10)]
    await eventually(lambda: slow.runs)
    slow._go.set()
    assert await asyncio.gather(*waiting) == [True] * 10
    assert slow.runs == 1


async def test_running_references_are_checked_again_and_again() -> None:
    """Without any failure of a target."""
    probe = told()
    clocks = SetClocks()
    references = References({"r": probe}, plain_tools(), KeptLog(), clocks, every_s=0.0)
    running = asyncio.create_task(references.run())
    await eventually(lambda: probe.runs)
    clocks.now_s += 60
    await eventually(lambda: probe.runs > 1)
    running.cancel()


async def test_cancelled_check_leaves_the_next_one_free() -> None:
    """A probe that is cancelled must not block all others."""
    slow = told()
    slow.hold()
    stage = Stage(slow, told())
    waiting = asyncio.create_task(stage.well())
    await eventually(lambda: slow.runs)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    slow._go.set()
    assert await stage.well()
