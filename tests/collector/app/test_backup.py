"""Backup, restore and change of store as docs/storage.md describes them, with real processes."""

import asyncio
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.app.agents import ScriptedAgent
from tests.collector.app.process import CollectorProcess, settings
from tests.collector.app.test_process import kept
from tests.collector.stores.influxdb.buckets import new_store_url
from tests.servers.influxdb import Organisation

pytestmark = pytest.mark.timeout(240)

FILES = ("results.duckdb", "registry.db")


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector with an embedded store."""
    folder = tmp_path / "collector"
    folder.mkdir()
    one = CollectorProcess(folder)
    yield one
    one.close()


def end(collector: CollectorProcess) -> None:
    """Ends it in order."""
    collector.tell(signal.SIGTERM)
    assert collector.wait() == 0


async def deliver(agent: ScriptedAgent, count: int) -> None:
    """Records so many results and sends them until they are acknowledged."""
    agent.record(count)
    await asyncio.wait_for(agent.deliver(), 60)


def sequences(collector: CollectorProcess) -> list[int]:
    """What the running collector shows of its results."""
    rows = [json.loads(line) for line in collector.text("/api/v1/results").splitlines()]
    return sorted(row["sequence"] for row in rows)


async def test_copies_of_the_files_of_a_stopped_collector_are_a_backup(
    collector: CollectorProcess, tmp_path: Path
) -> None:
    """Put back, what was stored by then is there, the agent is known, and what it sends next is taken."""
    tokens = collector.enlist(("west-1", "west", 64500))
    agent = ScriptedAgent("west-1", tokens["west-1"], lambda: collector.address)
    collector.start()
    await deliver(agent, 20)
    end(collector)
    for file in FILES:
        shutil.copy(collector.place / file, tmp_path / file)
    collector.start()
    await deliver(agent, 20)
    collector.kill()
    for path in collector.place.glob("r*.d*b*"):
        path.unlink()
    for file in FILES:
        shutil.copy(tmp_path / file, collector.place / file)
    collector.start()
    assert sequences(collector) == list(range(1, 21))
    await deliver(agent, 20)
    end(collector)
    assert kept(collector.place)[0] == [*range(1, 21), *range(41, 61)]


async def test_from_duckdb_to_influxdb_nothing_that_is_not_acknowledged_is_lost(
    collector: CollectorProcess, tmp_path: Path, influxdb: Organisation
) -> None:
    """History begins anew there; the old file is read by another collector."""
    tokens = collector.enlist(("west-1", "west", 64500))
    agent = ScriptedAgent("west-1", tokens["west-1"], lambda: collector.address)
    collector.start()
    await deliver(agent, 20)
    end(collector)
    agent.record(20)
    (tmp_path / "token").write_text(influxdb.token)
    told = {"token_file": str(tmp_path / "token")}
    collector.write(settings(collector.place) | {"store": new_store_url(influxdb), "influxdb": told})
    collector.start()
    await deliver(agent, 20)
    assert sequences(collector) == list(range(21, 61))
    (tmp_path / "other").mkdir()
    other = CollectorProcess(tmp_path / "other")
    other.write(settings(other.place) | {"store": f"duckdb://{collector.place}/results.duckdb"})
    try:
        other.start()
        assert sequences(other) == list(range(1, 21))
    finally:
        other.close()
    end(collector)
