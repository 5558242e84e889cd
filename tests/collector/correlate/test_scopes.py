"""Each scope, in a small world like the lab's: 36 agents, 12 services, 5 s intervals."""

from dataclasses import replace

import pytest

from faultline.outcomes import Outcome
from faultline_collector.correlate.engine import Health
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from tests.collector.correlate.worlds import Fault, World, lab_fleet

WARM_S = 40


def service(name: str, outcome: Outcome, *regions: str) -> Fault:
    """A service fails, everywhere or in some regions."""

    def fault(agent: Agent, target: Target, at: float) -> Outcome | None:
        return outcome if target.service == name and (not regions or agent.region in regions) else None

    return fault


def provider(name: str) -> Fault:
    """All services on a provider fail."""
    return lambda agent, target, at: Outcome.HTTP if target.provider == name else None


def network(asn: int, *regions: str) -> Fault:
    """Everything fails through a network."""
    return lambda agent, target, at: (
        Outcome.TIMEOUT if agent.asn == asn and (not regions or agent.region in regions) else None
    )


def region(name: str) -> Fault:
    """Everything fails from a region."""
    return lambda agent, target, at: Outcome.TIMEOUT if agent.region == name else None


def lone(name: str) -> Fault:
    """Everything fails from one agent."""
    return lambda agent, target, at: Outcome.DNS if agent.id == name else None


CASES = [
    pytest.param(service("s03", Outcome.HTTP), Scope.GLOBAL, "s03", id="global"),
    pytest.param(service("s03", Outcome.CONNECT, "c0-r0", "c0-r1"), Scope.REGIONAL, "s03", id="regional"),
    pytest.param(provider("p1"), Scope.PROVIDER, "p1", id="provider"),
    pytest.param(network(201), Scope.NETWORK, "201", id="network"),
    pytest.param(region("c2-r1"), Scope.NETWORK, "c2-r1", id="a region's access"),
    pytest.param(lone("c1-r1-1"), Scope.AGENT, "c1-r1-1", id="agent"),
]


@pytest.mark.parametrize(("fault", "scope", "subject"), CASES)
def test_a_fault_is_one_outage_of_its_scope(fault: Fault, scope: Scope, subject: str) -> None:
    """Each fault is told once, with scope and subject, confirmed within twenty seconds, and resolved."""
    world = World(lab_fleet()).run(WARM_S)
    assert world.told() == []
    world.run(20, fault)
    assert world.told() == [(scope, subject)]
    (outage,) = world.open()
    assert outage.state is State.CONFIRMED
    assert outage.detected_us <= world.now_us - 10_000_000
    assert outage.onset_after_us <= outage.onset_us <= outage.onset_before_us <= outage.detected_us
    assert outage.why.endswith(".")
    assert outage.evidence
    world.run(40)
    assert world.told() == [(scope, subject)]
    assert world.states() == {State.RESOLVED}


def test_regional_becomes_global_as_the_same_outage() -> None:
    """A service that fails in two regions and then everywhere stays one outage that widens."""
    world = World(lab_fleet()).run(WARM_S)
    world.run(20, service("s03", Outcome.HTTP, "c0-r0", "c0-r1"))
    (before,) = world.open()
    assert before.scope is Scope.REGIONAL
    assert before.regions == ("c0-r0", "c0-r1")
    world.run(25, service("s03", Outcome.HTTP))
    (after,) = world.open()
    assert (after.id, after.scope, len(after.regions)) == (before.id, Scope.GLOBAL, 12)


def test_one_component_is_a_degraded_service() -> None:
    """When one component fails, the service is the subject, its target is named, and it is degraded."""
    world = World(lab_fleet(services=6, components=3)).run(WARM_S)
    world.run(20, lambda agent, target, at: Outcome.CONTENT if target.id == "s02-1" else None)
    (outage,) = world.open()
    assert (outage.scope, outage.subject.id, outage.target_ids) == (Scope.GLOBAL, "s02", ("s02-1",))
    assert (outage.severity, outage.layer) == ("degraded", "content")


def test_a_partial_outage_is_found() -> None:
    """A service that fails four probes in ten is found as global."""
    world = World(lab_fleet()).run(WARM_S)
    rng = world.rng
    world.run(
        40,
        lambda agent, target, at: Outcome.HTTP if target.service == "s05" and rng.random() < 0.4 else None,
    )
    assert world.told() == [(Scope.GLOBAL, "s05")]


def test_two_faults_at_once_are_two_outages() -> None:
    """Two services that fail at once for different places are told apart."""
    one, two = service("s01", Outcome.HTTP), service("s06", Outcome.TIMEOUT, "c3-r0", "c3-r1")
    world = World(lab_fleet()).run(WARM_S)
    world.run(25, lambda agent, target, at: one(agent, target, at) or two(agent, target, at))
    assert sorted(world.told()) == [(Scope.GLOBAL, "s01"), (Scope.REGIONAL, "s06")]


def test_a_network_in_one_region_is_named_with_its_region() -> None:
    """When one region's part of a network fails, the network is the subject and only that region is named."""
    fleet = lab_fleet(countries=2)
    more = tuple(Agent(f"{a.id}b", a.region, a.country, a.asn) for a in fleet.agents)
    agents = tuple(sorted(fleet.agents + more, key=lambda a: a.id))
    world = World(type(fleet)(**{**{f: getattr(fleet, f) for f in fleet.__slots__}, "agents": agents}))
    world.run(WARM_S).run(20, network(101, "c0-r2"))
    (outage,) = world.open()
    assert (outage.scope, outage.subject.id, outage.regions) == (Scope.NETWORK, "101", ("c0-r2",))


def test_the_onset_lies_after_the_last_success_of_what_fails() -> None:
    """The onset's interval begins with the last success of the failing cells, not an interval before."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S)
    world.run(20, service("s03", Outcome.HTTP))
    (outage,) = world.open()
    began_us = world.now_us - 20_000_000 + 200_000  # starts are told by the usual lag of 200 ms later
    assert outage.onset_after_us < began_us <= outage.onset_us
    assert outage.onset_us - outage.onset_after_us < 1_000_000


def test_a_provider_that_recovers_but_for_one_service_leaves_only_that_service() -> None:
    """When only one service of a provider goes on failing, the outage covers its targets and no others."""
    fleet = lab_fleet(services=12, components=1)
    more = tuple(Target(f"s01-{k}", "s01", f"part{k}", "p1", "http", 5.0) for k in range(1, 8))
    fleet = replace(fleet, targets=tuple(sorted(fleet.targets + more, key=lambda t: t.id)))
    world = World(fleet, noise=0.0).run(WARM_S).run(15, provider("p1"))
    (before,) = world.open()
    assert (before.scope, before.state) == (Scope.PROVIDER, State.CONFIRMED)
    world.run(60, service("s01", Outcome.HTTP))
    (after,) = world.open()
    assert (after.id, after.scope, after.subject.id) == (before.id, Scope.GLOBAL, "s01")
    assert {t.split("-")[0] for t in after.target_ids} == {"s01"}
    down = {s.service for s in world.detector.standings(world.now_us) if s.health is Health.DOWN}
    assert down == {"s01"}


def test_a_service_that_fails_again_at_once_paints_no_other() -> None:
    """Failing again right after a recovery, a service is the only one that is down, in one outage again."""
    fault = service("s03", Outcome.HTTP)
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(25, fault).run(8).run(25, fault)
    assert {subject for _, subject in world.told()} == {"s03"}
    (outage,) = world.open()
    assert outage.target_ids == ("s03-0",)
    down = {s.service for s in world.detector.standings(world.now_us) if s.health is Health.DOWN}
    assert down == {"s03"}


def test_services_that_fail_one_after_another_become_their_provider() -> None:
    """When all services of a provider have come to fail, the first outage becomes the provider's."""
    world = World(lab_fleet(), noise=0.0).run(WARM_S).run(20, service("s01", Outcome.HTTP))
    (first,) = world.open()
    both = lambda agent, target, at: Outcome.HTTP if target.service in ("s01", "s05") else None  # noqa: E731
    world.run(20, both).run(60, provider("p1"))
    (outage,) = world.open()
    assert (outage.id, outage.scope, outage.subject.id) == (first.id, Scope.PROVIDER, "p1")
    parts = [o for o in world.last.values() if o.id != first.id]
    assert parts
    assert all(o.why.endswith(f"It is part of outage {first.id}.") for o in parts)
