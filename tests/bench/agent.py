"""An agent with 1,000 HTTP targets, 100 probes a second: memory, CPU, time to start and to stop."""

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

import psutil

from faultline_agent.uplinks.uplink import AssignedTarget, Assignment
from tests.agent.commands.agents import PROGRAM, write_config
from tests.agent.stage import eventually
from tests.agent.uplinks.collectors import GrpcEnd, grpc_end
from tests.bench.rows import Row

TARGETS, INTERVAL_S = 1_000, 10.0
WARM_S, MEASURE_S = 12.0, 15.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Answering(asyncio.Protocol):
    """Answers every request with ok."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(ANSWER)
        self.transport.close()


def run() -> list[Row]:
    return asyncio.run(measure())


async def measure() -> list[Row]:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=1_000)
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        async with server, grpc_end() as end:
            config = write_config(Path(folder), f"grpc://127.0.0.1:{end.port}")
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                str(PROGRAM), "run", "--config", str(config), stderr=asyncio.subprocess.DEVNULL
            )
            try:
                return await watch(process, end, port, began)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def watch(process: asyncio.subprocess.Process, end: GrpcEnd, port: int, began: float) -> list[Row]:
    await eventually(lambda: "hello" in end.heard)
    started_s = time.perf_counter() - began
    settings = {"url": f"http://127.0.0.1:{port}/"}
    targets = tuple(AssignedTarget(f"t{i}", "http", settings, INTERVAL_S, 0.0) for i in range(TARGETS))
    seen = psutil.Process(process.pid)
    idle = seen.memory_info().rss
    await end.order(Assignment("v1", targets))
    await asyncio.sleep(WARM_S)
    cpu, probed, at = cpu_s(seen), results(end), time.perf_counter()
    await asyncio.sleep(MEASURE_S)
    took, cpu, probed = time.perf_counter() - at, cpu_s(seen) - cpu, results(end) - probed
    resident = seen.memory_info().rss
    os.kill(process.pid, signal.SIGTERM)
    stopping = time.perf_counter()
    await process.wait()
    return [
        Row(name="start", value=started_s, unit="s"),
        Row(name="memory, no target", value=idle / 1e6, unit="MB"),
        Row(name=f"memory, {TARGETS} targets", value=resident / 1e6, unit="MB"),
        Row(name="probes stored", value=probed / took, unit="/s"),
        Row(name="cpu", value=100 * cpu / took, unit="% of a core"),
        Row(name="cpu a probe, all included", value=1e6 * cpu / max(probed, 1), unit="us"),
        Row(name="stop", value=time.perf_counter() - stopping, unit="s"),
    ]


def cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def results(end: GrpcEnd) -> int:
    return sum(ranges.count() for ranges in end.held.values())
