"""What an agent spends to get a result to its collector: CPU and bytes, over gRPC and over MQTT, in one run.

The agent's half runs here, from the spool on; collector, broker and a relay that counts bytes run elsewhere.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from faultline_agent.uplinks.grpc import GrpcUplink
from faultline_agent.uplinks.mqtt import MqttUplink
from faultline_agent.uplinks.uplink import Uplink
from faultline_agent.way import Way, parse_url
from tests.agent.stage import result
from tests.agent.uplinks.brokered import mqtt_end
from tests.agent.uplinks.collectors import grpc_end
from tests.bench.rows import Row
from tests.collector.mqtt.sending import Sender
from tests.servers.mosquitto import Mosquitto

ROUNDS = 3
BATCHES = {100: 300, 1_000: 60}
"""Results of a batch, and how many batches are sent: what an agent sends each second, and its backlog."""

UPLINKS: dict[str, Callable[[Way], Uplink]] = {"grpc": GrpcUplink.open, "mqtt": MqttUplink.open}


@dataclass
class Relay:
    """Hands bytes on, both ways, and counts them."""

    port: int
    count: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self.pass_on(reader, there_writer), self.pass_on(there_reader, writer))

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                self.count += len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()


async def stand_there(kind: str, folder: Path) -> None:
    """The other process: serves, says how to reach it, and answers each line with bytes and broker's CPU."""
    async with AsyncExitStack() as stack:
        broker_cpu: Callable[[], float] = float
        password = "secret"
        if kind == "mqtt":
            server = Mosquitto(str(shutil.which("mosquitto", path="/usr/sbin:/usr/bin")), folder)
            server.start()
            stack.callback(server.kill)
            password = server.password("agent")
            await stack.enter_async_context(mqtt_end(server))
            relay = Relay(server.plain_port)
            broker_cpu = psutil_cpu(server.pid)
        else:
            end = await stack.enter_async_context(grpc_end())
            relay = Relay(end.port)
        listener = await asyncio.start_server(relay.answer, "127.0.0.1", 0)
        print(listener.sockets[0].getsockname()[1], password, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(relay.count, broker_cpu(), flush=True)


def psutil_cpu(pid: int) -> Callable[[], float]:
    process = psutil.Process(pid)
    return lambda: float(sum(process.cpu_times()[:2]))


@dataclass(frozen=True)
class Cost:
    """Of one result: the agent's CPU and the broker's in microseconds, and bytes both ways."""

    cpu_us: float
    broker_us: float
    size: float


@asynccontextmanager
async def far_end(
    kind: str, folder: Path
) -> AsyncIterator[tuple[str, str, Callable[[], Awaitable[list[float]]]]]:
    """The other process: its URL, the password, and a way to ask it."""
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.uplinks",
        kind,
        str(folder),
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    stdin, stdout = other.stdin, other.stdout

    async def ask() -> list[float]:
        stdin.write(b"?\n")
        return [float(word) for word in (await stdout.readline()).split()]

    port, password = (await stdout.readline()).decode().split()
    try:
        yield f"{kind}://127.0.0.1:{port}", password, ask
    finally:
        stdin.close()
        await other.wait()


async def measure(kind: str, size: int, count: int, folder: Path) -> Cost:
    """Sends so many batches, one after the other as the windows allow."""
    async with far_end(kind, folder / "there") as (url, password, ask):
        sender = Sender("agent", UPLINKS[kind](Way(parse_url(url), "agent", password)), folder / "agent")
        for _ in range(count):
            await sender.outbox.append([result(f"t{i}") for i in range(size)])
        before, cpu = await ask(), time.process_time()
        sending = asyncio.create_task(sender.pump.run())
        await asyncio.wait_for(sender.pump.drained(), 120)
        cpu = time.process_time() - cpu
        after = await ask()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await sender.uplink.close()
        await sender.outbox.close()
    sent = size * count
    return Cost(1e6 * cpu / sent, 1e6 * (after[1] - before[1]) / sent, (after[0] - before[0]) / sent)


def run() -> list[Row]:
    rows: list[Row] = []
    for size, count in BATCHES.items():
        costs: dict[str, list[Cost]] = {"grpc": [], "mqtt": []}
        for _ in range(ROUNDS):
            for kind, found in costs.items():
                with tempfile.TemporaryDirectory() as folder:
                    found.append(asyncio.run(measure(kind, size, count, Path(folder))))
        rows += compared(size, costs)
    return rows


def compared(size: int, costs: dict[str, list[Cost]]) -> list[Row]:
    grpc, mqtt = costs["grpc"], costs["mqtt"]
    figures = {
        "agent cpu a result": ("us", median(c.cpu_us for c in mqtt), median(c.cpu_us for c in grpc)),
        "bytes a result, both ways": ("B", median(c.size for c in mqtt), median(c.size for c in grpc)),
    }
    rows = [
        Row(
            name=f"{name}, batches of {size}",
            value=value,
            unit=unit,
            peer="grpc",
            peer_value=peer,
            ratio=value / peer,
        )
        for name, (unit, value, peer) in figures.items()
    ]
    broker_us = median(c.broker_us for c in mqtt)
    return [*rows, Row(name=f"broker cpu a result, batches of {size}", value=broker_us, unit="us")]


if __name__ == "__main__":
    asyncio.run(stand_there(sys.argv[1], Path(sys.argv[2])))
