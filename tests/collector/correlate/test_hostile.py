"""One agent that sends whatever it likes: nothing but an outage of that agent can come of it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline.outcomes import Outcome
from faultline_collector.correlate.settings import Costs, EngineSettings
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Scope
from faultline_collector.results import ResultBatch, concatenate
from tests.collector.correlate.test_retries import retries
from tests.collector.correlate.worlds import Fault, World, lab_fleet

KNOWN_S, HOSTILE_S = 18, 20
"""Until every cell knows what is usual, and how long it is lied to."""

NEVER_NATS = 100.0
GUARDS = {
    "as deployed": EngineSettings(hold_s=7),
    "caps alone": EngineSettings(
        hold_s=7,
        costs=Costs(path=NEVER_NATS, flaky_cell=NEVER_NATS, agent_burst=NEVER_NATS, agent=NEVER_NATS),
    ),
    "its own failing alone": EngineSettings(
        hold_s=7,
        costs=Costs(flaky_cell=NEVER_NATS, agent_burst=NEVER_NATS),
        agent_cap_nats=NEVER_NATS,
        access_cap_nats=NEVER_NATS,
        network_cap_nats=NEVER_NATS,
    ),
}
"""What holds one agent back, all together and each by itself."""


@dataclass(frozen=True)
class Lies:
    """What an agent says of these services in turn, None for the truth; and of retries."""

    services: set[str]
    outcomes: tuple[Outcome | None, ...]
    retried: Outcome | None
    slow: bool

    def fault(self, who: str) -> Fault:
        """How the probes of this agent fail."""

        def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
            if agent.id != who or target.service not in self.services:
                return None
            return self.outcomes[(int(at) + int(target.id[1:3])) % len(self.outcomes)]

        return fault

    def told(self, truth: ResultBatch, who: int) -> ResultBatch:
        """Its results as it sends them."""
        out = truth
        if self.slow:
            took = np.where(truth.source == who, 4_000_000, truth.timings_us["total"]).astype(np.int32)
            out = replace(truth, timings_us={"total": took})
        return out if self.retried is None else concatenate([out, retries(out, self.retried, 300_000)])


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Agents in few regions and few networks, some of them alone in theirs; two or more services."""
    places = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=3, max_size=8))
    versions = draw(st.lists(st.sampled_from(["1.0", "1.1"]), min_size=len(places), max_size=len(places)))
    agents = tuple(
        Agent(f"a{n}", f"r{region}", "C", asn, version=version)
        for n, ((region, asn), version) in enumerate(zip(places, versions, strict=True))
    )
    fleet = lab_fleet(services=draw(st.sampled_from([2, 6])), interval_s=1.0)
    return replace(fleet, agents=agents, regions=(), networks=())


says = st.sampled_from([None, Outcome.HTTP, Outcome.TIMEOUT, Outcome.DNS])
lies = st.builds(
    Lies,
    st.sampled_from([{"s00"}, {"s00", "s01"}, {f"s{n:02d}" for n in range(6)}]),
    st.lists(says, min_size=1, max_size=3).map(tuple),
    st.sampled_from([None, Outcome.HTTP]),
    st.sampled_from([False, False, True]),
)


@pytest.mark.parametrize("guards", GUARDS.values(), ids=GUARDS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fleets(), st.integers(0, 100), lies)
def test_one_agent_never_creates_a_wide_outage(
    guards: EngineSettings, fleet: Fleet, which: int, lies: Lies
) -> None:
    """However few regions and networks there are, and though only one of the guards holds."""
    world = World(fleet, noise=0.0, settings=guards).run(KNOWN_S)
    who = which % len(fleet.agents)
    name = fleet.agents[who].id
    for _ in range(HOSTILE_S):
        world.detector.observe(lies.told(world.second(world.now_s, lies.fault(name)), who))
        world.now_s += 1.0
        world.last |= {outage.id: outage for outage in world.detector.tick(world.now_us)}
    assert set(world.told()) <= {(Scope.AGENT, name)}
