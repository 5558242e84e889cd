"""What is never an outage: lost packets, flaky paths, agents in trouble, changed routes, refusals.

Calibrated on 408,087 real RIPE Atlas pings and the connection records of their probes: 0.17 % lost, 61 % of
it in runs of three and more, a path's median 0.068 %; 0.92 lasting changes of the round trip a path and day,
4.5 ms at the median and 23 ms at p90; 0.022 gaps in an agent's record a day, 8, 12 and 40 minutes long.
"""

from dataclasses import dataclass

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.fleet import Fleet
from faultline_collector.worlds.rounds import Ints, Rounds
from faultline_collector.worlds.scenario import Noise

LAYERS = (Outcome.TIMEOUT, Outcome.CONNECT, Outcome.DNS, Outcome.TLS)
LAYER_SHARES = (0.55, 0.25, 0.15, 0.05)

SINGLE_MEDIAN, SINGLE_SIGMA = 0.0004, 1.0
"""Single losses of a path: a lognormal, mean 0.00066 = 39 % of 0.17 %."""
RUN_SHARE, RUN_ROUNDS, RUN_LOSS = 0.00104, 7.0, 0.9
"""Share of the rounds that are lost in runs, a run's mean length in rounds, and what is lost within one."""

AGENT_TROUBLES_AN_HOUR, AGENT_TROUBLE_S = 0.03, 35.0
ROUTE_CHANGES_A_DAY, ROUTE_MEDIAN_MS, ROUTE_SIGMA = 0.92, 4.5, 1.27
GAPS_A_DAY, GAP_S = 0.022, (480.0, 720.0, 2400.0)
CHURN_SIGMA, LOST_MEDIAN_S, LOST_SIGMA = 1.5, 720.0, 1.2
"""How far apart the rates of churn of agents are, and how long they are lost: lognormals."""
TAILS = 0.001
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Gap:
    """An agent that is not heard for a while; what it measured is lost."""

    agent: int
    begin_s: float
    end_s: float


def disturb(rounds: Rounds, fleet: Fleet, length_s: float, noise: Noise, random: np.random.Generator) -> None:
    """Writes the noise of a world into its probes."""
    cells = len(fleet.agents) * len(fleet.targets)
    _singles(rounds, cells, noise.level, random)
    _runs(rounds, cells, noise.level, random)
    _agents_in_trouble(rounds, len(fleet.agents), length_s, noise.level, random)
    _routes(rounds, cells, length_s, noise.level, random)
    tails = random.random(len(rounds)) < TAILS * noise.level
    rounds.phases["first_byte"][tails] *= random.uniform(2, 8, int(tails.sum()))
    if noise.wild:
        _wild(rounds, fleet, length_s, noise.wild, random)


def gaps(fleet: Fleet, length_s: float, noise: Noise, random: np.random.Generator) -> list[Gap]:
    """Agents that are not heard for a while, each for reasons of its own."""
    found = _usual_gaps(fleet, length_s, noise.level, random)
    return found + _churn(fleet, length_s, noise.churn, random) if noise.churn else found


def _churn(fleet: Fleet, length_s: float, a_day: float, random: np.random.Generator) -> list[Gap]:
    """Agents with bad access: how often differs by orders of magnitude."""
    often = a_day * random.lognormal(-(CHURN_SIGMA**2) / 2, CHURN_SIGMA, len(fleet.agents))
    found = []
    for agent, count in enumerate(random.poisson(often * length_s / _DAY_S)):
        for begin_s in random.uniform(0, length_s, count):
            end_s = begin_s + LOST_MEDIAN_S * random.lognormal(0, LOST_SIGMA)
            found.append(Gap(agent, float(begin_s), float(end_s)))
    return found


def _usual_gaps(fleet: Fleet, length_s: float, level: float, random: np.random.Generator) -> list[Gap]:
    count = random.poisson(GAPS_A_DAY * level * len(fleet.agents) * length_s / _DAY_S)
    agents = random.integers(0, len(fleet.agents), count)
    begins = random.uniform(0, length_s, count)
    spans = random.choice(GAP_S, count)
    return [Gap(int(a), float(b), float(b + s)) for a, b, s in zip(agents, begins, spans, strict=True)]


def _layers(count: int, random: np.random.Generator) -> Ints:
    return random.choice(np.array([int(layer) for layer in LAYERS]), count, p=LAYER_SHARES)


def _fail(rounds: Rounds, rows: Ints, random: np.random.Generator) -> None:
    rounds.fail(rows, _layers(rows.size, random))


def _singles(rounds: Rounds, cells: int, level: float, random: np.random.Generator) -> None:
    loss = (SINGLE_MEDIAN * level * random.lognormal(0, SINGLE_SIGMA, cells)).clip(0, 0.05)
    lost = random.random(len(rounds)) < np.repeat(loss, rounds.per_cell)
    _fail(rounds, np.flatnonzero(lost), random)


def _runs(rounds: Rounds, cells: int, level: float, random: np.random.Generator) -> None:
    """Losses that belong together, one layer a run."""
    count = random.poisson(RUN_SHARE * level * len(rounds) / (RUN_ROUNDS * RUN_LOSS))
    for cell in random.integers(0, cells, count):
        first = int(random.integers(0, rounds.per_cell))
        length = 3 + int(random.geometric(1 / (RUN_ROUNDS - 3)))
        rows = cell * rounds.per_cell + np.arange(first, min(first + length, rounds.per_cell))
        rows = rows[random.random(rows.size) < RUN_LOSS]
        rounds.fail(rows, int(_layers(1, random)[0]))


def _agents_in_trouble(
    rounds: Rounds, agents: int, length_s: float, level: float, random: np.random.Generator
) -> None:
    """Half a minute in which an agent's own access fails, in mixed ways."""
    a_row = len(rounds) // agents
    for _ in range(random.poisson(AGENT_TROUBLES_AN_HOUR * level * agents * length_s / 3600)):
        agent, begin = int(random.integers(0, agents)), random.uniform(0, length_s)
        end = begin + random.exponential(AGENT_TROUBLE_S)
        started = rounds.started_s[agent * a_row : (agent + 1) * a_row]
        rows = agent * a_row + np.flatnonzero((started >= begin) & (started < end))
        _fail(rounds, rows[random.random(rows.size) < random.uniform(0.2, 0.9)], random)


def _routes(rounds: Rounds, cells: int, length_s: float, level: float, random: np.random.Generator) -> None:
    """Lasting changes of the way to a target."""
    for _ in range(random.poisson(ROUTE_CHANGES_A_DAY * level * cells * length_s / _DAY_S)):
        cell, at = int(random.integers(0, cells)), int(random.integers(0, rounds.per_cell))
        rows = slice(cell * rounds.per_cell + at, (cell + 1) * rounds.per_cell)
        shift = ROUTE_MEDIAN_MS * random.lognormal(0, ROUTE_SIGMA) * random.choice((-1, 1))
        for name in ("connect", "tls", "first_byte"):
            rounds.phases[name][rows] = np.maximum(rounds.phases[name][rows] + shift, 0.5)


def _wild(rounds: Rounds, fleet: Fleet, length_s: float, wild: float, random: np.random.Generator) -> None:
    """Odd statuses, heavy tails, and single vantages that one service refuses for an hour."""
    odd = np.flatnonzero(random.random(len(rounds)) < 0.0006 * wild)
    rounds.fail(odd, int(Outcome.HTTP))
    rounds.status[odd] = random.choice((429, 403, 500, 503), odd.size)
    tails = random.random(len(rounds)) < 0.004 * wild
    rounds.phases["first_byte"][tails] *= random.uniform(2, 12, int(tails.sum()))
    services = np.array([target.service for target in fleet.targets])
    for agent in np.flatnonzero(random.random(len(fleet.agents)) < 0.05 * wild):
        refused = services == random.choice(services)
        begin = random.uniform(0, length_s)
        rows = (rounds.agent == agent) & refused[rounds.target]
        rows &= (rounds.started_s >= begin) & (rounds.started_s < begin + 3600)
        rounds.fail(rows, int(Outcome.HTTP), 403)
