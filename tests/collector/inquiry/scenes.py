"""A fleet and its outages, for the tests of what is asked of whom."""

from dataclasses import replace

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.fleet import Agent, Fleet, Region, Target
from faultline_collector.inquiry.inquirer import Inquirer
from faultline_collector.inquiry.witnesses import Witnesses
from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.results import ResultBatch, Source

NOW_US = 1_800_000_000_000_000
SECOND_US, MINUTE_US, HOUR_US = 1_000_000, 60_000_000, 3_600_000_000

REGIONS = ("east", "north", "south", "west")
ASNS = (64500, 64501, 64502)
AGENTS = tuple(Agent(f"{region}-{asn}", region, "IN", asn) for region in REGIONS for asn in ASNS)
TARGETS = (
    Target("a-web", "a", "web", "edge", "http", 30.0),
    Target("a-api", "a", "api", "edge", "http", 30.0),
    Target("b-web", "b", "web", "edge", "http", 30.0),
    Target("c-web", "c", "web", "", "http", 30.0),
    Target("d-web", "d", "web", "", "http", 30.0, regions=("east",)),
)
FLEET = Fleet(
    regions=tuple(Region(region, region, "IN", 0.0, 0.0) for region in REGIONS),
    agents=AGENTS,
    targets=TARGETS,
)
EVERYONE = frozenset(agent.id for agent in AGENTS)


def outage(outage_id: str = "o-1", **changes: object) -> Outage:
    """A suspicion of now: service a fails in the east through one network."""
    plain = Outage(
        id=outage_id,
        state=State.SUSPECTED,
        scope=Scope.REGIONAL,
        subject=Subject("service", "a"),
        target_ids=("a-api", "a-web"),
        regions=("east",),
        asns=(64500,),
        layer="connect",
        severity="down",
        confidence=0.9,
        onset_us=NOW_US - SECOND_US,
        onset_after_us=NOW_US - MINUTE_US,
        onset_before_us=NOW_US - SECOND_US,
        detected_us=NOW_US,
        why="It fails.",
        changed_us=NOW_US,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def results(*rows: tuple[str, str, Outcome], at_us: int = NOW_US, attempt: int = 0) -> ResultBatch:
    """Results of these agents and targets that began at that time."""
    agents = list(dict.fromkeys(agent for agent, _, _ in rows))
    targets = list(dict.fromkeys(target for _, target, _ in rows))
    n = len(rows)
    return ResultBatch(
        sources=tuple(Source(agent, "spool") for agent in agents),
        source=np.array([agents.index(agent) for agent, _, _ in rows], np.int32),
        target_ids=tuple(targets),
        target=np.array([targets.index(target) for _, target, _ in rows], np.int32),
        sequence=np.arange(1, n + 1, dtype=np.uint64),
        started_us=np.full(n, at_us, np.int64),
        offset_us=np.zeros(n, np.int64),
        received_us=np.full(n, at_us, np.int64),
        attempt=np.full(n, attempt, np.uint8),
        outcome=np.array([int(outcome) for _, _, outcome in rows], np.uint8),
        status=np.zeros(n, np.uint16),
        family=np.full(n, 4, np.uint8),
        flags=np.zeros(n, np.uint8),
        timings_us={"total": np.full(n, 1000, np.int32)},
        details=(),
        detail=np.full(n, -1, np.int32),
    )


def heard(*failing: tuple[str, str], since_us: int = NOW_US - HOUR_US) -> Witnesses:
    """Witnesses that have heard all agents for an hour, and these fail now."""
    witnesses = Witnesses()
    witnesses.take(results(*((agent.id, "c-web", Outcome.OK) for agent in AGENTS), at_us=since_us))
    if failing:
        witnesses.take(results(*((agent, target, Outcome.CONNECT) for agent, target in failing)))
    return witnesses


def inquirer(witnesses: Witnesses, fleet: Fleet = FLEET, began_us: int = NOW_US - 24 * HOUR_US) -> Inquirer:
    """An inquirer that has run for a day, with a hold of 40 s."""
    return Inquirer(fleet, witnesses, 40 * SECOND_US, began_us)
