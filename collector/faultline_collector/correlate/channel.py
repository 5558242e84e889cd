"""A channel: one kind of trouble, failing or slowness, with its own baselines, news and explanations."""

from dataclasses import dataclass

from faultline_collector.correlate.baselines import Baselines
from faultline_collector.correlate.cells import Cells
from faultline_collector.correlate.explain import Explainer
from faultline_collector.correlate.gate import Gate
from faultline_collector.correlate.groups import Groups
from faultline_collector.correlate.layout import Layout
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.settings import EngineSettings


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """What one kind of trouble is judged by; both read the same cells."""

    slow: bool
    base: Baselines
    recent: Recent
    gate: Gate
    explainer: Explainer


def channels(layout: Layout, settings: EngineSettings, cells: Cells) -> tuple[Channel, Channel]:
    """Failing, and slowness."""
    agents, targets = layout.shape
    groups = Groups(layout)
    found = []
    for slow in (False, True):
        base = Baselines(agents, targets, settings, slow=slow)
        explainer = Explainer(layout, groups, settings, cells, base)
        gate = Gate(groups, settings, base)
        found.append(Channel(slow, base, Recent(), gate, explainer))
    return found[0], found[1]
