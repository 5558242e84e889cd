"""The agent's parts together, on the uplink over gRPC, within one process."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from faultline.config import read_config
from faultline_agent.app import serve
from faultline_agent.config import AgentConfig
from faultline_agent.probes.tools import open_tools
from faultline_agent.uplinks.uplink import Assignment, UplinkError
from tests.agent.commands.agents import write_config
from tests.agent.stage import KeptLog, assigned, eventually, open_spool
from tests.agent.uplinks.collectors import GrpcEnd, grpc_end


class Running:
    """A running agent and what it logged."""

    def __init__(self, folder: Path, collector: str, **settings: object) -> None:
        self.folder = folder
        self.config = read_config(write_config(folder, collector, **settings), AgentConfig)
        self.log = KeptLog()
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.serve())

    async def serve(self) -> None:
        """Serves until `stop`."""
        async with open_tools() as tools:
            await serve(self.config, "secret", open_spool(self.folder), tools, self.log, self.stop)

    def status(self) -> dict[str, object]:
        """What the status file says."""
        path = self.config.status_path
        return dict(json.loads(path.read_text())) if path.exists() else {}


@asynccontextmanager
async def running(folder: Path, end: GrpcEnd, **settings: object) -> AsyncIterator[Running]:
    """An agent that is connected, and stopped at the end."""
    agent = Running(folder, f"grpc://127.0.0.1:{end.port}", **settings)
    await eventually(lambda: "hello" in end.heard)
    yield agent
    agent.stop.set()
    await agent.task


async def test_results_flow_until_the_agent_is_stopped(tmp_path: Path) -> None:
    """Probed, spooled, sent, acknowledged, forgotten; the status says so."""
    with socket.create_server(("127.0.0.1", 0)) as taking:
        port = taking.getsockname()[1]
        async with grpc_end() as end, running(tmp_path, end) as agent:
            await end.order(Assignment("v1", (assigned("web", 0.5, host="127.0.0.1", port=port),)))
            await eventually(lambda: sum(what.startswith("live") for what in end.heard) >= 2)
    said = agent.status()
    assert said["state"] == "stopped"
    assert isinstance(said["outcomes"], dict)
    assert said["outcomes"]["ok"] >= 2
    spool = open_spool(tmp_path)
    assert spool.state().results == 0
    spool.close()


async def test_stopping_is_quick_and_loses_nothing_though_the_collector_is_silent(tmp_path: Path) -> None:
    """What could not be sent is in the spool."""
    async with grpc_end() as end:
        async with running(tmp_path, end) as agent:
            await end.order(Assignment("v1", (assigned("web", 0.5, host="127.0.0.1", port=1),)))
            end.holds_acks = True
            await eventually(lambda: any(what.startswith("live") for what in end.heard))
            stopping = time.monotonic()
            agent.stop.set()
            await agent.task
            assert time.monotonic() - stopping < 10
        spool = open_spool(tmp_path)
        assert spool.state().results > 0
        spool.close()


async def test_unwell_agent_reports_inconclusive(tmp_path: Path) -> None:
    """Its references are silent, so its target's failure says nothing."""
    references = {"targets": [{"kind": "tcp", "host": "127.0.0.1", "port": port} for port in (1, 2)]}
    async with grpc_end() as end, running(tmp_path, end, references=references) as agent:
        await end.order(Assignment("v1", (assigned("web", 0.5, host="127.0.0.1", port=3),)))
        await eventually(lambda: "inconclusive" in str(agent.status().get("outcomes")))
        assert "2 of 2 references do not answer" in str(agent.status()["condition"])
    assert agent.log.named("unwell")


async def test_refusal_ends_the_agent(tmp_path: Path) -> None:
    """With everything closed behind it."""
    async with grpc_end() as end:
        end.refusal = UplinkError("no such agent", permanent=True)
        agent = Running(tmp_path, f"grpc://127.0.0.1:{end.port}")
        with pytest.raises(ExceptionGroup) as raised:
            await agent.task
    assert "no such agent" in str(raised.value.exceptions[0])
    open_spool(tmp_path).close()


async def test_cancelled_agent_closes_everything(tmp_path: Path) -> None:
    """As when its program is interrupted twice."""
    agent = Running(tmp_path, "memory://")
    await eventually(agent.status)
    agent.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await agent.task
    assert agent.status()["state"] == "stopped"
    open_spool(tmp_path).close()
