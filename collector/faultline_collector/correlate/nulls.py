"""What else could make an agent's rounds fail: a flaky path, a refused vantage, a bad minute of the agent.

A cell or an agent gives a wider cause only what exceeds its own best explanation; most false alarms die here.
"""

import numpy as np

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.evidence import LOG_FAIL, LOG_OK, RATE_COST, Block
from faultline_collector.correlate.layout import Floats, Index, Layout
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import Costs
from faultline_collector.results import Mask

BURST_MEAN_US = 35e6
"""How long a bad minute of an agent lasts; longer ones cost a nat for each such time."""
FLAKY_RATE = 0.5


def bursts(
    layout: Layout,
    base: Baselines,
    recent: Recent,
    now_us: int,
    masked: Mask,
    windows_us: Floats,
    costs: Costs,
) -> Floats:
    """Per agent, how well a bad minute of its own explains its failures; nats, 0 where it does not."""
    agents, targets = layout.shape
    out = np.zeros(agents)
    use = ~masked[recent.cell]
    cell, age = recent.cell[use], np.maximum(now_us - recent.started_us[use], 0)
    near = age <= windows_us[-1]
    cell, age = cell[near], age[near]
    if not cell.size:
        return out
    rows, agent = np.unique(cell // targets, return_inverse=True)
    width = windows_us.size
    bins = np.searchsorted(windows_us, age) * rows.size + agent
    failed = np.bincount(bins, minlength=rows.size * width).reshape(width, -1).cumsum(axis=0)
    surprise = np.bincount(bins, weights=base.surprise(cell), minlength=rows.size * width)
    value = surprise.reshape(width, -1).cumsum(axis=0)
    open_cells = ~masked.reshape(agents, targets)[rows] & layout.planned[rows]
    rate = (open_cells / layout.interval_us).sum(axis=1)
    fine = np.maximum(windows_us[:, None] * rate - failed, 0)
    out[rows] = burst(value, failed, fine, windows_us, costs)
    return out


def burst(surprise: Floats, failed: Floats, fine: Floats, windows_us: Floats, costs: Costs) -> Floats:
    """How well a bad minute explains counts [windows, agents]: any share of failures, of any layer; nats."""
    ratio = surprise[:, None] + failed[:, None] * LOG_FAIL[:, None] + fine[:, None] * LOG_OK[:, None]
    ratio -= (windows_us / BURST_MEAN_US)[:, None, None]
    out: Floats = np.maximum(ratio.max(axis=(0, 1)) - costs.agent_burst, 0)
    return out


def flaky(block: Block, columns: Index, costs: Costs) -> Floats:
    """Per agent of a block, how well flaky paths explain the failures of some targets; nats."""
    rounds = block.failed[:, columns] + block.fine[:, columns]
    ratio = block.surprise[:, columns] + rounds * np.log(FLAKY_RATE)
    out: Floats = np.maximum(ratio.max(axis=0) - costs.flaky_cell, 0).sum(axis=0)
    return out


def alone(ratio: Floats, cost: float) -> Floats:
    """Per agent, how well its own failing of all that `ratio` covers explains it; nats."""
    out: Floats = np.maximum((ratio - RATE_COST[:, None]).max(axis=(0, 1)) - cost, 0)
    return out
