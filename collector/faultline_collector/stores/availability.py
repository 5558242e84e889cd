"""Availability counted in numpy. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.results import Int64, ResultBatch
from faultline_collector.stores.order import MINUTE_US, step_us
from faultline_collector.stores.store import AvailabilityCount, AvailabilityQuery


def count_availability(results: ResultBatch, query: AvailabilityQuery) -> list[AvailabilityCount]:
    """What `Store.availability` answers, for the results given."""
    target_names, targets = _places(results.target_ids, query.target_groups)
    agent_names, agents = _places([source.agent_id for source in results.sources], query.agent_groups)
    target, agent, judged = targets[results.target], agents[results.source], results.judged_us
    grouped = (target >= 0) & (agent >= 0)
    found = grouped & (judged >= query.since_us) & (judged < query.until_us)
    results, target, agent, judged = results.select(found), target[found], agent[found], judged[found]
    step = (judged - query.since_us) // step_us(query)
    steps = int(step.max(initial=0)) + 1
    cells, cell = np.unique((target * len(agent_names) + agent) * steps + step, return_inverse=True)
    unknown = (results.outcome == Outcome.INCONCLUSIVE) | ((results.flags & Flag.SATURATED) != 0)
    ok = ~unknown & (results.outcome == Outcome.OK)
    failed = ~unknown & ~ok
    oks, faileds, unknowns = (np.bincount(cell[mask], minlength=len(cells)) for mask in (ok, failed, unknown))
    known = _known_us(query, judged[~unknown], cells, cell[~unknown], cells % steps)
    return [
        AvailabilityCount(
            target_group=target_names[key // steps // len(agent_names)],
            agent_group=agent_names[key // steps % len(agent_names)],
            start_us=query.since_us + key % steps * step_us(query),
            ok=int(oks[i]),
            failed=int(faileds[i]),
            unknown=int(unknowns[i]),
            known_us=int(known[i]),
        )
        for i, key in enumerate(cells.tolist())
    ]


def _places(ids: Sequence[str], groups: Mapping[str, str]) -> tuple[list[str], Int64]:
    """The names of all groups in order, and the place of each id's group among them, -1 without one."""
    names = sorted(set(groups.values()))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[groups[i]] if i in groups else -1 for i in ids], np.int64)


def _known_us(query: AvailabilityQuery, judged: Int64, cells: Int64, cell: Int64, step: Int64) -> Int64:
    """Microseconds of each cell's step that lie in a minute with a result that tells something."""
    first = query.since_us // MINUTE_US
    minutes = (query.until_us - 1) // MINUTE_US - first + 1
    told = np.unique(cell * minutes + judged // MINUTE_US - first)
    cell, minute = told // minutes, told % minutes + first
    begin = np.maximum(minute * MINUTE_US, query.since_us + step[cell] * step_us(query))
    end = np.minimum((minute + 1) * MINUTE_US, query.since_us + (step[cell] + 1) * step_us(query))
    known = np.zeros(len(cells), np.int64)
    np.add.at(known, cell, np.minimum(end, query.until_us) - begin)
    return known
