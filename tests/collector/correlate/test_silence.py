"""Silent and unwell agents: evidence about themselves and their way to the collector, never about targets."""

import numpy as np
import pytest

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.correlate.engine import Health
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.paced import PacedWorld
from tests.collector.correlate.worlds import EPOCH_US, World, lab_fleet

WARM_S = 30


@pytest.fixture
def world() -> World:
    """A fleet that has been heard for half a minute."""
    return World(lab_fleet()).run(WARM_S)


def test_silence_of_all_is_the_collector_and_nothing_else(world: World) -> None:
    """When everybody falls silent the collector is out; it resolves when they are heard again."""
    everyone = {a.id for a in world.fleet.agents}
    world.silent = everyone
    world.run(40)
    assert world.told() == [(Scope.COLLECTOR, "collector")]
    assert all(s.health is Health.UNKNOWN for s in world.detector.standings(world.now_us))
    world.silent = set()
    world.run(20)
    assert world.told() == [(Scope.COLLECTOR, "collector")]
    assert world.states() == {State.RESOLVED}


def test_a_part_of_all_places_is_the_collector_too(world: World) -> None:
    """A third of the agents of all countries falling silent together is the collector, not many regions."""
    world.silent = {a.id for a in world.fleet.agents if a.id.endswith("-1")}
    world.silent |= {a.id for a in world.fleet.agents if a.region.endswith("r0")} - {"c0-r0-0"}
    world.run(30)
    assert [scope for scope, _ in world.told()] == [Scope.COLLECTOR]


def test_an_isolated_collector_closes_nothing(world: World) -> None:
    """What was open before the isolation is open after it."""
    fault = lambda agent, target, at: Outcome.HTTP if target.service == "s01" else None  # noqa: E731
    world.run(20, fault)
    world.silent = {a.id for a in world.fleet.agents}
    world.run(60, fault)
    assert {o.scope for o in world.open()} == {Scope.GLOBAL, Scope.COLLECTOR}
    world.silent = set()
    world.run(10, fault)
    assert {o.scope for o in world.open()} == {Scope.GLOBAL}


def test_a_silent_region_is_a_network_outage(world: World) -> None:
    """All agents of one region falling silent is that region's access, layer silence."""
    world.silent = {a.id for a in world.fleet.agents if a.region == "c1-r2"}
    world.run(40)
    (outage,) = world.open()
    assert (outage.scope, outage.subject.id, outage.layer) == (Scope.NETWORK, "c1-r2", "silence")
    assert outage.regions == ("c1-r2",)
    world.silent = set()
    world.run(20)
    assert world.states() == {State.RESOLVED}


def test_a_network_where_all_times_out_is_one_outage_from_its_silence_on() -> None:
    """Its agents deliver nothing for ten seconds, then timeouts: told before those come, and kept."""

    def lost(agent: Agent, target: Target, at: float) -> bool:
        return agent.asn == 302 and at >= 300

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        return Outcome.TIMEOUT if lost(agent, target, at) else None

    world = PacedWorld(lab_fleet(interval_s=15.0), settings=EngineSettings(), noise=0.0)
    world.takes = lambda agent, target, at: 10.0 if lost(agent, target, at) else 0.1
    world.run(300)
    world.run(9, fault)
    (silent,) = world.open()
    assert (silent.scope, silent.subject.id, silent.layer) == (Scope.NETWORK, "302", "silence")
    for _ in range(60):
        world.run(1, fault)
        assert [o.id for o in world.open()] == [silent.id]
    (outage,) = world.last.values()
    assert (outage.scope, outage.subject.id, outage.layer) == (Scope.NETWORK, "302", "timeout")
    assert (outage.state, outage.detected_us) == (State.CONFIRMED, silent.detected_us)


def test_a_network_that_is_heard_again_and_fares_well_is_withdrawn() -> None:
    """A stall of moments is seen and wakes nobody."""
    world = World(lab_fleet(), settings=EngineSettings(), noise=0.0).run(WARM_S)
    world.silent = {a.id for a in world.fleet.agents if a.asn == 302}
    world.run(8)
    assert [(o.scope, o.subject.id) for o in world.open()] == [(Scope.NETWORK, "302")]
    world.silent = set()
    world.run(20)
    assert world.states() == {State.WITHDRAWN}


def test_what_fails_elsewhere_is_not_what_a_silence_becomes() -> None:
    """A network stalls for moments while another fails: two outages, and only the second goes on."""
    world = World(lab_fleet(), settings=EngineSettings(), noise=0.0).run(WARM_S)
    world.silent = {a.id for a in world.fleet.agents if a.asn == 302}
    world.run(8)
    world.silent = set()
    world.run(10, lambda agent, target, at: Outcome.CONNECT if agent.asn == 101 else None)
    assert {(o.scope, o.subject.id) for o in world.open()} == {(Scope.NETWORK, n) for n in ("302", "101")}


def test_a_silence_that_returns_is_the_same_outage() -> None:
    """Within minutes of its end; a return that is only suspected leaves it as it was."""
    world = World(lab_fleet(), settings=EngineSettings(), noise=0.0).run(WARM_S)
    dark = {a.id for a in world.fleet.agents if a.region == "c1-r2"}
    world.silent = dark
    world.run(60)
    world.silent = set()
    world.run(60)
    (first,) = world.last.values()
    assert first.state is State.RESOLVED
    world.silent = dark
    world.run(10)
    assert [(o.id, o.state) for o in world.open()] == [(first.id, State.SUSPECTED)]
    world.silent = set()
    world.run(30)
    (again,) = world.last.values()
    assert (again.state, again.resolved_us) == (State.RESOLVED, first.resolved_us)
    world.silent = dark
    world.run(60)
    assert [(o.id, o.state) for o in world.open()] == [(first.id, State.CONFIRMED)]


def test_one_silent_agent_is_its_own_outage_after_long(world: World) -> None:
    """A single silent agent is no news for minutes, and then one agent outage."""
    world.silent = {"c1-r1-1"}
    world.run(60)
    assert world.told() == []
    world.run(150)
    assert world.told() == [(Scope.AGENT, "c1-r1-1")]


def test_one_unwell_agent_is_one_agent_outage(world: World) -> None:
    """An agent with inconclusive results is one agent outage, no target's, and resolves when it is well."""
    world.run(20, lambda agent, target, at: Outcome.INCONCLUSIVE if agent.id == "c2-r0-1" else None)
    assert world.told() == [(Scope.AGENT, "c2-r0-1")]
    assert world.open()[0].state is State.CONFIRMED
    world.run(20)
    assert world.states() == {State.RESOLVED}


def test_a_heartbeat_alone_says_unwell(world: World) -> None:
    """Heartbeats that say unwell, while nothing is delivered, make an agent outage."""
    world.silent = {"c2-r0-1"}
    for _ in range(10):
        world.detector.contact("c2-r0-1", world.now_us, well=False)
        world.detector.contact("nobody", world.now_us, well=False)
        world.run(1)
    assert world.told() == [(Scope.AGENT, "c2-r0-1")]


def test_unwell_agents_of_one_network_are_the_network(world: World) -> None:
    """When all agents of a network find themselves unwell the network is out."""
    world.run(20, lambda agent, target, at: Outcome.INCONCLUSIVE if agent.asn == 302 else None)
    assert (Scope.NETWORK, "302") in world.told()
    assert {o.scope for o in world.open()} == {Scope.NETWORK}
    world.run(5)
    assert world.open() == []


def test_heartbeats_keep_an_idle_agent_from_being_silent(world: World) -> None:
    """An agent that has nothing to deliver but sends heartbeats is not silent."""
    world.silent = {a.id for a in world.fleet.agents}
    for _ in range(60):
        for agent in world.fleet.agents:
            world.detector.contact(agent.id, world.now_us, well=True)
        world.run(1)
    assert world.told() == []


def test_agents_that_are_heard_again_by_heartbeats_alone_end_their_silence() -> None:
    """Though nothing is delivered by anybody any more, and nothing fails."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    dark = {a.id for a in world.fleet.agents if a.region == "c1-r2"}
    world.silent = dark
    world.run(40)
    (outage,) = world.open()
    for _ in range(5):
        for agent in dark:
            world.detector.contact(agent, world.now_us, well=True)
        world.run(1)
    assert world.last[outage.id].state is State.RESOLVED


def test_saturated_results_weigh_nothing(world: World) -> None:
    """Failures measured while saturated open nothing."""
    rows = [
        (a.id, t.id, world.now_s, Outcome.TIMEOUT) for a in world.fleet.agents for t in world.fleet.targets
    ]
    world.detector.observe(world.batch(rows, flags=int(Flag.SATURATED)))
    assert world.detector.tick(world.now_us + 1_000_000) == ()


def test_a_backlog_of_failures_is_history_and_no_alarm(world: World) -> None:
    """Failures that come a minute late amend history and open nothing."""
    rows = [
        (a.id, t.id, world.now_s - 60 + t.interval_s * k, Outcome.TIMEOUT)
        for a in world.fleet.agents
        for t in world.fleet.targets
        for k in range(4)
    ]
    world.detector.observe(world.batch(rows, delay_s=62))
    world.run(5)
    assert world.told() == []


def test_restored_outages_keep_their_ids_and_resolve() -> None:
    """After a restart open outages keep their ids, and end when the evidence says so."""
    fault = lambda agent, target, at: Outcome.HTTP if target.service == "s01" else None  # noqa: E731
    world = World(lab_fleet()).run(WARM_S)
    world.run(20, fault)
    world.silent = {a.id for a in world.fleet.agents if a.region == "c1-r2"}
    world.run(40, fault)
    before = {o.id for o in world.open()}
    assert len(before) == 2
    again = World(world.fleet)
    again.now_s, again.silent = world.now_s + 5, world.silent
    again.detector.restore((*world.open(), world.open()[0].with_state(State.RESOLVED, world.now_us)))
    again.run(15, fault)
    assert {o.id for o in again.detector.outages()} == before
    again.silent = set()
    again.run(60)
    assert again.detector.outages() == ()
    assert {o.id for o in again.last.values()} == before


def test_agents_that_do_not_come_back_after_isolation_are_not_paged(world: World) -> None:
    """Agents that are late to return after the collector's isolation are taken for explained."""
    world.silent = {a.id for a in world.fleet.agents}
    world.run(30)
    world.silent = {a.id for a in world.fleet.agents if a.region == "c0-r0"}
    world.run(30)
    assert world.told() == [(Scope.COLLECTOR, "collector")]


def test_standings_say_what_is_known(world: World) -> None:
    """A service is suspected, then down, in its outage; fine elsewhere; unknown where none is fresh."""
    fault = lambda agent, target, at: (  # noqa: E731
        Outcome.HTTP if target.service == "s01" and agent.region in ("c0-r0", "c0-r1") else None
    )
    seen: dict[str, set[Health]] = {"c0-r0": set(), "c3-r1": set()}
    world.run(70)
    for _ in range(25):
        world.run(1, fault)
        for standing in world.detector.standings(world.now_us):
            if standing.service == "s01" and standing.region in seen:
                seen[standing.region].add(standing.health)
    assert seen["c0-r0"] >= {Health.OK, Health.SUSPECTED, Health.DOWN}
    assert Health.DOWN not in seen["c3-r1"]
    later = world.detector.standings(world.now_us + 60_000_000)
    assert {s.health for s in later} == {Health.UNKNOWN}
    assert {s.agents_fresh for s in later} == {0}


def test_refit_keeps_what_is_common(world: World) -> None:
    """With a target and an agent less, an open outage goes on under its id and is resolved in the end."""
    fault = lambda agent, target, at: Outcome.HTTP if target.service == "s01" else None  # noqa: E731
    world.run(20, fault)
    (before,) = world.open()
    world.silent = {"c3-r2-2"}
    world.run(12, fault)
    old = world.fleet
    world.fleet = type(old)(
        old.regions, old.networks, old.providers, old.services, old.agents[:-1], old.targets[:-1]
    )
    world.detector.refit(world.fleet)
    world.run(5, fault)
    assert [o.id for o in world.detector.outages()] == [before.id]
    world.run(30)
    assert world.last[before.id].state is State.RESOLVED


def test_an_empty_fleet_is_quiet() -> None:
    """Without agents or targets nothing is told, and nothing breaks."""
    world = World(type(lab_fleet())())
    assert world.detector.tick(EPOCH_US) == ()
    assert world.detector.standings(EPOCH_US) == ()
    full = World(lab_fleet(countries=1, services=1))
    world.detector.observe(full.second(0, lambda agent, target, at: None))
    full.detector.observe(World(lab_fleet(countries=2, services=2)).second(0, lambda agent, target, at: None))
    assert full.detector.tick(EPOCH_US + 1_000_000) == ()
    assert isinstance(full.detector.settings, EngineSettings)
    assert np.all(full.detector.outages() == ())
