"""Putting notices to work: the outbox takes part in keeping outages, the courier empties it."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from faultline_collector.metrics import Metrics
from faultline_collector.notify.courier import Courier
from faultline_collector.notify.metrics import NoticeMetrics
from faultline_collector.notify.outbox import Outbox
from faultline_collector.outages import Outage
from faultline_collector.registry.registry import Registry
from faultline_collector.roster import Roster


def open_courier(registry: Registry, roster: Roster, metrics: Metrics, now_us: Callable[[], int]) -> Courier:
    """The courier of a collector; from now on what the registry keeps makes notices."""
    counts = NoticeMetrics(metrics.registry)
    outbox = Outbox(registry.engine, counts.count)

    def step(session: Session, before: Outage | None, after: Outage) -> None:
        outbox.take(
            session, before, after, fleet=roster.fleet, settings=roster.config.notify, now_us=now_us()
        )

    registry.steps.append(step)
    return Courier(outbox, lambda: roster.config.notify, now_us, counts.waits)
