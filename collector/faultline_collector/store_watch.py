"""How a store on another machine stands, noted for /healthz and /metrics."""

from faultline_collector.api.health import Health
from faultline_collector.metrics import Metrics
from faultline_collector.stores.remote import RemoteStore
from faultline_collector.stores.store import Store


class StoreWatch:
    """Looks at a store, when there is something to look at: one in this process is never away."""

    def __init__(self, store: Store, health: Health, metrics: Metrics) -> None:
        self._store = store if isinstance(store, RemoteStore) else None
        self._health = health
        self._metrics = metrics

    def look(self) -> None:
        """Notes how the store stands now."""
        if self._store is None:
            return
        standing = self._store.standing()
        self._health.store_away = standing.problem
        self._metrics.store_up.set(not standing.problem)
        self._metrics.outbox_results.set(standing.waiting_results)
        self._metrics.outbox_bytes.set(standing.outbox_bytes)
        self._metrics.unheard_outages.set(standing.unheard)
        for reason, number in standing.refused.items():
            self._metrics.refused_points.labels(reason).set(number)
