"""Probes the agent's references, so that its own health can be judged."""

import asyncio
from collections.abc import Mapping
from typing import NoReturn

from faultline.outcomes import Outcome
from faultline_agent.attempt import Bugs, attempt
from faultline_agent.clocks import Clocks
from faultline_agent.health import Condition, OwnHealth
from faultline_agent.log import Log
from faultline_agent.probes.probe import Probe, Tools

REFERENCE_LIMIT_S = 2.0
"""Time limit of a reference's probe: failures of targets wait for it."""

TRUSTED_S = 0.3
"""A check that began so shortly before a failure's end still speaks for it."""


class References:
    """Checks all references now and then, and at once when a target fails."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        tools: Tools,
        log: Log,
        clocks: Clocks,
        *,
        every_s: float,
    ) -> None:
        self._probes = probes
        self._tools = tools
        self._log = log
        self._bugs = Bugs(log)
        self._every_s = every_s
        self._clocks = clocks
        self._health = OwnHealth(tuple(probes), fresh_s=2 * every_s + REFERENCE_LIMIT_S)
        self._checking = asyncio.Lock()
        self._checked_from = self._unwell_at = float("-inf")
        self._unwell = Condition(False)
        self._was_well = True

    @property
    def condition(self) -> Condition:
        """The agent's own health now."""
        return self._health.condition(self._clocks.axis_s())

    async def run(self) -> NoReturn:
        """Checks until cancelled."""
        while True:
            now = self._clocks.axis_s()
            await self.confirm(now, now)
            await asyncio.sleep(self._every_s)

    async def confirm(self, began: float, ended: float) -> Condition:
        """The agent's health while something failed; checks unless that was just done.

        An agent that was unwell at any time meanwhile cannot tell what failed.
        """
        if self._probes:
            async with self._checking:
                if self._checked_from < ended - TRUSTED_S:
                    await self._check()
        return self._unwell if self._unwell_at >= began else self.condition

    async def _check(self) -> None:
        began = self._clocks.axis_s()
        async with asyncio.TaskGroup() as group:
            for name, probe in self._probes.items():
                group.create_task(self._check_one(name, probe))
        self._checked_from = began
        condition = self.condition
        if not condition.well:
            self._unwell, self._unwell_at = condition, self._clocks.axis_s()
        if condition.well != self._was_well:
            self._was_well = condition.well
            said = self._log.info if condition.well else self._log.warning
            said("well again" if condition.well else "unwell", condition=condition.sentence)

    async def _check_one(self, name: str, probe: Probe) -> None:
        finding = await attempt(probe, self._tools, REFERENCE_LIMIT_S, name, self._bugs)
        self._health.note(
            name, self._clocks.axis_s(), ok=finding.outcome is Outcome.OK, sentence=finding.detail
        )
