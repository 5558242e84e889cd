"""How every service stands from every region: what is fresh, and what the open outages say of it."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from faultline.outcomes import Outcome
from faultline_collector.correlate.cells import NEVER, OUTCOME, ROUNDS, Cells
from faultline_collector.correlate.engine import Health, Standing
from faultline_collector.correlate.layout import Layout
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import Mask

FRESH_INTERVALS = 3
"""How old the newest round of a cell may be to tell anything, in intervals."""
_HEALTHS = (Health.OK, Health.SUSPECTED, Health.DEGRADED, Health.DOWN, Health.LEARNING, Health.UNKNOWN)
_LEARNING, _UNKNOWN = 4, 5
_OF_SERVICES = (Scope.GLOBAL, Scope.REGIONAL, Scope.PROVIDER)

Counts = npt.NDArray[np.int64]


def standings(layout: Layout, cells: Cells, outages: Iterable[Outage], now_us: int) -> tuple[Standing, ...]:
    """Every service from every region; unknown where no agent has a fresh result of any of its targets.

    Learning where nothing is out and most of those agents have had too few rounds to know what is usual.
    """
    if not layout.agent_ids or not layout.target_ids:
        return ()
    everything = np.arange(cells.head.size)
    last = cells.last_us(everything).reshape(layout.shape)
    fresh = (last != NEVER) & (now_us - last <= FRESH_INTERVALS * layout.interval_us)
    newest = cells.rounds[everything, cells.head % ROUNDS].reshape(layout.shape) & OUTCOME
    seen = _agents(layout, fresh)
    failing = _agents(layout, fresh & (newest > Outcome.OK))
    knowing = _agents(layout, fresh & ~cells.learning(everything).reshape(layout.shape))
    worst = _worst(layout, outages)
    quiet = np.where(seen == 0, _UNKNOWN, np.where(2 * knowing < seen, _LEARNING, worst))
    told = np.where((worst > 0) & (seen > 0), worst, quiet)
    return tuple(
        Standing(
            name,
            place,
            _HEALTHS[told[region, service]],
            int(seen[region, service]),
            int(failing[region, service]),
        )
        for service, name in enumerate(layout.services)
        for region, place in enumerate(layout.regions)
    )


def _agents(layout: Layout, cells: Mask) -> Counts:
    """How many agents have any such cell, by region and service: [regions, services]."""
    order = np.argsort(layout.service, kind="stable")
    starts = np.searchsorted(layout.service[order], np.arange(len(layout.services)))
    of_service = np.logical_or.reduceat(cells[:, order], starts, axis=1)
    return (layout.in_region @ of_service).astype(np.int64)


def _worst(layout: Layout, outages: Iterable[Outage]) -> Counts:
    """The place in `_HEALTHS` of the worst that outages of services say: [regions, services]."""
    worst = np.zeros((len(layout.regions), len(layout.services)), np.int64)
    for outage in outages:
        if outage.scope not in _OF_SERVICES:
            continue
        columns = [layout.columns[t] for t in outage.target_ids if t in layout.columns]
        regions = np.isin(layout.regions, outage.regions)
        touched = np.ix_(np.flatnonzero(regions), np.unique(layout.service[columns]))
        worst[touched] = np.maximum(worst[touched], _HEALTHS.index(_health(outage)))
    return worst


def _health(outage: Outage) -> Health:
    if outage.state is State.SUSPECTED:
        return Health.SUSPECTED
    return Health.DOWN if outage.severity == "down" else Health.DEGRADED
