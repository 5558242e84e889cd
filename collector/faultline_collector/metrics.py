"""What the collector counts of itself, as Prometheus metrics in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_TICK_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


class Metrics:
    """Counters and gauges of one collector; `text` is what /metrics serves."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ingest(self.registry)
        self._store(self.registry)
        self._judgement(self.registry)
        self._fleet(self.registry)
        self._ways(self.registry)

    def _ingest(self, own: CollectorRegistry) -> None:
        self.results = Counter("faultline_results", "Results by fate", ["fate"], registry=own)
        self.rejected = Counter("faultline_rejected_results", "Rejected results", ["reason"], registry=own)
        self.dropped = Counter("faultline_dropped_results", "Dropped by agents", ["reason"], registry=own)
        self.batches = Counter("faultline_batches", "Batches received", ["lane"], registry=own)
        self.sessions = Gauge("faultline_sessions", "Open agent sessions", registry=own)
        self.refused = Counter("faultline_refused_sessions", "Refused sessions", ["reason"], registry=own)
        self.queue = Gauge("faultline_ingest_queue_results", "Results waiting to be stored", registry=own)

    def _store(self, own: CollectorRegistry) -> None:
        self.append = Histogram("faultline_store_append_seconds", "Time of an append", registry=own)
        self.store_errors = Counter("faultline_store_errors", "Appends that failed", registry=own)
        self.store_up = Gauge("faultline_store_up", "Whether the store is there", registry=own)
        self.store_up.set(1)
        self.outbox_results = Gauge("faultline_outbox_results", "Results InfluxDB lacks", registry=own)
        self.outbox_bytes = Gauge("faultline_outbox_bytes", "Size of the outbox", registry=own)
        self.refused_points = Gauge(
            "faultline_refused_points", "Points that InfluxDB will never take", ["reason"], registry=own
        )
        self.unheard_outages = Gauge(
            "faultline_unheard_outages", "Transitions not written beside the results", registry=own
        )
        self.left_out_timings = Counter(
            "faultline_left_out_timings", "Timings of a name beyond what the store keeps", registry=own
        )

    def _judgement(self, own: CollectorRegistry) -> None:
        self.tick = Histogram(
            "faultline_tick_seconds", "Time of a correlation tick", registry=own, buckets=_TICK_BUCKETS
        )
        self.judge_errors = Counter(
            "faultline_judge_errors", "Steps of judgement that failed", ["step"], registry=own
        )
        self.asked_probes = Counter(
            "faultline_asked_probes", "Probes asked for beyond the schedule", ["reason"], registry=own
        )
        self.withheld_probes = Counter(
            "faultline_withheld_probes", "Probes not asked for, to stay within the budget", registry=own
        )
        self.budget_left = Gauge(
            "faultline_probe_budget_left", "Probes that may still be asked for within the hour", registry=own
        )
        self.proofs = Counter("faultline_proofs", "Proof from agents by fate", ["fate"], registry=own)
        self.open_outages = Gauge("faultline_open_outages", "Open outages", ["scope"], registry=own)

    def _fleet(self, own: CollectorRegistry) -> None:
        self.agents = Gauge("faultline_agents", "Agents by state", ["state"], registry=own)
        self.spool_age = Gauge(
            "faultline_agent_spool_age_seconds_max", "Oldest unacknowledged result of the fleet", registry=own
        )
        self.spool_results = Gauge(
            "faultline_agent_spool_results", "Unacknowledged results of the fleet", registry=own
        )

    def _ways(self, own: CollectorRegistry) -> None:
        self.broker_connected = Gauge("faultline_broker_connected", "Connected to the broker", registry=own)
        self.broker_breaks = Counter(
            "faultline_broker_breaks", "Connections to the broker that broke or failed", registry=own
        )
        self.mqtt_dropped = Counter(
            "faultline_mqtt_dropped_messages", "Messages of agents not heard", ["reason"], registry=own
        )
        self.mqtt_events = Counter("faultline_mqtt_events", "Events published at the broker", registry=own)
        self.event_streams = Gauge("faultline_event_streams", "Open SSE streams", registry=own)
        self.event_drops = Counter("faultline_event_drops", "Events dropped for slow readers", registry=own)

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        return generate_latest(self.registry)
