"""How many probes may be asked for beyond the schedule: a share of the regular ones over any hour. Pure."""

from collections import Counter, deque
from collections.abc import Mapping

from faultline_collector.fleet import Fleet

HOUR_US = 3600 * 1_000_000

FLEET_SHARE = 0.05
"""Most that is asked of all agents together over any hour, of what they probe by themselves."""

AGENT_SHARE = 0.2
"""The same of one agent."""


class Budget:
    """Counts what was granted, each grant until an hour after its last probe may have run.

    So whatever hour one looks at, all that could run in it was counted when the last of it was granted. What
    the regular probes earn is counted from `began_us` on: of the time before nothing is known.
    """

    def __init__(self, began_us: int) -> None:
        self._began_us = began_us
        self._grants: deque[tuple[int, str, int]] = deque()
        self._granted: Counter[str] = Counter()
        self._total = 0

    def left(self, hourly: Mapping[str, float], now_us: int) -> int:
        """Probes that all agents may still be asked for; `hourly` says what each there probes by itself."""
        self._forget(now_us)
        return self._earned(sum(hourly.values()), FLEET_SHARE, now_us) - self._total

    def left_of(self, agent_id: str, hourly: Mapping[str, float], now_us: int) -> int:
        """Probes that one of them may still be asked for."""
        mine = self._earned(hourly.get(agent_id, 0.0), AGENT_SHARE, now_us) - self._granted[agent_id]
        return min(mine, self.left(hourly, now_us))

    def grant(self, agent_id: str, probes: int, until_us: int) -> None:
        """Counts probes that one agent is asked for and may run until then."""
        self._grants.append((until_us + HOUR_US, agent_id, probes))
        self._granted[agent_id] += probes
        self._total += probes

    def _earned(self, hourly: float, share: float, now_us: int) -> int:
        known = min(max(now_us - self._began_us, 0) / HOUR_US, 1.0)
        return int(hourly * share * known)

    def _forget(self, now_us: int) -> None:
        while self._grants and self._grants[0][0] < now_us:
            _, agent_id, probes = self._grants.popleft()
            self._total -= probes
            self._granted[agent_id] -= probes
            if not self._granted[agent_id]:
                del self._granted[agent_id]


def hourly_probes(fleet: Fleet) -> dict[str, float]:
    """What an agent of each region probes in an hour, without retries."""
    return {
        region.id: sum(
            3600 / target.interval_s
            for target in fleet.targets
            if not target.regions or region.id in target.regions
        )
        for region in fleet.regions
    }
