"""From a scenario to the results that a collector would receive, in order of receipt; always the same."""

from dataclasses import dataclass

import numpy as np

from faultline_collector.fleet import Fleet
from faultline_collector.results import ResultBatch, Source
from faultline_collector.worlds.faults import Silence, hush, numbered, own_clocks, strike
from faultline_collector.worlds.fleets import make_fleet
from faultline_collector.worlds.noise import disturb, gaps
from faultline_collector.worlds.rounds import Floats, Ints, Rounds, healthy_rounds
from faultline_collector.worlds.scenario import Scenario

LAG_MEDIAN_S, LAG_SIGMA, LAG_MOST_S = 0.35, 0.7, 20.0
TWICE = 0.001


@dataclass(frozen=True, slots=True)
class World:
    """A scenario come true: its fleet, and all results in order of receipt."""

    scenario: Scenario
    fleet: Fleet
    results: ResultBatch


def make_world(scenario: Scenario) -> World:
    """Makes a world; fleet, noise, faults and delivery have random numbers of their own."""
    probing, noise, faults, delivery = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(scenario.seed).spawn(5)[1:]
    )
    fleet = make_fleet(scenario.fleet, fleet_random(scenario.seed))
    rounds = healthy_rounds(fleet, scenario.length_s, probing)
    disturb(rounds, fleet, scenario.length_s, scenario.noise, noise)
    silences = [_gaps(rounds, fleet, scenario, noise)]
    for fault in scenario.faults:
        if fault.silent == "no":
            strike(rounds, fleet, scenario, fault, faults)
        else:
            silences.append(hush(rounds, fleet, scenario, fault, faults))
    return World(scenario, fleet, _received(rounds, fleet, scenario, silences, delivery))


def fleet_random(seed: int) -> np.random.Generator:
    """The random numbers of a scenario's fleet, so that whoever draws faults can know the fleet before."""
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])


def _gaps(rounds: Rounds, fleet: Fleet, scenario: Scenario, random: np.random.Generator) -> Silence:
    rows = np.zeros(len(rounds), bool)
    for gap in gaps(fleet, scenario.length_s, scenario.noise, random):
        within = (rounds.started_s >= gap.begin_s) & (rounds.started_s < gap.end_s)
        rows |= (rounds.agent == gap.agent) & within
    return Silence(rows, np.full(len(rounds), np.inf))


def _received(
    rounds: Rounds,
    fleet: Fleet,
    scenario: Scenario,
    silences: list[Silence],
    random: np.random.Generator,
) -> ResultBatch:
    lag = random.lognormal(np.log(LAG_MEDIAN_S), LAG_SIGMA, len(rounds)).clip(0.02, LAG_MOST_S)
    received = rounds.started_s + rounds.total_ms() / 1000 + lag
    for silence in silences:
        received = np.where(silence.rows, np.maximum(received, silence.heard_s), received)
    kept = np.flatnonzero(received < scenario.length_s)
    twice = kept[random.random(kept.size) < TWICE]
    rows = np.concatenate((kept, twice))
    again = received[twice] + random.uniform(0.5, 60, twice.size)
    at = np.concatenate((received[kept], again))
    order = np.argsort(at, kind="stable")
    clocks = own_clocks(len(fleet.agents), random)
    sequence = numbered(rounds.agent, rounds.started_s)
    return _batch(rounds, fleet, scenario, rows[order], at[order], clocks, sequence)


def _batch(
    rounds: Rounds,
    fleet: Fleet,
    scenario: Scenario,
    rows: Ints,
    received_s: Floats,
    clocks: Floats,
    sequence: Ints,
) -> ResultBatch:
    agent = rounds.agent[rows]
    reached = rounds.reached
    timings = {
        name: np.where(reached[name][rows], phase[rows] * 1000, -1).astype(np.int32)
        for name, phase in rounds.phases.items()
    }
    timings["total"] = (rounds.total_ms()[rows] * 1000).astype(np.int32)
    n = rows.size
    return ResultBatch(
        sources=tuple(Source(a.id, "world") for a in fleet.agents),
        source=agent.astype(np.int32),
        target_ids=tuple(t.id for t in fleet.targets),
        target=rounds.target[rows].astype(np.int32),
        sequence=sequence[rows].astype(np.uint64),
        started_us=_us(scenario, rounds.started_s[rows] + clocks[agent]),
        offset_us=np.zeros(n, np.int64),
        received_us=_us(scenario, received_s),
        attempt=np.zeros(n, np.uint8),
        outcome=rounds.outcome[rows],
        status=np.where(reached["tls"][rows], rounds.status[rows], 0).astype(np.uint16),
        family=np.full(n, 4, np.uint8),
        flags=np.zeros(n, np.uint8),
        timings_us=timings,
    )


def _us(scenario: Scenario, at_s: Floats) -> Ints:
    return scenario.start_us + np.round(at_s * 1e6).astype(np.int64)
