"""What truly breaks: the faults of a scenario written into its probes."""

from dataclasses import dataclass

import numpy as np

from faultline.outcomes import WORDS
from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.worlds.rounds import Floats, Ints, Mask, Rounds
from faultline_collector.worlds.scenario import Fault, From, Scenario, What, courses

_TOLD_WITHIN_S = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Silence:
    """By probe: whether its agent is not heard then, and when it is heard again (seconds); inf: never."""

    rows: Mask
    heard_s: Floats


def strike(
    rounds: Rounds, fleet: Fleet, scenario: Scenario, fault: Fault, random: np.random.Generator
) -> None:
    """Has the probes that a fault hits fail, or be slow."""
    hit = _touched(rounds, fleet, fault, random)
    hit &= _chance(rounds, fleet, scenario, fault, random) > random.random(len(rounds))
    rows = np.flatnonzero(hit)
    if fault.slower != 1.0:
        for name in ("connect", "tls", "first_byte"):
            rounds.phases[name][rows] *= fault.slower
        return
    words, weights = list(fault.how), np.array(list(fault.how.values()))
    codes = np.array([int(WORDS[word]) for word in words])
    outcomes = random.choice(codes, rows.size, p=weights / weights.sum())
    rounds.fail(rows, outcomes)
    http = rows[outcomes == int(WORDS["http"])]
    rounds.status[http] = random.choice(fault.statuses, http.size)
    rounds.status[rows[outcomes == int(WORDS["content"])]] = 200


def hush(
    rounds: Rounds, fleet: Fleet, scenario: Scenario, fault: Fault, random: np.random.Generator
) -> Silence:
    """Which probes of the fault's agents are not heard, and when they are heard after all.

    An agent is silent while the course is above a share of its own, drawn once: so agents fall silent and
    come back one after another, the same ones each time.
    """
    agents = _agents(fleet, fault.seen_from, random)
    own = random.random(len(fleet.agents))
    times = np.arange(0, int(scenario.length_s) + 1, dtype=float)
    share = np.interp(times, *courses(scenario, fault), left=0.0, right=0.0)
    rows = np.zeros(len(rounds), bool)
    heard = np.full(len(rounds), np.inf)
    for agent in np.flatnonzero(agents):
        silent = share > own[agent]
        back = _next_heard(silent, times)
        mine = np.flatnonzero(rounds.agent == agent)
        at = np.minimum(rounds.started_s[mine].astype(int), times.size - 1)
        rows[mine] = silent[at]
        heard[mine] = back[at] + random.uniform(0, _TOLD_WITHIN_S, mine.size)
    if fault.silent == "unwell":
        rounds.fail(rows, int(WORDS["inconclusive"]))
    return Silence(rows, heard if fault.silent != "lost" else np.full(len(rounds), np.inf))


def _next_heard(silent: Mask, times: Floats) -> Floats:
    """For every second the first that is not silent, from it on."""
    marks = np.where(silent, np.inf, times)
    return np.minimum.accumulate(marks[::-1])[::-1]


def _touched(rounds: Rounds, fleet: Fleet, fault: Fault, random: np.random.Generator) -> Mask:
    agents = _agents(fleet, fault.seen_from, random)
    targets = _targets(fleet, fault.what, random)
    return agents[rounds.agent] & targets[rounds.target]


def _chance(
    rounds: Rounds, fleet: Fleet, scenario: Scenario, fault: Fault, random: np.random.Generator
) -> Floats:
    times, shares = courses(scenario, fault)
    chance = np.interp(rounds.started_s, times, shares, left=0.0, right=0.0)
    delay = random.uniform(0, fault.spread.total_seconds(), len(fleet.agents))
    return np.where(rounds.started_s >= times[0] + delay[rounds.agent], chance, 0.0)


def _agents(fleet: Fleet, chosen: From, random: np.random.Generator) -> Mask:
    """A share of the agents that are meant, but two at least, or all: what hits nobody is no fault."""
    drawn = random.random(len(fleet.agents))
    meant = np.array([_is_from(agent, chosen) for agent in fleet.agents])
    second = np.sort(np.where(meant, drawn, 1.0))[:2].max(initial=0.0)
    chosen_ones: Mask = meant & ((drawn < chosen.share) | (drawn <= second))
    return chosen_ones


def _is_from(agent: Agent, chosen: From) -> bool:
    return (
        (not chosen.regions or agent.region in chosen.regions)
        and (not chosen.countries or agent.country in chosen.countries)
        and (not chosen.asns or agent.asn in chosen.asns)
        and (not chosen.agents or agent.id in chosen.agents)
        and (not chosen.ca_bundle or agent.ca_bundle == chosen.ca_bundle)
    )


def _targets(fleet: Fleet, chosen: What, random: np.random.Generator) -> Mask:
    drawn = random.random(len(fleet.targets)) < chosen.share
    chosen_ones: Mask = drawn & np.array([_is_what(target, chosen) for target in fleet.targets])
    return chosen_ones


def _is_what(target: Target, chosen: What) -> bool:
    return (
        (not chosen.services or target.service in chosen.services)
        and (not chosen.components or target.component in chosen.components)
        and (not chosen.providers or target.provider in chosen.providers)
    )


def own_clocks(agents: int, random: np.random.Generator) -> Floats:
    """How far each agent's clock is off, seconds: a little, and one in thirty badly."""
    off = random.normal(0, 0.05, agents)
    bad = random.random(agents) < 0.03
    off[bad] = random.normal(0, 20, int(bad.sum()))
    return off


def numbered(agent: Ints, started_s: Floats) -> Ints:
    """Each probe's sequence, from 1, by agent in order of its start."""
    order = np.lexsort((started_s, agent))
    first = np.searchsorted(agent[order], np.arange(int(agent.max(initial=0)) + 1))
    out = np.empty(agent.size, np.int64)
    out[order] = np.arange(agent.size) - first[agent[order]] + 1
    return out
