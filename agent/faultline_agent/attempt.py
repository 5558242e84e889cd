"""One attempt, whatever the probe does: a bug in one probe does not stop the others."""

import asyncio
import time
import traceback

from faultline.columns import TOTAL
from faultline.outcomes import Outcome
from faultline_agent.log import Log
from faultline_agent.probes.probe import Finding, Probe, Tools

MOST_BUGS = 100
"""Different bugs that are logged; an agent with more of them needs no more lines."""

GRACE_S = 1.0
"""After its time limit a probe has this long to tell how far it came."""


class Bugs:
    """Logs a bug in a probe kind with its traceback, but only once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._seen: set[str] = set()

    def note(self, probe: Probe, subject: str, error: Exception) -> None:
        """Takes the exception that a probe of a target ended with."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{probe.kind} {type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}"
        if place not in self._seen and len(self._seen) < MOST_BUGS:
            self._seen.add(place)
            said = "".join(traceback.format_exception(error))
            self._log.error("bug in a probe", target=subject, kind=probe.kind, exception=said)


async def attempt(probe: Probe, tools: Tools, limit_s: float, subject: str, bugs: Bugs) -> Finding:
    """Runs a probe; a bug becomes an inconclusive finding."""
    began = time.monotonic()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    alarm = loop.call_later(limit_s + GRACE_S, task.cancel)  # asyncio.timeout takes four times as long
    try:
        return await probe.run(tools, limit_s)
    except asyncio.CancelledError:
        if loop.time() < alarm.when() or task.uncancel() > 0:
            raise
        return _ended(began, Outcome.TIMEOUT, f"the {probe.kind} probe did not end within {limit_s:g} s")
    except Exception as error:
        bugs.note(probe, subject, error)
        return _ended(began, Outcome.INCONCLUSIVE, f"bug in the {probe.kind} probe: {error!r}")
    finally:
        alarm.cancel()


def _ended(began: float, outcome: Outcome, detail: str) -> Finding:
    return Finding(outcome, detail, timings_us={TOTAL: round((time.monotonic() - began) * 1e6)})
