"""What else could make an agent's rounds fail: a flaky path, a refused vantage, a bad minute of the agent.

A cell or an agent gives a wider cause only what exceeds its own best explanation; most false alarms die here.
"""

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.evidence import RATE_COST, Block, Floats
from faultline_collector.correlate.layout import Index, Layout
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import Costs
from faultline_collector.results import Mask

BURST_RATES = np.array([0.2, 0.5, 0.9])
BURST_WINDOWS_S = np.array([3.0, 6.0, 12.0, 25.0, 50.0, 100.0])
"""A bad minute of an agent ends by itself."""
BURST_MEAN_S = 35.0
FLAKY_RATE = 0.5


def bursts(
    layout: Layout, base: Baselines, recent: Recent, now_us: int, masked: Mask, costs: Costs
) -> Floats:
    """Per agent, how well a bad minute of its own explains its failures; nats, 0 where it does not."""
    agents, targets = layout.shape
    out = np.zeros(agents)
    use = ~masked[recent.cell]
    cell, age_s = recent.cell[use], (now_us - recent.started_us[use]) / 1e6
    near = age_s <= BURST_WINDOWS_S[-1]
    cell, age_s = cell[near], np.maximum(age_s[near], 0)
    if not cell.size:
        return out
    rows, agent = np.unique(cell // targets, return_inverse=True)
    width = BURST_WINDOWS_S.size
    bins = agent * width + np.searchsorted(BURST_WINDOWS_S, age_s)
    failed = np.bincount(bins, minlength=rows.size * width).reshape(-1, width).cumsum(axis=1)
    surprise = np.bincount(bins, weights=base.surprise[cell], minlength=rows.size * width)
    value = surprise.reshape(-1, width).cumsum(axis=1)
    open_cells = ~masked.reshape(agents, targets)[rows] & layout.planned[rows]
    rate = (open_cells / (layout.interval_us / 1e6)).sum(axis=1)
    fine = np.maximum(rate[:, None] * BURST_WINDOWS_S - failed, 0)
    ratio = (
        value[..., None]
        + failed[..., None] * np.log(BURST_RATES)
        + fine[..., None] * np.log1p(-BURST_RATES)
        - (BURST_WINDOWS_S / BURST_MEAN_S)[None, :, None]
    )
    out[rows] = np.maximum(ratio.max(axis=(1, 2)) - costs.agent_burst, 0)
    return out


def flaky(block: Block, columns: Index | slice, costs: Costs) -> Floats:
    """Per agent of a block, how well flaky paths explain the failures of some targets; nats."""
    failed, fine = block.failed[:, columns], block.fine[:, columns]
    ratio = block.surprise[:, columns] + (failed + fine) * np.log(FLAKY_RATE)
    out: Floats = np.maximum(ratio.max(axis=2) - costs.flaky_cell, 0).sum(axis=1)
    return out


def alone(ratio: Floats, cost: float) -> Floats:
    """Per agent, how well its own failing of all that `ratio` covers explains it; nats."""
    out: Floats = np.maximum((ratio - RATE_COST).max(axis=(1, 2)) - cost, 0)
    return out
