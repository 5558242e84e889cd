"""A store on another machine as /healthz and /metrics tell of it, and a start while it is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from faultline_collector.api.health import Health
from faultline_collector.correlate.detector import Detector
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.metrics import Metrics
from faultline_collector.rebuild import rebuild
from faultline_collector.store_watch import StoreWatch
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.options import StoreOptions
from tests.collector.stores.influxdb.conftest import until
from tests.collector.stores.rows import FLEET, NOON_US, SECOND_US, Row, put


@contextmanager
def nobody_there(folder: Path) -> Iterator[InfluxdbStore]:
    """A store whose server does not exist."""
    (folder / "token").write_text("token")
    options = StoreOptions(folder / "token", folder / "outbox")
    store = open_store("influxdb://127.0.0.1:9/acme/results", options)
    assert isinstance(store, InfluxdbStore)
    try:
        yield store
    finally:
        store.close()


def value(registry: CollectorRegistry, name: str) -> float:
    """What a gauge shows."""
    found = registry.get_sample_value(name)
    assert found is not None
    return found


def looked(watch: StoreWatch, health: Health) -> bool:
    """Looks; whether something is wrong."""
    watch.look()
    return health.store_away != ""


def test_a_store_that_is_away_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """The sentence stands beside the collector's own health, and the outbox is counted."""
    health, metrics = Health(ticked_us=NOON_US), Metrics()
    with nobody_there(tmp_path) as store:
        watch = StoreWatch(store, health, metrics)
        put(store, [Row(1), Row(2)])
        until(lambda: looked(watch, health))
    assert health.store_away.startswith("store away since 20")
    assert health.store_away.endswith("does not take connections; 2 results wait in the outbox")
    assert health.problem(NOON_US) == ""
    assert value(metrics.registry, "faultline_store_up") == 0
    assert value(metrics.registry, "faultline_outbox_results") == 2
    assert value(metrics.registry, "faultline_outbox_bytes") > 0


def test_a_store_in_this_process_is_never_away() -> None:
    """There is nothing to look at."""
    health, metrics = Health(), Metrics()
    StoreWatch(open_store("memory://"), health, metrics).look()
    assert health.store_away == ""
    assert value(metrics.registry, "faultline_store_up") == 1


def test_evidence_is_taken_up_from_what_waits(tmp_path: Path) -> None:
    """A collector that starts while InfluxDB is away reads its outbox, and starts."""
    row = Row(1, received_us=1)
    with nobody_there(tmp_path) as store:
        put(store, [replace(row, sequence=i, received_us=i * SECOND_US) for i in range(1, 4)])
        found = rebuild(Detector(FLEET, EngineSettings()), store, (), NOON_US + 4 * SECOND_US)
    assert found.agent_ids == frozenset({"in-west-1"})
