"""Agents that come and go: what is told of networks that go dark meanwhile, and what wrongly.

Worlds drawn by seed; each agent is lost many times a day, some a hundred times as often as others.
"""

import sys

from faultline_collector.outages import Scope
from faultline_collector.worlds.draw import draw_scenario
from faultline_collector.worlds.making import World, make_world
from tests.bench.duel import told_by_faultline
from tests.bench.rows import Row
from tests.bench.scoring import Said, Score

SEEDS = (9201, 9202, 9203, 9204)
FAULTS = ("dark-network", "access", "dark-network", "network", "dark-network")
LOST_A_DAY = 12.0
"""How often an agent is lost; so much that some hours hold what otherwise takes weeks."""


def lone(said: list[Said]) -> int:
    """Agents told by themselves."""
    return sum(one.scope is Scope.AGENT for one in said)


def days(world: World) -> float:
    """How long all agents were watched together, days."""
    return len(world.fleet.agents) * world.scenario.length_s / 86_400


def run() -> list[Row]:
    score, alone, watched = Score(), 0, 0.0
    for seed in SEEDS:
        world = make_world(draw_scenario(seed, FAULTS, churn=LOST_A_DAY))
        said = told_by_faultline(world)
        score.add(world, said)
        alone += lone(said)
        watched += days(world)
        print(f"  seed {seed}: {score.right} of {score.faults} right, {score.false} false", file=sys.stderr)
    return [
        {"name": "found", "value": score.found, "unit": f"of {score.faults} faults"},
        {"name": "right scope and subject", "value": score.right, "unit": f"of {score.faults} faults"},
        {"name": "false, wider than an agent", "value": score.false, "unit": f"in {watched:.0f} agent-days"},
        {"name": "agents told alone", "value": alone, "unit": f"of {LOST_A_DAY * watched:.0f} times lost"},
    ]
