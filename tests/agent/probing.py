"""Probes that do as a test tells them, and the tools that they are given."""

import asyncio
from typing import ClassVar

from pydantic import PrivateAttr

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding, Probe, Tools
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.engine import CurlEngine

GOOD = Finding(Outcome.OK, timings_us={"total": 5})
BAD = Finding(Outcome.CONNECT, "connection refused", timings_us={"total": 5})


class ToldProbe(Probe):
    """Finds what it is told to find, after it was let go."""

    kind: ClassVar[str] = "told"
    timings: ClassVar[tuple[str, ...]] = ("total",)
    target_form: ClassVar[str] = "NAME"
    _finding: Finding | Exception = PrivateAttr(default=GOOD)
    _go: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _runs: list[float] = PrivateAttr(default_factory=list)

    @classmethod
    def read_target(cls, text: str) -> dict[str, object]:
        """Nothing."""
        return {}

    async def run(self, tools: Tools, timeout_s: float) -> Finding:
        """Waits, then finds."""
        self._runs.append(timeout_s)
        if tools.story:
            tools.story.tell("told", timeout_s=timeout_s)
        await self._go.wait()
        if isinstance(self._finding, Exception):
            raise self._finding
        return self._finding

    def tell(self, finding: Finding | Exception) -> None:
        """What it finds from now on."""
        self._finding = finding

    @property
    def subject(self) -> str:
        """Nothing that is there."""
        return "nothing"

    @property
    def runs(self) -> int:
        """How often it was run."""
        return len(self._runs)

    def hold(self) -> None:
        """Does not end from now on."""
        self._go.clear()


def told(finding: Finding | Exception = GOOD) -> ToldProbe:
    """A probe that ends at once."""
    probe = ToldProbe()
    probe.tell(finding)
    probe._go.set()
    return probe


def plain_tools() -> ProbeTools:
    """Tools that are never used."""
    return ProbeTools(CurlEngine())
