"""Results a second from the wire to stored and correlated, by size of batch; and what idle streams cost.

The collector's real process has one core, the sender, whose batches are encoded beforehand, the other. A
result counts once it is acknowledged, so once it is on disk; correlation runs in the same process and core.
The fleet is healthy and would make as many results by itself: AGENTS times TARGETS, each once a second. The
starts are set while sending, so that nothing comes late.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import grpc
import grpc.aio
import psutil
import yaml

from faultline import PROTOCOL
from faultline.v1 import results_pb2, session_pb2
from faultline_collector.config import load_config
from faultline_collector.registry.registry import Registry
from tests.bench.rows import Row

AGENTS = 200
TARGETS = 1_000
SIZES = {10: 100_000, 100: 1_000_000, 1_000: 3_000_000}
"""How many results are sent in batches of each size."""
IDLE = 2_000
FAILURES = 0.002
TIMINGS = {"dns": 900, "connect": 12_000, "tls": 25_000, "first_byte": 80_000, "total": 120_000}
READY_S = 120
COLLECTOR_CORE, SENDER_CORE = 0, 1
START_US = 1_700_000_000_000_000
"""Stands in encoded batches where the start of the first result will be."""
AGO_US = 1_200_000


@dataclass(frozen=True, slots=True)
class Running:
    """A collector's process, where it listens, and its agents' tokens."""

    process: psutil.Process
    address: str
    tokens: dict[str, str]

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    def rss(self) -> int:
        """Bytes of memory."""
        return int(self.process.memory_info().rss)


def config(place: Path) -> dict[str, Any]:
    """A collector with a DuckDB store and TARGETS targets of 100 services."""
    targets = [
        {
            "id": f"service-{i % 100:02}-{i // 100}",
            "kind": "http",
            "interval": "1s",
            "url": "http://127.0.0.1/",
        }
        for i in range(TARGETS)
    ]
    return {
        "store": f"duckdb://{place}/results.duckdb",
        "registry": f"sqlite:///{place}/registry.db",
        "listen": {"agents": "127.0.0.1:0", "web": "127.0.0.1:0"},
        "regions": [
            {"id": f"r{i}", "country": "IN", "latitude": 10.0 + i, "longitude": 70.0 + i} for i in range(10)
        ],
        "networks": [{"asn": 64500 + i} for i in range(4)],
        "services": [
            {"id": f"service-{s:02}", "components": [{"id": "web", "targets": targets[s::100]}]}
            for s in range(100)
        ],
    }


@contextmanager
def collector(place: Path, agents: int) -> Iterator[Running]:
    """Runs a collector with so many agents on its core."""
    path = place / "collector.yaml"
    path.write_text(yaml.safe_dump(config(place)))
    registry = Registry(f"sqlite:///{place}/registry.db")
    registry.apply(load_config(path))
    tokens = {
        name: registry.add_agent(name, region=f"r{i % 10}", asn=64500 + i % 4)
        for i in range(agents)
        for name in [f"agent-{i}"]
    }
    registry.close()
    program = Path(sys.executable).with_name("faultline")
    command = ["taskset", "-c", str(COLLECTOR_CORE), str(program), "collector", "run", "--config", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            address = ready.split("agents=")[1].split()[0]
            yield Running(psutil.Process(process.pid), address, tokens)
        finally:
            process.terminate()
            process.wait(30)


IDS = [f"service-{i % 100:02}-{i // 100}" for i in range(TARGETS)]


def measured(count: int, random: Random) -> list[results_pb2.Timing]:
    """The timings of `count` good results."""
    return [
        results_pb2.Timing(name=name, us=[random.randrange(us, 2 * us) for _ in range(count)])
        for name, us in TIMINGS.items()
    ]


def varint(start_us: int) -> bytes:
    """A start as it stands in a batch; all of this century are of one length."""
    left, out = start_us << 1, bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    return bytes((*out, left))


def stamped(batch: bytes) -> bytes:
    """The batch as if it had been measured until a moment ago."""
    return batch.replace(varint(START_US), varint(time.time_ns() // 1000 - AGO_US), 1)


def encoded(first: int, count: int, timings: list[results_pb2.Timing], random: Random) -> bytes:
    """One batch of `count` results, each of another target, measured within a second."""
    failed = [random.random() < FAILURES for _ in range(count)]
    start = (first - 1) % TARGETS
    batch = results_pb2.Batch(
        lane=results_pb2.LANE_LIVE,
        first_sequence=first,
        count=count,
        target_ids=IDS[start : start + count],
        target=range(count),
        started_delta_us=[START_US, *([1_000_000 // count] * (count - 1))],
        outcome=[results_pb2.OUTCOME_TIMEOUT if bad else results_pb2.OUTCOME_OK for bad in failed],
        status=[0 if bad else 200 for bad in failed],
        family=[4] * count,
        timings=timings,
        details=["no answer within 5 s"] if any(failed) else [],
        detail=[int(bad) for bad in failed] if any(failed) else [],
    )
    return session_pb2.AgentMessage(batch=batch).SerializeToString()


class Stream:
    """One agent's open session, spoken in bytes."""

    def __init__(self, channel: Any, agent: str, token: str, spool: str) -> None:
        method = channel.stream_stream(
            "/faultline.v1.Agents/Session",
            request_serializer=None,
            response_deserializer=session_pb2.CollectorMessage.FromString,
        )
        self._hello = session_pb2.AgentMessage(
            hello=session_pb2.Hello(
                agent_id=agent, boot_id="b", spool_id=spool, version="0.1.0", protocol=PROTOCOL,
                clock_us=time.time_ns() // 1000,
            )
        ).SerializeToString()  # fmt: skip
        self._call = method(metadata=(("authorization", f"Bearer {token}"),))

    async def open(self) -> None:
        """Says hello and hears welcome and assignment."""
        await self._call.write(self._hello)
        await self._call.read()
        await self._call.read()

    async def send(self, batches: list[bytes], last: int) -> None:
        """Sends all and waits until 1..last is acknowledged."""
        sending = asyncio.create_task(self._write(batches))
        acknowledged = 0
        while acknowledged < last:
            message = await self._call.read()
            acknowledged += sum(r.last - r.first + 1 for r in message.ack.durable)
        await sending

    async def _write(self, batches: list[bytes]) -> None:
        for batch in batches:
            await self._call.write(stamped(batch))

    def close(self) -> None:
        """Breaks off."""
        self._call.cancel()


async def flood(running: Running, size: int, total: int) -> tuple[float, float]:
    """Seconds of wall and of the collector's CPU until `total` results are acknowledged."""
    share = total // AGENTS
    random = Random(size)
    timings = [measured(size, random) for _ in range(20)]
    async with AsyncExitStack() as stack:
        streams, loads = [], []
        for agent, token in list(running.tokens.items())[:AGENTS]:
            channel = await stack.enter_async_context(_channel(running.address))
            stream = Stream(channel, agent, token, f"spool-{size}")
            await stream.open()
            stack.callback(stream.close)
            streams.append(stream)
            firsts = range(1, share + 1, size)
            loads.append([encoded(first, size, random.choice(timings), random) for first in firsts])
        began, used = time.perf_counter(), running.cpu_s()
        await asyncio.gather(*(s.send(load, share) for s, load in zip(streams, loads, strict=True)))
        return time.perf_counter() - began, running.cpu_s() - used


async def hold(running: Running) -> float:
    """Bytes of the collector's memory for each of IDLE open sessions, each on a connection of its own."""
    async with AsyncExitStack() as stack:
        items = list(running.tokens.items())
        before = 0
        for i, (agent, token) in enumerate(items):
            if i == len(items) - IDLE:
                before = running.rss()
            channel = await stack.enter_async_context(_channel(running.address))
            stream = Stream(channel, agent, token, "idle")
            await stream.open()
            stack.callback(stream.close)
        return (running.rss() - before) / IDLE


def _channel(address: str) -> Any:
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


def _measure(job: str) -> dict[str, float]:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faultline-bench-")))
        if job == "idle":
            running = stack.enter_context(collector(place, IDLE + 100))
            return {"bytes": asyncio.run(hold(running))}
        size = int(job)
        running = stack.enter_context(collector(place, AGENTS))
        wall_s, cpu_s = asyncio.run(flood(running, size, SIZES[size]))
        return {"wall": SIZES[size] / wall_s, "cpu": SIZES[size] / cpu_s}


def run() -> list[Row]:
    """Each figure in a process of its own, pinned to the sender's core."""
    rows: list[Row] = []
    for size in SIZES:
        found = _apart(str(size))
        rows.append({"name": f"batch{size}", "value": found["wall"], "unit": "results/s"})
        rows.append({"name": f"batch{size}_per_cpu", "value": found["cpu"], "unit": "results/CPU-s"})
    rows.append({"name": "idle_stream", "value": _apart("idle")["bytes"] / 1000, "unit": "kB"})
    return rows


def _apart(job: str) -> dict[str, float]:
    command = ["taskset", "-c", str(SENDER_CORE), sys.executable, "-m", "tests.bench.ingest", job]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1])), flush=True)
    os._exit(0)
