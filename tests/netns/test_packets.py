"""What the collector says when real packets are lost between real agents and real servers."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.netns.fleet import Fleet
from tests.netns.internet import COLLECTOR, Internet, address_of, resolver_of
from tests.netns.spaces import Spaces, missing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A collector and nine agents in three regions and three networks, with a healthy past."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("netns")
    with Spaces() as spaces:
        internet = Internet(spaces, folder / "certificates")
        with internet.serving():
            fleet = Fleet(internet, folder)
            try:
                fleet.start()
                yield fleet
            finally:
                fleet.end()


@pytest.fixture
def before(fleet: Fleet) -> Iterator[set[str]]:
    """The outages of the tests before; whatever a test breaks is mended after it."""
    yield {outage["id"] for outage in fleet.outages()}
    fleet.internet.mend()
    fleet.until("quiet", lambda: not fleet.open(), PATIENCE_S)


def confirmed(fleet: Fleet, before: set[str]) -> list[dict[str, Any]]:
    """The outages since then that were ever confirmed, but for slowness, which no test makes."""
    found = (o for o in fleet.outages() if o["id"] not in before and o["confirmed_at"])
    return [o for o in found if o["layer"] != "latency"]


def verdict(outage: dict[str, Any]) -> tuple[str, str, str]:
    """Scope, and kind and id of the subject."""
    return outage["scope"], outage["subject"]["kind"], outage["subject"]["id"]


def judged(fleet: Fleet, before: set[str]) -> dict[str, Any]:
    """The one outage that is confirmed; mends all, waits for its end, and sees that it was the only one."""
    found = fleet.until("a confirmed outage", lambda: confirmed(fleet, before), PATIENCE_S)
    fleet.internet.mend()
    fleet.until("the end of it", lambda: not fleet.open(), PATIENCE_S)
    assert [o["id"] for o in confirmed(fleet, before)] == [found[0]["id"]], fleet.outages()
    return next(o for o in fleet.outages() if o["id"] == found[0]["id"])


def proofs(fleet: Fleet, outage_id: str, kind: str, *, failing: bool) -> list[dict[str, Any]]:
    """What vantages gathered of an outage, once it is there."""

    def found() -> list[dict[str, Any]]:
        told = fleet.story(outage_id)["proofs"]
        return [proof["data"] for proof in told if proof["kind"] == kind and proof["failing"] is failing]

    return fleet.until(f"{kind} of those that {'fail' if failing else 'are fine'}", found, PATIENCE_S)


def addresses(path: dict[str, Any]) -> list[str | None]:
    """Who answered on the way, hop by hop."""
    return [hop.get("address") for hop in path["hops"]]


def test_blackholed_addresses_of_a_provider_are_the_providers_outage(fleet: Fleet, before: set[str]) -> None:
    """Both of its services time out from everywhere, the others do not."""
    fleet.internet.drop(f"ip daddr {{ {address_of('alpha')}, {address_of('beta')} }}")
    outage = judged(fleet, before)
    assert verdict(outage) == ("provider", "provider", "edge")
    assert sorted(outage["target_ids"]) == ["alpha-web", "beta-web"]
    path = proofs(fleet, outage["id"], "traceroute", failing=True)[0]
    assert not path["reached"]
    assert [hop and hop.rpartition(".")[2] for hop in addresses(path)[:3]] == ["1", "1", None]


def test_dead_resolver_of_a_region_is_the_regions_outage(fleet: Fleet, before: set[str]) -> None:
    """Nothing resolves there, whatever the network; the services are not out."""
    fleet.internet.drop(f"ip daddr {resolver_of('north')}")
    outage = judged(fleet, before)
    assert verdict(outage)[1:] == ("region", "north")
    assert outage["regions"] == ["north"]
    names = proofs(fleet, outage["id"], "dns", failing=True)[0]
    assert {answer["problem"] for answer in names["answers"]} == {"no answer within 3 s"}
    healthy = proofs(fleet, outage["id"], "traceroute", failing=False)[0]
    assert healthy["reached"]
    assert len(healthy["hops"]) == 3


def test_cut_uplink_is_the_networks_outage_and_no_services(fleet: Fleet, before: set[str]) -> None:
    """Its agents fall silent together: what they cannot see is not out."""
    fleet.internet.cut_uplink(64501)
    outage = judged(fleet, before)
    assert verdict(outage) == ("network", "asn", "64501")
    assert outage["layer"] == "silence"


def test_loss_of_a_third_degrades_the_service_it_hits(fleet: Fleet, before: set[str]) -> None:
    """30 % of the packets towards one service are lost at random."""
    fleet.internet.drop(f"ip daddr {address_of('gamma')} numgen random mod 100 < 30")
    outage = judged(fleet, before)
    assert verdict(outage) == ("global", "service", "gamma")
    assert outage["severity"] == "degraded"


def test_cut_off_collector_blames_nobody_else(fleet: Fleet, before: set[str]) -> None:
    """All agents fall silent at once: that is the collector's own, and no service is out."""
    fleet.internet.drop(f"ip daddr {COLLECTOR}")
    assert verdict(judged(fleet, before))[0] == "collector"
