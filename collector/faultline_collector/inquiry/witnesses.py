"""Who failed lately at which target, and since when each agent is heard: bounded, whatever comes."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.results import Mask, ResultBatch

MOST_TARGETS, MOST_AGENTS = 2_000, 200
"""Most targets that are remembered, and agents of each: the newest."""

MOST_ROWS = 500
"""Most rows of one batch that are looked at, spread evenly: nobody asks more agents than that."""

MOST_HEARD = 20_000
"""Most agents of which is known since when they are heard."""


class Witnesses:
    """Takes results as they become durable; times in microseconds since 1970, collector's clock."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()
        self._fine: dict[tuple[str, str], int] = {}
        self._heard: dict[str, int] = {}

    def take(self, results: ResultBatch) -> None:
        """Notes whose first attempts failed, and who of them is fine again."""
        for source in np.unique(results.source).tolist():
            agent_id = results.sources[source].agent_id
            if agent_id not in self._heard and len(self._heard) < MOST_HEARD:
                self._heard[agent_id] = int(results.received_us[-1])
        first = results.attempt == 0
        failed = (results.outcome != Outcome.OK) & (results.outcome != Outcome.INCONCLUSIVE)
        for target_id, agent_id, at_us in _some(results, failed & first):
            self._note_failed(target_id, agent_id, at_us)
        bad = np.array([target_id in self._failed for target_id in results.target_ids], bool)
        if bad.any():
            for target_id, agent_id, at_us in _some(
                results, (results.outcome == Outcome.OK) & bad[results.target]
            ):
                if at_us > self._failed[target_id].get(agent_id, at_us):
                    self._fine[target_id, agent_id] = at_us

    def _note_failed(self, target_id: str, agent_id: str, at_us: int) -> None:
        self._fine.pop((target_id, agent_id), None)
        agents = self._failed.setdefault(target_id, OrderedDict())
        agents[agent_id] = max(at_us, agents.get(agent_id, at_us))
        agents.move_to_end(agent_id)
        self._failed.move_to_end(target_id)
        if len(agents) > MOST_AGENTS:
            self._fine.pop((target_id, agents.popitem(last=False)[0]), None)
        if len(self._failed) > MOST_TARGETS:
            old, gone = self._failed.popitem(last=False)
            for agent_id in gone:
                self._fine.pop((old, agent_id), None)

    def failing(self, target_ids: Iterable[str], since_us: int) -> dict[str, str]:
        """The agents that failed at one of these targets since then, each with such a target."""
        return {
            agent_id: target_id
            for target_id in target_ids
            for agent_id, at_us in self._failed.get(target_id, {}).items()
            if at_us >= since_us
        }

    def recovered(self, target_ids: Iterable[str], since_us: int) -> set[str]:
        """Of those that failed since then: who is fine again at one of these targets."""
        return {
            agent_id
            for target_id in target_ids
            for agent_id, at_us in self._failed.get(target_id, {}).items()
            if at_us >= since_us and (target_id, agent_id) in self._fine
        }

    def heard_since_us(self, agent_id: str) -> int | None:
        """When the first result of this agent came; None for never."""
        return self._heard.get(agent_id)


def _some(results: ResultBatch, mask: Mask) -> Iterator[tuple[str, str, int]]:
    """Target, agent and start of these rows, or of some of them."""
    rows = np.flatnonzero(mask)
    if rows.size > MOST_ROWS:
        rows = rows[np.linspace(0, rows.size - 1, MOST_ROWS).astype(np.intp)]
    columns = (results.target[rows], results.source[rows], results.judged_us[rows])
    for target, source, at_us in zip(*(column.tolist() for column in columns), strict=True):
        yield results.target_ids[target], results.sources[source].agent_id, at_us
