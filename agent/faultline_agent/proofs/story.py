"""The story of one probe, without what is secret in it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from faultline.discretion import UNTOLD, is_secret
from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.request import bare
from faultline_agent.proofs.proof import LIMIT_S, Data


@dataclass(slots=True)
class Steps:
    """A story that is kept."""

    told: list[dict[str, Any]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def tell(self, step: str, **facts: Any) -> None:
        """Keeps one step."""
        at_us = round((time.monotonic() - self.began) * 1e6)
        self.told.append({"step": step, "at_us": at_us, **discreet(facts)})


async def gather_story(probe: Probe, tools: ProbeTools) -> Data:
    """Runs the probe once and tells its steps."""
    steps = Steps()
    finding = await probe.run(replace(tools, story=steps), LIMIT_S)
    return {
        "outcome": finding.outcome.word,
        "detail": finding.detail,
        "status": finding.status,
        "timings_us": dict(finding.timings_us),
        "steps": steps.told,
    }


def discreet(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a step without values of telling headers, and URLs without user and question."""
    found = dict(facts)
    if isinstance(headers := found.get("headers"), Mapping):
        found["headers"] = {name: _value(str(name), str(value)) for name, value in headers.items()}
    if "url" in found:
        found["url"] = bare(str(found["url"]))
    return found


def _value(name: str, value: str) -> str:
    if is_secret(name):
        return UNTOLD
    return bare(value) if name.lower() == "location" else value
