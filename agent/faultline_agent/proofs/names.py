"""What each resolver answers for the host of a target, one by one."""

import asyncio
import time
from collections.abc import Sequence

import dns.rcode
import dns.rdatatype

from faultline_agent.probes.probe import Probe, ProbeFailed
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.probes.tools.endpoints import Endpoint, literal, resolver_endpoints
from faultline_agent.probes.tools.resolve import ask, parse_name, system_resolvers
from faultline_agent.proofs.proof import CannotGather, Data, endpoint

PATIENCE_S = 3.0
MOST_RESOLVERS = 4

_KINDS = (dns.rdatatype.A, dns.rdatatype.AAAA)


async def gather_names(probe: Probe, tools: ProbeTools) -> Data:
    """Asks the agent's resolvers, or the system's, for A and AAAA."""
    host, _ = endpoint(probe)
    if literal(host) is not None:
        raise CannotGather(f"{host} is an address")
    try:
        resolvers = tuple(resolver_endpoints(tools.resolvers or system_resolvers()))[:MOST_RESOLVERS]
        answers = await _ask_all(host, resolvers)
    except (ProbeFailed, ValueError) as error:
        raise CannotGather(str(error)) from error
    return {"host": host, "answers": answers}


async def _ask_all(host: str, resolvers: Sequence[Endpoint]) -> list[Data]:
    asked = ((resolver, kind) for resolver in resolvers for kind in _KINDS)
    return await asyncio.gather(*(_ask(host, resolver, kind) for resolver, kind in asked))


async def _ask(host: str, resolver: Endpoint, kind: dns.rdatatype.RdataType) -> Data:
    said: dict[str, object] = {"resolver": str(resolver), "type": kind.name}
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await ask((resolver,), parse_name(host), kind)
        said |= {"rcode": dns.rcode.to_text(answer.rcode), "records": list(answer.records())}
    except TimeoutError:
        said["problem"] = f"no answer within {PATIENCE_S:g} s"
    except ProbeFailed as error:
        said["problem"] = error.sentence
    return said | {"took_us": round((time.monotonic() - began) * 1e6)}
