"""The collector's program as a real process: start, reload, end, and kill -9."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from faultline.ranges import Ranges
from faultline_collector.commands import main
from faultline_collector.results import concatenate
from faultline_collector.stores import open_store
from faultline_collector.stores.store import ResultQuery
from tests.collector.app.agents import ScriptedAgent
from tests.collector.app.process import HEALTHY, CollectorProcess, settings

pytestmark = pytest.mark.timeout(240)

NO_SERVICES: dict[str, Any] = {"services": []}


async def until(true: Callable[[], bool], seconds: float = 90) -> None:
    """Waits until something is true; fails after a while."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


def kept(place: Path) -> tuple[list[int], Ranges]:
    """All stored sequences, and everything that was received, of the one source in the store."""
    store = open_store(f"duckdb://{place}/results.duckdb")
    stored = concatenate(list(store.results(ResultQuery(0, 2**62)))).sequence.tolist()
    (received,) = store.received().values()
    store.close()
    return sorted(stored), received


async def test_a_collector_starts_serves_reloads_and_ends(collector: CollectorProcess) -> None:
    """It says where it listens, answers, takes over a new configuration, and ends when told, even twice."""
    tokens = collector.enlist(("west-1", "west", 64500))
    collector.start()
    agent = ScriptedAgent("west-1", tokens["west-1"], lambda: collector.address)
    agent.record(20)
    await asyncio.wait_for(agent.deliver(), 60)
    await until(lambda: collector.get("/healthz")["ok"])
    assert 'faultline_results_total{fate="stored"} 20.0' in collector.text("/metrics")
    changed = settings(collector.place)
    changed["services"].pop()
    collector.write(changed)
    collector.tell(signal.SIGHUP)
    await until(lambda: len(collector.get("/api/v1/targets")["targets"]) == len(HEALTHY))
    collector.write(NO_SERVICES)
    collector.tell(signal.SIGHUP)
    await until(lambda: "configuration is not taken over" in collector.log)
    assert len(collector.get("/api/v1/targets")["targets"]) == len(HEALTHY)
    collector.tell(signal.SIGTERM)
    collector.tell(signal.SIGINT)
    assert collector.wait() == 0
    assert kept(collector.place)[0] == list(range(1, 21))


async def test_nothing_is_lost_or_doubled_by_kill_9(collector: CollectorProcess) -> None:
    """Killed at random moments, stored, rejected and dropped together are 1..N, and each stored once."""
    random = Random(3)
    tokens = collector.enlist(("west-1", "west", 64500))
    agent = ScriptedAgent("west-1", tokens["west-1"], lambda: collector.address)
    rejected = Ranges()
    for _ in range(3):
        for i in range(60):
            first = agent.next_sequence
            agent.record(random.randrange(1, 400), target="mine" if i % 20 == 7 else "web")
            if i % 20 == 7:
                rejected.add(first, agent.next_sequence - 1)
        agent.drop(random.randrange(1, 50))
        collector.start()
        delivering = asyncio.create_task(agent.deliver())
        await asyncio.wait([delivering], timeout=random.random())
        await asyncio.to_thread(collector.kill)
        delivering.cancel()
        await asyncio.wait([delivering])
    collector.start()
    await asyncio.wait_for(agent.deliver(), 60)
    collector.tell(signal.SIGTERM)
    assert collector.wait() == 0
    stored, received = kept(collector.place)
    lost = Ranges((one.range.first, one.range.last) for one in agent.dropped)
    everything = range(1, agent.next_sequence)
    assert received == Ranges([(1, agent.next_sequence - 1)])
    assert stored == [s for s in everything if s not in rejected and s not in lost]


async def probe_twitter(agents: list[ScriptedAgent], rounds: int, outcome: int) -> None:
    """All agents probe all targets, one round a second; only twitter is not fine."""
    for _ in range(rounds):
        for agent in agents:
            for name in HEALTHY:
                agent.record(1, target=name)
            agent.record(1, target="web", outcome=outcome)
            agent.record(1, target="api", outcome=outcome)
        await asyncio.gather(*(asyncio.wait_for(agent.deliver(), 60) for agent in agents))
        await asyncio.sleep(1)


async def test_open_outages_keep_their_ids_across_kill_9(collector: CollectorProcess) -> None:
    """After kill -9 and restart an outage goes on under its id, and nothing new is opened for it."""
    names = [(f"{region}-{i}", region, 64500 + i) for region in ("east", "west") for i in range(3)]
    tokens = collector.enlist(*names)
    agents = [ScriptedAgent(name, tokens[name], lambda: collector.address) for name, _, _ in names]
    collector.start()
    await probe_twitter(agents, 4, outcome=1)
    for _ in range(60):
        await probe_twitter(agents, 1, outcome=3)
        if collector.get("/api/v1/outages?open=true")["outages"]:
            break
    before = collector.get("/api/v1/outages?open=true")["outages"]
    collector.kill()
    collector.start()
    await probe_twitter(agents, 3, outcome=3)
    await until(lambda: collector.get("/healthz")["ok"])
    after = collector.get("/api/v1/outages?open=true")["outages"]
    assert [one["id"] for one in before] == [one["id"] for one in after]
    assert [one["subject"]["id"] for one in after] == ["twitter"]


def test_a_taken_port_is_a_sentence(collector: CollectorProcess) -> None:
    """What cannot work ends with status 2 and one sentence, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, said = collector.refused({"listen": {"agents": "127.0.0.1:0", "web": address}})
    assert (status, said) == (2, f"cannot listen on {address}: Address already in use\n")


def test_a_bad_configuration_is_a_sentence(collector: CollectorProcess) -> None:
    """A configuration that cannot be used starts nothing."""
    collector.write(settings(collector.place) | NO_SERVICES)
    said = CliRunner().invoke(main, ["collector", "run", "--config", str(collector.path)])
    assert (said.exit_code, said.stderr) == (2, f"{collector.path}: services: there must be at least one\n")
