"""What agents or targets have in common besides their places: software, transit, IP families."""

from dataclasses import replace

from faultline.outcomes import Outcome
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Outage, Scope, State
from tests.collector.correlate.worlds import Fault, World, lab_fleet

WARM_S = 40.0


def old_bundles(fleet: Fleet) -> Fleet:
    """Every third agent has an old bundle of authorities; all have one version."""
    agents = [
        replace(a, version="1.0", ca_bundle="2021" if n % 3 else "2014") for n, a in enumerate(fleet.agents)
    ]
    return replace(fleet, agents=tuple(agents))


def both_families(fleet: Fleet) -> Fleet:
    """Every target once over IPv4 and once over IPv6."""
    targets = [replace(t, id=f"{t.id}-v{f}", family=f) for t in fleet.targets for f in (4, 6)]
    return replace(fleet, targets=tuple(targets))


def confirmed(fleet: Fleet, fault: Fault, seconds: float = 40) -> Outage:
    """The only outage that is open after some time of a fault."""
    world = World(fleet, noise=0.0).run(WARM_S).run(seconds, fault)
    (outage,) = world.open()
    assert outage.state is State.CONFIRMED
    assert world.run(60).open() == []
    return outage


def test_an_old_bundle_is_a_cohort_of_agents() -> None:
    """Agents with one bundle failing a third of all services are at fault themselves, not the services."""
    fleet = old_bundles(lab_fleet())

    def expired(agent: Agent, target: Target, at: float) -> Outcome | None:
        return (
            Outcome.TLS
            if agent.ca_bundle == "2014" and target.service in ("s01", "s04", "s06", "s11")
            else None
        )

    outage = confirmed(fleet, expired)
    assert (outage.scope, outage.subject.kind, outage.subject.id) == (Scope.AGENT, "cohort", "2014")
    assert {t.split("-")[0] for t in outage.target_ids} == {"s01", "s04", "s06", "s11"}
    assert outage.layer == "tls"
    assert "bundle of authorities 2014 fail on 4 services that others reach" in outage.why


def test_services_that_fail_for_all_are_no_cohort() -> None:
    """What those with another bundle fail as well is the services' own."""
    fleet = old_bundles(lab_fleet())
    world = World(fleet, noise=0.0).run(WARM_S)
    world.run(40, lambda a, t, at: Outcome.TLS if t.service in ("s01", "s06") else None)
    assert sorted(world.told()) == [(Scope.GLOBAL, "s01"), (Scope.GLOBAL, "s06")]


def test_a_service_lost_through_some_networks_names_them() -> None:
    """Shared transit, or censorship: regional, with the networks that cannot reach it, and no others."""
    fleet = lab_fleet(countries=4)

    def refused(agent: Agent, target: Target, at: float) -> Outcome | None:
        return Outcome.TLS if target.service == "s03" and agent.asn in (100, 101, 301) else None

    outage = confirmed(fleet, refused)
    assert (outage.scope, outage.subject.kind, outage.subject.id) == (Scope.REGIONAL, "service", "s03")
    assert outage.asns == (100, 101, 301)
    assert outage.regions == ("c0-r0", "c0-r1", "c0-r2", "c2-r0", "c2-r1", "c2-r2")
    assert "through AS100, AS101 and AS301" in outage.why


def test_a_country_that_blocks_a_service_is_regional() -> None:
    """All networks of one country failing one service: regional, with regions and networks named."""
    fleet = lab_fleet(countries=4)
    outage = confirmed(
        fleet, lambda a, t, at: Outcome.TIMEOUT if t.service == "s03" and a.country == "C1" else None
    )
    assert (outage.scope, outage.subject.id) == (Scope.REGIONAL, "s03")
    assert outage.asns == (200, 201, 202)
    assert outage.regions == ("c1-r0", "c1-r1", "c1-r2")


def test_one_family_of_a_service_can_be_out_alone() -> None:
    """Over IPv6 a service fails, over IPv4 it works: degraded, and the family is said."""
    fleet = both_families(lab_fleet(services=6))
    outage = confirmed(
        fleet, lambda a, t, at: Outcome.CONNECT if (t.service, t.family) == ("s02", 6) else None
    )
    assert (outage.scope, outage.subject.id, outage.severity) == (Scope.GLOBAL, "s02", "degraded")
    assert outage.target_ids == ("s02-0-v6",)
    assert "over IPv6" in outage.why
    assert outage.family == 6


def test_a_service_that_is_out_over_both_families_is_out() -> None:
    """Then no family is named."""
    outage = confirmed(
        both_families(lab_fleet(services=6)), lambda a, t, at: Outcome.CONNECT if t.service == "s02" else None
    )
    assert outage.target_ids == ("s02-0-v4", "s02-0-v6")
    assert "IPv" not in outage.why
    assert outage.family == 0


def test_one_family_of_a_network_can_be_out_alone() -> None:
    """A network without IPv6 is that network's trouble, and its IPv4 is not named."""
    fleet = both_families(lab_fleet(services=6))
    outage = confirmed(fleet, lambda a, t, at: Outcome.TIMEOUT if (a.asn, t.family) == (201, 6) else None)
    assert (outage.scope, outage.subject.kind, outage.subject.id) == (Scope.NETWORK, "asn", "201")
    assert all(target.endswith("v6") for target in outage.target_ids)
    assert "over IPv6 fails through AS201" in outage.why
    assert outage.family == 6
