"""Made-up worlds: the same each time, as restless as the real one, and broken just where they should be."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from faultline.config import BadConfig, parse_data
from faultline.outcomes import Outcome
from faultline_collector.replay.trace import open_trace, read_results
from faultline_collector.results import concatenate
from faultline_collector.worlds.making import World, make_world
from faultline_collector.worlds.scenario import Scenario
from faultline_collector.worlds.writing import write_trace

START = datetime(2026, 1, 5, tzinfo=UTC)
Mask = npt.NDArray[np.bool_]


def at(minutes: float) -> str:
    """A moment of the scenario."""
    return (START + timedelta(minutes=minutes)).isoformat()


def scenario(*faults: dict[str, Any], **more: Any) -> Scenario:
    """An hour of twelve agents in Turkey and the UK, and a shop beside others."""
    shop = {
        "id": "shop",
        "provider": "edgeline",
        "components": [{"id": "web"}, {"id": "login", "provider": "idp"}],
    }
    fleet = {"regions": ["gb-south", "tr-west", "tr-south"], "agents": 4, "others": 4, "services": [shop]}
    data = {"name": "hour", "seed": 1, "start": at(0), "end": at(60), "fleet": fleet, "faults": list(faults)}
    return parse_data(data | more, Scenario, "test")


QUIET = {"noise": {"level": 0.0}}


def started_min(world: World) -> npt.NDArray[np.float64]:
    """When each result's probe began, minutes since the start; clocks are nearly right in these worlds."""
    return (world.results.started_us - world.scenario.start_us) / 60e6


def failed(world: World) -> Mask:
    """Which results are failures."""
    return np.not_equal(world.results.outcome, int(Outcome.OK))


def of_target(world: World, *ids: str) -> Mask:
    """Which results are of these targets."""
    return np.isin(np.array(world.results.target_ids)[world.results.target], ids)


def of_agents(world: World, **fields: Any) -> Mask:
    """Which results are of agents with this field."""
    ((name, value),) = fields.items()
    mine = np.array([getattr(agent, name) == value for agent in world.fleet.agents])
    return mine[world.results.source]


def test_a_world_is_always_the_same() -> None:
    """To the last bit; another seed is another world."""
    one, same = make_world(scenario()), make_world(scenario())
    for name in ("source", "target", "sequence", "started_us", "received_us", "outcome"):
        assert np.array_equal(getattr(one.results, name), getattr(same.results, name))
    assert one.fleet == same.fleet
    other = make_world(scenario(seed=2))
    assert len(other.results) != len(one.results) or not np.array_equal(
        other.results.started_us, one.results.started_us
    )


def test_a_fault_changes_nothing_beside_itself() -> None:
    """Noise has random numbers of its own, so worlds with and without a fault can be compared."""
    fault = {"what": {"services": ["shop"]}, "course": [[at(20), 1], [at(30), 1]]}
    calm, broken = make_world(scenario()), make_world(scenario(fault))
    others = ~of_target(calm, "shop-web", "shop-login")
    assert np.array_equal(
        np.sort(calm.results.started_us[others]),
        np.sort(broken.results.started_us[~of_target(broken, "shop-web", "shop-login")]),
    )


def test_results_come_in_order_of_receipt_and_some_twice() -> None:
    """After they ended; each agent counts its own from 1."""
    results = make_world(scenario()).results
    assert (np.diff(results.received_us) >= 0).all()
    keys = np.stack((results.source.astype(np.int64), results.sequence.astype(np.int64)))
    _, times = np.unique(keys, axis=1, return_counts=True)
    assert set(times.tolist()) == {1, 2}
    assert results.sequence.min() == 1


def test_noise_is_as_measured() -> None:
    """Lost: 0.17 % in all, most of it in runs; the usual path loses far less. Within what chance allows."""
    calm = {"fleet": scenario().fleet.model_copy(update={"agents": 12, "others": 30}), "end": at(600)}
    world = make_world(scenario().model_copy(update=calm | {"end": START + timedelta(hours=10)}))
    lost = failed(world)
    assert 0.0011 < lost.mean() < 0.0026
    cell = world.results.source.astype(np.int64) * len(world.results.target_ids) + world.results.target
    order = np.lexsort((world.results.started_us, cell))
    runs = runs_of(lost[order], cell[order])
    assert 0.45 < runs[runs >= 3].sum() / runs.sum() < 0.75
    a_path = np.bincount(cell, lost) / np.bincount(cell)
    assert np.median(a_path) < 0.0012


def runs_of(lost: Mask, cell: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Lengths of the runs of losses within cells."""
    edge = np.r_[True, (np.diff(cell) != 0) | (np.diff(lost.astype(int)) != 0), True]
    at_edge = np.flatnonzero(edge)
    return np.diff(at_edge)[lost[at_edge[:-1]]]


def test_a_fault_hits_what_and_whom_and_when_it_says() -> None:
    """Here the shop's login, for Turkey, with errors of the server, and nothing else."""
    fault = {
        "what": {"services": ["shop"], "components": ["login"]},
        "from": {"countries": ["TR"]},
        "how": {"http": 1},
        "statuses": [502],
        "course": [[at(20), 1], [at(40), 1]],
    }
    world = make_world(scenario(fault, **QUIET))
    due = of_target(world, "shop-login") & of_agents(world, country="TR")
    begun = started_min(world)
    inside, near = (begun > 21) & (begun < 39), (begun > 19) & (begun < 41)
    assert failed(world)[due & inside].all()
    assert not failed(world)[~(due & near)].any()
    assert set(world.results.status[failed(world)].tolist()) == {502}


@pytest.mark.parametrize(
    ("seen_from", "hit"),
    [({"regions": ["gb-south"], "share": 0.0}, 2), ({"regions": ["gb-south"], "share": 1.0}, 4),
     ({"agents": ["gb-south-1"], "share": 0.0}, 1), ({"agents": ["nobody"], "share": 0.0}, 0)],
)  # fmt: skip
def test_a_share_of_a_group_is_two_agents_at_least(seen_from: dict[str, Any], hit: int) -> None:
    """However small: a fault that hit nobody, or an agent alone, would be labelled as what nobody can see."""
    fault = {"from": seen_from, "how": {"tls": 1}, "course": [[at(20), 1], [at(40), 1]]}
    world = make_world(scenario(fault, **QUIET))
    assert np.unique(world.results.source[failed(world)]).size == hit


def test_a_course_goes_in_straight_lines() -> None:
    """From nothing to all over twenty minutes: about half of it on the way."""
    fault = {"what": {"providers": ["edgeline"]}, "course": [[at(20), 0], [at(40), 1], [at(60), 1]]}
    world = make_world(scenario(fault, **QUIET))
    begun, shop = started_min(world), of_target(world, "shop-web")
    early, late = shop & (begun > 20) & (begun < 30), shop & (begun > 30) & (begun < 40)
    assert 0.1 < failed(world)[early].mean() < 0.4
    assert 0.6 < failed(world)[late].mean() < 0.9
    assert not failed(world)[of_target(world, "shop-login")].any(), "its provider is another"


def test_a_spread_lets_agents_come_in_one_after_another() -> None:
    """As caches run out."""
    fault = {
        "what": {"services": ["shop"]},
        "how": {"dns": 1},
        "spread": "10m",
        "course": [[at(20), 1], [at(50), 1]],
    }
    world = make_world(scenario(fault, **QUIET))
    begun = started_min(world)
    first = [begun[failed(world) & of_agents(world, id=agent.id)].min() for agent in world.fleet.agents]
    assert max(first) - min(first) > 3
    assert (world.results.timings_us["dns"][failed(world)] == -1).all()


def test_old_bundles_are_a_cohort() -> None:
    """A fault can be theirs alone, wherever they stand."""
    fleet = scenario().fleet.model_copy(update={"old_bundles": 0.5})
    fault = {"from": {"ca_bundle": "2014"}, "how": {"tls": 1}, "course": [[at(20), 1], [at(40), 1]]}
    world = make_world(scenario(fault, **QUIET).model_copy(update={"fleet": fleet}))
    hit = {world.fleet.agents[i].ca_bundle for i in np.unique(world.results.source[failed(world)])}
    assert hit == {"2014"}
    assert len({agent.ca_bundle for agent in world.fleet.agents}) == 2


@pytest.mark.parametrize("silent", ["late", "lost", "unwell"])
def test_silent_agents_tell_later_or_never(silent: str) -> None:
    """Nothing of them is received meanwhile; afterwards all at once, or not at all."""
    fault = {
        "from": {"regions": ["tr-south"]},
        "silent": silent,
        "course": [[at(20), 1], [at(40), 1], [at(40), 0]],
    }
    world = make_world(scenario(fault, **QUIET))
    received = (world.results.received_us - world.scenario.start_us) / 60e6
    mine, begun = of_agents(world, region="tr-south"), started_min(world)
    assert not (mine & (received > 21) & (received < 40)).any()
    of_then = mine & (begun > 21) & (begun < 39)
    assert of_then.any() == (silent != "lost")
    outcomes = {"late": {Outcome.OK}, "lost": set(), "unwell": {Outcome.INCONCLUSIVE}}[silent]
    assert {Outcome(o) for o in world.results.outcome[of_then].tolist()} == outcomes


def test_slower_fails_nothing() -> None:
    """It only takes longer."""
    fault = {"slower": 3.0, "course": [[at(20), 1], [at(40), 1]]}
    calm, slow = make_world(scenario(**QUIET)), make_world(scenario(fault, **QUIET))
    assert not failed(slow).any()
    begun = started_min(slow)
    inside = (begun > 21) & (begun < 39)
    ratio = np.median(slow.results.timings_us["connect"][inside]) / np.median(
        calm.results.timings_us["connect"]
    )
    assert 2 < ratio < 4


def test_a_wild_world_has_odd_answers() -> None:
    """Refusals and tails that nobody's outage explains."""
    world = make_world(scenario(noise={"level": 1.0, "wild": 5.0}))
    assert (world.results.outcome == Outcome.HTTP).any()
    assert {403, 429} & set(world.results.status.tolist())


def test_networks_share_a_countrys_agents_by_weight() -> None:
    """Named ones where the plan names them."""
    networks = [{"asn": 9121, "name": "TTNet", "weight": 3}, {"asn": 15897}]
    fleet = scenario().fleet.model_dump() | {"networks": {"TR": networks}}
    world = make_world(scenario(fleet=fleet))
    turkish = [agent.asn for agent in world.fleet.agents if agent.country == "TR"]
    assert (turkish.count(9121), turkish.count(15897)) == (6, 2)
    names = {network.asn: network.name for network in world.fleet.networks}
    assert (names[9121], names[15897]) == ("TTNet", "AS15897")


def test_a_written_world_reads_back_the_same(tmp_path: Path) -> None:
    """As a trace, version 1, that replay can open."""
    world = make_world(scenario())
    trace = open_trace(write_trace(world, tmp_path / "it's a world"))
    assert (trace.name, trace.rows, trace.start_us) == ("hour", len(world.results), world.scenario.start_us)
    assert trace.fleet.agents == world.fleet.agents
    assert [t.id for t in trace.fleet.targets] == [t.id for t in world.fleet.targets]
    read = concatenate(list(read_results(trace, 1000)))
    for name in ("source", "target", "sequence", "started_us", "received_us", "outcome", "status"):
        assert np.array_equal(getattr(read, name), getattr(world.results, name)), name
    for name, column in world.results.timings_us.items():
        assert np.abs(read.timings_us[name] - column).max() <= 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": "yesterday"}, "start: Invalid isoformat string: 'yesterday'"),
        ({"start": "2026-01-05T00:00"}, "'2026-01-05T00:00' is not a time with its zone"),
        ({"faults": [{"course": [], "howw": {}}]}, "faults[0].howw is not a known setting"),
    ],
)
def test_a_scenario_that_cannot_be_read_is_a_sentence(change: dict[str, Any], said: str) -> None:
    """With its place."""
    with pytest.raises(BadConfig) as caught:
        scenario(**change)
    assert said in str(caught.value)
