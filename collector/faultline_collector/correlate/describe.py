"""A cause put into words: the outage as anyone may read it."""

from collections.abc import Sequence

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.causes import Cause
from faultline_collector.correlate.cells import OUTCOME, Cells
from faultline_collector.correlate.layout import Index, Layout
from faultline_collector.correlate.life import onset_of, outage_id
from faultline_collector.correlate.recent import Recent
from faultline_collector.correlate.why import evidence, family_of, layer_of, sentence
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.results import Mask


def describe(
    layout: Layout,
    cells: Cells,
    recent: Recent,
    cause: Cause,
    bad: Mask,
    lost: Sequence[Cause],
    now_us: int,
) -> Outage:
    """A cause as an outage that is suspected from now on; `bad` are the flat cells that failed."""
    failed_cells = np.flatnonzero(bad)
    failing = np.unique(failed_cells // layout.shape[1])
    healthy = np.setdiff1d(cause.agents, failing)
    failed = recent.started_us[bad[recent.cell] & (recent.started_us >= now_us - cause.window_us)]
    planned = layout.planned[np.ix_(cause.agents, cause.targets)] / layout.interval_us[cause.targets]
    onset = onset_of(failed, float(planned.sum()), now_us)
    layer = "latency" if cause.slow else layer_of(cause.layers)
    targets = tuple(sorted(layout.target_ids[t] for t in cause.targets))
    everywhere = cause.form.startswith("everywhere")
    seen = cause.agents if everywhere or cause.form == "somewhere" else failing
    regions = tuple(sorted({layout.regions[layout.region[a]] for a in seen}))
    asns = tuple(sorted({layout.asns[layout.network[a]] for a in failing}))
    service = [t for t in range(layout.shape[1]) if layout.service[t] == layout.service[cause.targets[0]]]
    partial = cause.scope in (Scope.GLOBAL, Scope.REGIONAL) and len(service) > cause.targets.size
    layers = np.bincount(recent.outcome[bad[recent.cell]], minlength=8)
    words = {layer if cause.slow else Outcome(o).word: int(n) for o, n in enumerate(layers) if n}
    return Outage(
        id=outage_id(cause.key, now_us),
        state=State.SUSPECTED,
        scope=cause.scope,
        subject=cause.subject,
        target_ids=targets,
        regions=regions,
        asns=asns,
        layer=layer,
        severity="down" if cause.rate > 0.6 and not (partial or cause.slow) else "degraded",
        confidence=float(1.0 - np.exp(-max(cause.score, 0.0))),
        onset_us=onset,
        onset_after_us=_last_success(cells, failed_cells, onset),
        onset_before_us=onset,
        detected_us=now_us,
        why=sentence(layout, cause, layer, failing, cause.agents, targets),
        family=family_of(layout, cause),
        changed_us=now_us,
        evidence=evidence(layout, cause, failing, healthy, words, lost[:5]),
    )


def _last_success(cells: Cells, cell: Index, onset_us: int) -> int:
    """When the last round before the onset went well on the cells that failed, or a round before it."""
    started = cells.started_us(cell)
    fine = (cells.rounds[cell] & OUTCOME == Outcome.OK) & (started < onset_us)
    if fine.any():
        return int(started[fine].max())
    return onset_us - int(cells.interval_us[cell % cells.targets].max())
