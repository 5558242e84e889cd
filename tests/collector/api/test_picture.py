"""What the board says of regions, services, networks and providers."""

from dataclasses import replace

import pytest

from faultline_collector.api.picture import Picture, health_of, overall, worst
from faultline_collector.correlate.engine import Health
from faultline_collector.outages import Outage, Scope, State, Subject
from tests.collector.api.worlds import World, outage, standings

OK, DOWN, UNKNOWN, DEGRADED, SUSPECTED = (
    Health.OK, Health.DOWN, Health.UNKNOWN, Health.DEGRADED, Health.SUSPECTED,
)  # fmt: skip


def picture(world: World, *outages: Outage, live: str = "east-1 us-1 west-1", **seen: Health) -> Picture:
    """The world with twitter as the regions see it."""
    return Picture(world.fleet, standings(**seen), outages, frozenset(live.split()))


@pytest.mark.parametrize(
    ("healths", "said"),
    [
        ([], UNKNOWN),
        ([UNKNOWN], UNKNOWN),
        ([UNKNOWN, OK], OK),
        ([OK, SUSPECTED], SUSPECTED),
        ([OK, DEGRADED, SUSPECTED], DEGRADED),
        ([OK, DOWN, DEGRADED], DOWN),
    ],
)
def test_the_worst_that_is_known_wins(healths: list[Health], said: Health) -> None:
    """Unknown yields to anything that is known, and never counts as good or bad."""
    assert worst(healths) is said


@pytest.mark.parametrize(
    ("healths", "said"),
    [
        ([], UNKNOWN),
        ([DOWN, DOWN], DOWN),
        ([DOWN, UNKNOWN], DOWN),
        ([DOWN, OK], DEGRADED),
        ([DOWN, SUSPECTED], DEGRADED),
        ([SUSPECTED, OK], SUSPECTED),
        ([OK, UNKNOWN], OK),
    ],
)
def test_a_service_is_down_only_where_all_that_is_known_is_down(healths: list[Health], said: Health) -> None:
    """Down from some regions only is degraded."""
    assert overall(healths) is said


@pytest.mark.parametrize(
    ("state", "severity", "said"),
    [
        (State.SUSPECTED, "down", SUSPECTED),
        (State.CONFIRMED, "down", DOWN),
        (State.CONFIRMED, "degraded", DEGRADED),
        (State.RECOVERING, "down", DOWN),
    ],
)
def test_an_outage_colours_its_subject(state: State, severity: str, said: Health) -> None:
    """A suspicion stays a suspicion whatever it suspects."""
    assert health_of(outage(state=state, severity=severity)) is said


def test_a_region_shows_every_service_and_the_worst_of_them(world: World) -> None:
    """The map reads both from one answer."""
    regions = {region.id: region for region in picture(world, in_west=DOWN).regions()}
    assert regions["in-west"].services == {"bank": OK, "rail": OK, "twitter": DOWN}
    assert regions["in-west"].health is DOWN
    assert regions["us-west"].services == {"bank": OK, "rail": UNKNOWN, "twitter": OK}
    assert regions["us-west"].health is OK


def test_a_region_of_which_nothing_was_judged_is_unknown_in_all(world: World) -> None:
    """It has no agent, and is neither up nor down."""
    dark = Picture(world.fleet, tuple(s for s in standings() if s.region != "us-west"))
    regions = {region.id: region for region in dark.regions()}
    assert regions["us-west"].services == {"bank": UNKNOWN, "rail": UNKNOWN, "twitter": UNKNOWN}
    assert regions["us-west"].health is UNKNOWN
    services = {service.id: service for service in dark.services_by_region()}
    assert [(s.region, s.health) for s in services["twitter"].regions][-1] == ("us-west", UNKNOWN)
    assert [s.region for s in services["rail"].regions] == ["in-east", "in-west"]


def test_a_region_counts_its_agents_and_those_that_live(world: World) -> None:
    """A dark region has agents and none that live."""
    regions = {region.id: region for region in picture(world, live="us-1").regions()}
    assert (regions["in-west"].agents, regions["in-west"].live) == (1, 0)
    assert (regions["us-west"].agents, regions["us-west"].live) == (1, 1)


def test_components_are_told_apart_by_the_targets_of_an_outage(world: World) -> None:
    """Login fails while the web is fine."""
    hit = outage(target_ids=("twitter-login",))
    services = {service.id: service for service in picture(world, hit, in_west=DOWN).services()}
    components = {part.id: part.health for part in services["twitter"].components}
    assert components == {"web": OK, "login": DEGRADED}


def test_a_component_that_fails_everywhere_is_down(world: World) -> None:
    """A global outage is not softened."""
    hit = outage(scope=Scope.GLOBAL, target_ids=("twitter-login",))
    services = {service.id: service for service in picture(world, hit).services()}
    assert services["twitter"].components[1].health is DOWN


def test_a_component_of_a_service_that_is_down_is_not_softened(world: World) -> None:
    """Where all that is known of the service is down, so is what fails of it."""
    seen = {"in_west": DOWN, "in_east": DOWN, "us_west": UNKNOWN}
    services = {service.id: service for service in picture(world, outage(), **seen).services()}
    assert [part.health for part in services["twitter"].components] == [DOWN, DOWN]


@pytest.mark.parametrize("scope", [Scope.AGENT, Scope.COLLECTOR])
def test_trouble_of_our_own_blames_no_component(world: World, scope: Scope) -> None:
    """An agent without network says nothing about what it probes."""
    hit = outage(scope=scope, subject=Subject("agent", "west-1"))
    services = {service.id: service for service in picture(world, hit).services()}
    assert {part.health for part in services["twitter"].components} == {OK}


def test_nothing_known_of_a_service_leaves_its_components_unknown(world: World) -> None:
    """Silence is not health."""
    seen = dict.fromkeys(("in_west", "in_east", "us_west"), UNKNOWN)
    services = {service.id: service for service in picture(world, **seen).services()}
    assert services["twitter"].health is UNKNOWN
    assert {part.health for part in services["twitter"].components} == {UNKNOWN}


def test_a_service_names_the_provider_that_all_its_targets_share(world: World) -> None:
    """Bank stands on none."""
    services = {service.id: service for service in picture(world).services()}
    assert (services["twitter"].provider, services["bank"].provider) == ("edgeline", "")


def test_a_network_is_unknown_without_a_live_agent_in_it(world: World) -> None:
    """And out where an outage says so."""
    out = outage(scope=Scope.NETWORK, subject=Subject("asn", "7018"))
    quiet = {network.asn: network.health for network in picture(world, live="us-1").networks()}
    assert quiet == {55836: UNKNOWN, 7018: OK}
    assert {n.asn: n.health for n in picture(world, out).networks()} == {55836: OK, 7018: DOWN}


def test_a_provider_is_unknown_while_nothing_that_stands_on_it_is_known(world: World) -> None:
    """And out where an outage says so."""
    dark = dict.fromkeys(("in_west", "in_east", "us_west"), UNKNOWN)
    out = outage(scope=Scope.PROVIDER, subject=Subject("provider", "edgeline"), severity="degraded")
    assert [p.health for p in picture(world, **dark).providers()] == [UNKNOWN]
    assert [p.health for p in picture(world).providers()] == [OK]
    assert [p.health for p in picture(world, out).providers()] == [DEGRADED]


def test_pictures_of_the_same_moment_are_equal(world: World) -> None:
    """So that an unchanged tick costs a comparison."""
    assert picture(world, outage()) == picture(world, replace(outage()))
