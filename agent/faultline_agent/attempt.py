"""One attempt, whatever the probe does: a bug in one probe does not stop the others."""

import asyncio
import time
import traceback

from faultline.columns import TOTAL
from faultline.outcomes import Outcome
from faultline_agent.log import Log
from faultline_agent.probes.probe import Finding, Probe, Tools

GRACE_S = 1.0
"""After its time limit a probe has this long to tell how far it came."""


async def attempt(probe: Probe, tools: Tools, limit_s: float, subject: str, log: Log) -> Finding:
    """Runs a probe; a bug becomes an inconclusive finding and a traceback in the log."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit_s + GRACE_S):
            return await probe.run(tools, limit_s)
    except TimeoutError:
        return _ended(began, Outcome.TIMEOUT, f"the {probe.kind} probe did not end within {limit_s:g} s")
    except Exception as error:
        log.error("bug in a probe", target=subject, kind=probe.kind, exception=traceback.format_exc())
        return _ended(began, Outcome.INCONCLUSIVE, f"bug in the {probe.kind} probe: {error!r}")


def _ended(began: float, outcome: Outcome, detail: str) -> Finding:
    return Finding(outcome, detail, timings_us={TOTAL: round((time.monotonic() - began) * 1e6)})
