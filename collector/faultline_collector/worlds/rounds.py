"""Every probe of a made-up world as columns: when it starts, how it ends, how long its phases take."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from faultline.outcomes import Outcome
from faultline_collector.fleet import Fleet

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

PHASES = ("dns", "connect", "tls", "first_byte")
TIMEOUT_MS = 10_000.0

_KM_A_MS = 200.0
"""Light in glass, kilometres a millisecond."""
_DETOUR = 1.4
_EDGE_KM = 400.0
_EARTH_KM = 12_742.0


@dataclass(slots=True, eq=False)
class Rounds:
    """Probes by cell (agent x target), then by round; times in seconds since the start, phases in ms.

    `per_cell` rounds belong to each cell, so that cell c's are `c * per_cell : (c + 1) * per_cell`. Faults
    and noise write into `outcome`, `status` and the phases.
    """

    per_cell: int
    agent: Ints
    target: Ints
    started_s: Floats
    outcome: npt.NDArray[np.uint8]
    status: npt.NDArray[np.uint16]
    phases: dict[str, Floats]

    def __len__(self) -> int:
        return int(self.agent.size)

    def fail(self, rows: npt.NDArray[Any], outcome: "int | npt.NDArray[Any]", status: int = 0) -> None:
        """Has rows (a mask or numbers) end so."""
        self.outcome[rows] = outcome
        self.status[rows] = status

    @property
    def reached(self) -> dict[str, Mask]:
        """Which phases were reached, by the outcome."""
        out = self.outcome
        dns = out != Outcome.DNS
        connect = dns & (out != Outcome.CONNECT) & (out != Outcome.TIMEOUT) & (out != Outcome.INCONCLUSIVE)
        tls = connect & (out != Outcome.TLS)
        return {"dns": dns, "connect": connect, "tls": tls, "first_byte": tls}

    def total_ms(self) -> Floats:
        """How long each probe took."""
        total = sum((np.where(mask, self.phases[n], 0.0) for n, mask in self.reached.items()), np.array(1.0))
        late = (self.outcome == Outcome.TIMEOUT) | (self.outcome == Outcome.INCONCLUSIVE)
        return np.where(late, TIMEOUT_MS, total)


def healthy_rounds(fleet: Fleet, length_s: float, random: np.random.Generator) -> Rounds:
    """All probes of a fleet in which nothing breaks: random phases, jitter, times by distance and access."""
    agents, targets = len(fleet.agents), len(fleet.targets)
    interval_s = max(target.interval_s for target in fleet.targets)
    per_cell, cells = int(length_s // interval_s), agents * targets
    phase = random.uniform(0, interval_s, (cells, 1))
    jitter = random.normal(0, 0.02 * interval_s, (cells, per_cell))
    started = np.clip(phase + np.arange(per_cell) * interval_s + jitter, 0, length_s - 1e-3).reshape(-1)
    agent = np.repeat(np.arange(agents), targets * per_cell)
    target = np.tile(np.repeat(np.arange(targets), per_cell), agents)
    unit = np.repeat(_round_trip_ms(fleet, random).reshape(-1), per_cell)
    unit *= 1 + 0.08 * np.sin(2 * np.pi * started / 86_400 + agent)
    n = agent.size

    def shaken(sigma: float) -> Floats:
        return unit * random.lognormal(0, sigma, n)

    return Rounds(
        per_cell=per_cell,
        agent=agent,
        target=target,
        started_s=started,
        outcome=np.full(n, int(Outcome.OK), np.uint8),
        status=np.full(n, 200, np.uint16),
        phases={
            "dns": 3 + 0.3 * shaken(0.5),
            "connect": shaken(0.12),
            "tls": 2 + shaken(0.15),
            "first_byte": shaken(0.15) + 12 * random.lognormal(0, 0.5, n),
        },
    )


def _round_trip_ms(fleet: Fleet, random: np.random.Generator) -> Floats:
    """The usual round trip of each agent (row) to each target (column)."""
    places = {region.id: (region.latitude, region.longitude) for region in fleet.regions}
    here = np.radians([(a.latitude, a.longitude) for a in fleet.agents])[:, None, :]
    there = np.radians([places.get(t.home_region, (0.0, 0.0)) for t in fleet.targets])[None, :, :]
    d = there - here
    a = np.sin(d[..., 0] / 2) ** 2 + np.cos(here[..., 0]) * np.cos(there[..., 0]) * np.sin(d[..., 1] / 2) ** 2
    km = _EARTH_KM * np.arcsin(np.sqrt(a))
    km = np.where([t.home_region in places for t in fleet.targets], km, _EDGE_KM)
    access = random.lognormal(np.log(8), 0.6, (len(fleet.agents), 1))
    return km / _KM_A_MS * 2 * _DETOUR + access + 1
