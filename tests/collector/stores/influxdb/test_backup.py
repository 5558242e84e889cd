"""Backup and restore as docs/storage.md describes them."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from faultline_collector.results import Source
from faultline_collector.stores import open_store
from faultline_collector.stores.influxdb.store import InfluxdbStore
from faultline_collector.stores.options import StoreOptions
from tests.collector.stores.influxdb.buckets import address_of, api, new_store_url, options
from tests.collector.stores.influxdb.conftest import drained, until
from tests.collector.stores.rows import Row, found, put, sequences
from tests.servers.influxdb import Influxd, influxd_program

ROWS = [
    Row(i, at_us=i * 1000, received_us=i * 1000 + 1, detail="refused" if i % 3 else "") for i in range(1, 50)
]


def store_rows(url: str, told: StoreOptions, rows: Sequence[Row]) -> None:
    """Puts rows where they belong, and waits until they are there."""
    with closing(open_store(url, told)) as store:
        assert isinstance(store, InfluxdbStore)
        put(store, list(rows))
        until(lambda: drained(store))


def test_a_copy_of_both_folders_is_a_backup(influxd: Influxd, tmp_path: Path) -> None:
    """influxd's folder while it stands still, and the outbox: the ranges belong to the results."""
    url, told = new_store_url(influxd.organisation), options(influxd.organisation, tmp_path)
    store_rows(url, told, ROWS[:30])
    influxd.stop()
    shutil.copytree(influxd.folder, tmp_path / "influxd-backup")
    shutil.copytree(told.outbox, tmp_path / "outbox-backup")
    influxd.start()
    store_rows(url, told, ROWS[30:])
    influxd.stop()
    for lost, kept in ((influxd.folder, "influxd-backup"), (told.outbox, "outbox-backup")):
        shutil.rmtree(lost)
        shutil.copytree(tmp_path / kept, lost)
    influxd.start()
    with closing(open_store(url, told)) as store:
        assert found(store) == ROWS[:30]
        assert store.received()[Source("in-west-1", "s1")].highest == 30
        put(store, ROWS[30:])
        assert found(store) == ROWS


def test_line_protocol_moves_results_to_another_server(influxd: Influxd, tmp_path: Path) -> None:
    """`influxd inspect export-lp` writes what POST /api/v2/write takes, also on a newer version."""
    url = new_store_url(influxd.organisation)
    store_rows(url, options(influxd.organisation, tmp_path), ROWS)
    with api(influxd.organisation) as client:
        named = {"name": address_of(url).bucket}
        bucket = client.get("/api/v2/buckets", params=named).json()["buckets"][0]["id"]
    influxd.stop()
    lines = tmp_path / "results.lp"
    program = [str(influxd_program()), "inspect", "export-lp", "--bucket-id", bucket]
    command = [*program, "--engine-path", str(influxd.folder / "engine"), "--output-path", str(lines)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, json.dumps(done.stderr)
    influxd.start()
    other = new_store_url(influxd.organisation)
    with api(influxd.organisation) as client:
        place = {"org": influxd.org, "bucket": address_of(other).bucket, "precision": "ns"}
        client.post("/api/v2/write", params=place, content=lines.read_bytes()).raise_for_status()
    (tmp_path / "other").mkdir()
    with closing(open_store(other, options(influxd.organisation, tmp_path / "other"))) as store:
        assert sequences(store) == list(range(1, 50))
        assert found(store) == ROWS
