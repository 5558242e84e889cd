"""What probes share within one agent, opened once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from faultline_agent.probes.probe import Story
from faultline_agent.probes.tools.engine import CurlEngine


def refuse_nothing(address: str, port: int) -> str:
    """The policy of an agent that may connect anywhere."""
    return ""


@dataclass(frozen=True, slots=True)
class ProbeTools:
    """Meets `Tools`."""

    engine: CurlEngine
    resolvers: tuple[str, ...] = ()
    policy: Callable[[str, int], str] = field(default=refuse_nothing)
    story: Story | None = None

    def refusal(self, address: str, port: int) -> str:
        """Asks the agent's policy."""
        return self.policy(address, port)


@asynccontextmanager
async def open_tools(
    resolvers: tuple[str, ...] = (),
    *,
    refusal: Callable[[str, int], str] = refuse_nothing,
    story: Story | None = None,
) -> AsyncIterator[ProbeTools]:
    """Opens what probes share: resolvers as address or address:port, and the policy's `refusal`."""
    engine = CurlEngine()
    try:
        yield ProbeTools(engine, resolvers, refusal, story)
    finally:
        await engine.aclose()
