"""The lab's world and what its faults break, without a socket."""

from collections import Counter

import pytest

from faultline_collector.lab.faults import BadFault, Damage, Failure, Fault, nearest, total
from faultline_collector.lab.world import Cell, World, with_agents
from faultline_collector.outages import Scope


def cells_of(damage: Damage) -> dict[str, int]:
    """How many cells each service has lost."""
    return dict(Counter(cell.service for cell in damage.cells))


def test_world_is_36_agents_in_4_countries_of_3_regions_and_3_networks(world: World) -> None:
    """The shape that the issue asks for."""
    assert len(world.vantages) == 36
    assert Counter(place.country for place in world.places) == dict.fromkeys(("IN", "US", "BR", "DE"), 3)
    assert Counter(carrier.country for carrier in world.carriers) == dict.fromkeys(
        ("IN", "US", "BR", "DE"), 3
    )
    assert len({(v.region, v.asn) for v in world.vantages}) == 36
    assert (len(world.products), len(world.providers)) == (12, 4)
    assert {part.transport for part in world.parts()} == {"http", "https", "tcp", "dns"}


def test_every_agent_and_service_has_an_address_of_its_own(world: World) -> None:
    """No two agents share an address, nor two services of one agent."""
    addresses = [world.address(v, p.id) for v in world.vantages for p in world.products]
    addresses += [
        f(v) for v in world.vantages for f in (world.gateway, world.upstream, world.resolver, world.relay)
    ]
    assert len(set(addresses)) == 36 * 16
    assert all(address.startswith("127.77.") for address in addresses)


def test_smaller_world_keeps_every_country(world: World) -> None:
    """Fewer agents are taken evenly."""
    assert {v.country for v in with_agents(world, 6).vantages} == {"IN", "US", "BR", "DE"}


def test_global_fault_hits_every_agent_and_component_of_one_service(world: World) -> None:
    """And nothing else."""
    assert cells_of(Fault(Scope.GLOBAL, "twitter").damage(world)) == {"twitter": 36 * 4}


def test_regional_fault_hits_only_the_regions_named(world: World) -> None:
    """Three agents a region."""
    damage = Fault(Scope.REGIONAL, "twitter", regions=("in-west", "in-east")).damage(world)
    assert {cell.agent.rsplit("-", 1)[0] for cell in damage.cells} == {"in-west", "in-east"}
    assert cells_of(damage) == {"twitter": 6 * 4}


def test_network_fault_black_holes_all_of_its_agents_and_leaves_their_references(world: World) -> None:
    """Their own gateway and resolver answer, so what they see is failure, not ignorance."""
    damage = Fault(Scope.NETWORK, "55836").damage(world)
    assert len({cell.agent for cell in damage.cells}) == 3
    assert len(cells_of(damage)) == 12
    assert set(damage.cells.values()) == {Failure.BLACKHOLE, Failure.SILENT}
    assert not damage.offline


def test_provider_fault_hits_every_service_that_stands_on_it(world: World) -> None:
    """From everywhere."""
    assert set(cells_of(Fault(Scope.PROVIDER, "aws").damage(world))) == {"netflix", "signal", "slack"}


def test_agent_fault_takes_one_agent_offline_with_its_references(world: World) -> None:
    """The first one unless another is named; its way to the collector stays unless isolated."""
    damage = Fault(Scope.AGENT).damage(world)
    assert damage.offline == {world.vantages[0].id}
    assert not damage.isolated
    assert Fault(Scope.AGENT, "us-east-verizon", isolated=True).damage(world).isolated == {"us-east-verizon"}


def test_collector_fault_isolates_everyone_and_breaks_no_target(world: World) -> None:
    """Only the ways to the collector are cut."""
    damage = Fault(Scope.COLLECTOR).damage(world)
    assert len(damage.isolated) == 36
    assert not damage.cells


def test_component_narrows_a_fault(world: World) -> None:
    """Login fails while the page is fine."""
    damage = Fault(Scope.GLOBAL, "twitter", Failure.CONTENT, component="login").damage(world)
    assert {cell.component for cell in damage.cells} == {"login"}


def test_later_fault_shows_where_two_meet(world: World) -> None:
    """The damage of two faults is the sum of both."""
    damage = total(
        [Fault(Scope.GLOBAL, "reddit", Failure.RESET), Fault(Scope.PROVIDER, "fastly", Failure.REFUSED)],
        world,
    )
    assert damage.cells[Cell("in-west-jio", "reddit", "web")] is Failure.REFUSED


@pytest.mark.parametrize(
    ("failure", "transport", "shown"),
    [
        (Failure.HTTP, "tcp", Failure.RESET),
        (Failure.HTTP, "dns", Failure.SERVFAIL),
        (Failure.BLACKHOLE, "dns", Failure.SILENT),
        (Failure.EXPIRED, "http", Failure.HTTP),
        (Failure.EXPIRED, "https", Failure.EXPIRED),
    ],
    ids=["http-on-tcp", "http-on-dns", "blackhole-on-dns", "expired-on-http", "expired-on-https"],
)
def test_failure_that_a_transport_cannot_show_becomes_the_nearest(
    failure: Failure, transport: str, shown: Failure
) -> None:
    """Every component of a failing service fails somehow."""
    assert nearest(failure, transport) is shown


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(Scope.GLOBAL, "twiter"), "the lab has no service 'twiter'; it has twitter, reddit"),
        (Fault(Scope.NETWORK, "1"), "the lab has no network '1'; it has 55836"),
        (Fault(Scope.PROVIDER, "acme"), "the lab has no provider 'acme'; it has fastly, aws"),
        (Fault(Scope.AGENT, "x"), "the lab has no agent 'x'; it has in-west-jio"),
        (Fault(Scope.REGIONAL, "twitter"), "a regional fault needs --regions"),
        (Fault(Scope.REGIONAL, "twitter", regions=("moon",)), "the lab has no region 'moon'; it has in-west"),
        (Fault(Scope.GLOBAL, "reddit", component="x"), "the lab has no component of reddit 'x'; it has web"),
    ],
    ids=["service", "network", "provider", "agent", "no-region", "region", "component"],
)
def test_fault_that_names_nothing_is_one_sentence(world: World, fault: Fault, sentence: str) -> None:
    """It says what there is instead."""
    with pytest.raises(BadFault) as caught:
        fault.damage(world)
    assert str(caught.value).startswith(sentence)


def test_fault_reads_as_its_command(world: World) -> None:
    """What `list` shows can be typed again."""
    fault = Fault(Scope.REGIONAL, "twitter", Failure.HTTP, ("in-west", "in-east"), "login")
    assert str(fault) == "regional twitter --regions in-west,in-east --component login --kind http"
