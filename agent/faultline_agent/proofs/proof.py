"""What a piece of proof is: plain data about one target, bounded, and without secrets."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from faultline_agent.attempt import GRACE_S, Bugs
from faultline_agent.probes.probe import Probe, ProbeFailed
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.resolve import addresses
from faultline_agent.probes.tools.sockets import check_policy

MOST_TEXT, MOST_ITEMS, MOST_BYTES = 300, 30, 12_000
"""Most characters of one text, items of one list or mapping, and bytes of a piece of proof."""

LIMIT_S = 10.0
"""Longest that gathering one piece may take."""

Data: TypeAlias = Mapping[str, Any]
Gather: TypeAlias = Callable[[Probe, ProbeTools], Awaitable[Data]]


class CannotGather(Exception):
    """Raised when a kind of proof cannot be had here, with a sentence why."""


async def gathered(gather: Gather, probe: Probe, tools: ProbeTools, subject: str, bugs: Bugs) -> Data:
    """One piece of proof, or why there is none; a bug in one does not stop the others."""
    try:
        async with asyncio.timeout(LIMIT_S + GRACE_S):
            return await gather(probe, tools)
    except CannotGather as error:
        return {"unavailable": str(error)}
    except TimeoutError:
        return {"unavailable": f"not gathered within {LIMIT_S:g} s"}
    except Exception as error:
        bugs.note(probe, subject, error)
        return {"unavailable": f"bug: {error!r}"}


def endpoint(probe: Probe) -> tuple[str, int]:
    """Host and port that a probe connects to first; raises CannotGather."""
    for host, port in probe.endpoints():
        return host, port
    raise CannotGather(f"{probe.kind} probes connect to no host")


async def address_of(probe: Probe, tools: ProbeTools) -> tuple[str, int]:
    """Address and port that a probe connects to first, if the agent's policy allows it; CannotGather."""
    host, port = endpoint(probe)
    try:
        address = (await addresses(tools, host, "any"))[0]
        check_policy(tools, address, port)
    except ProbeFailed as error:
        raise CannotGather(error.sentence) from error
    return address, port


def as_text(data: Data) -> str:
    """The proof as a JSON object within its bounds."""
    text = json.dumps(bounded(data), separators=(",", ":"))
    if len(text.encode()) > MOST_BYTES:
        return json.dumps({"unavailable": f"it has {len(text)} characters"})
    return text


def bounded(value: object) -> Any:
    """The same with long texts and lists cut off, as JSON can tell it."""
    match value:
        case str():
            return value if len(value) <= MOST_TEXT else value[:MOST_TEXT] + "..."
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {str(name)[:MOST_TEXT]: bounded(value[name]) for name in list(value)[:MOST_ITEMS]}
        case list() | tuple():
            return [bounded(item) for item in value[:MOST_ITEMS]]
    return bounded(str(value))
