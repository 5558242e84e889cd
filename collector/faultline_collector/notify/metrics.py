"""What the collector counts of its notices."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from faultline_collector.notify.fate import Fate


class NoticeMetrics:
    """Counters and gauges of notices by receiver, in the collector's registry of metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._notices = Counter(
            "faultline_notices", "Notices by receiver and fate", ["receiver", "fate"], registry=registry
        )
        self._waiting = Gauge(
            "faultline_notices_waiting", "Notices that wait or are held", ["receiver"], registry=registry
        )
        self._oldest = Gauge(
            "faultline_notices_oldest_seconds", "Age of the oldest of them", ["receiver"], registry=registry
        )

    def count(self, receiver: str, fate: Fate) -> None:
        """Counts one notice that has reached its fate."""
        self._notices.labels(receiver, fate.value).inc()

    def waits(self, receiver: str, many: int, oldest_s: float) -> None:
        """Notes what waits for a receiver."""
        self._waiting.labels(receiver).set(many)
        self._oldest.labels(receiver).set(oldest_s)
