"""CPU a probe and timing error of HTTP probes, new connection each, beside Debian's blackbox_exporter.

The agent's side is all that the agent does from schedule to result: each target is due once a second.
One core runs what is measured, the other the server that answers after a known delay and, for blackbox, the
client that asks it. The error is the measured first byte against the delay that the server really kept.
Rounds alternate, and each figure is the median of its side's rounds. What is not good (GOOD below 100 %) was
refused, late or wrong; a side that leaves its core no rest is told in the rows' names, for it kept no rate.
"""

import asyncio
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter_ns
from typing import cast

import psutil
import pycurl
import uvloop

from faultline.outcomes import Outcome
from faultline_agent.clocks import SystemClocks
from faultline_agent.guard import LoadGuard
from faultline_agent.log import Log, open_log
from faultline_agent.outbox import Outbox
from faultline_agent.probes.http import HttpProbe
from faultline_agent.probes.tools import open_tools
from faultline_agent.recorder import Recorder
from faultline_agent.references import References
from faultline_agent.results import Result
from faultline_agent.runner import Runner
from faultline_agent.schedule import Schedule
from faultline_agent.sweeps import sweep_less
from faultline_agent.uplinks.uplink import AssignedTarget
from tests.agent.stage import open_spool, plain_encode
from tests.bench.rows import Row

RATES = (100, 1000)
ROUNDS = 3
SECONDS = 4
WARM_UP = 1
SETTLE_S = 1.2
"""At the end, longer than a probe may take."""

DELAY_S = 0.02
ADDRESSES = [f"127.0.0.{i}" for i in range(1, 9)]
"""Where the server listens; one address alone runs out of ports, which rest for a minute after each probe."""

BLACKBOX = "prometheus-blackbox-exporter"
PEER = "blackbox_exporter"
BLACKBOX_CONFIG = "modules: {http: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}}\n"
PROCESSING = re.compile(rb'phase="processing"\} (\S+)')

Measured = dict[int, list[int]]
"""First bytes in microseconds by the number in the URL, in the order of its probes."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side used a probe, how many probes it was asked for, and the good ones' first bytes."""

    cpu_us: float
    asked: int
    measured: Measured


Figures = dict[tuple[str, str], float]
"""Values by name and unit."""

CPU = ("cpu", "us/probe")
GOOD = ("good", "%")

MOST_BUSY = 0.95
"""A core that is busier than this is saturated."""


class Responder(asyncio.Protocol):
    """Answers `GET /NUMBER` after the delay and notes how long it really was."""

    def __init__(self, kept_us: Measured) -> None:
        self.kept_us = kept_us

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is none by inheritance

    def data_received(self, data: bytes) -> None:
        number = int(data[5 : data.index(b" ", 5)])
        asyncio.get_running_loop().call_later(DELAY_S, self.answer, number, perf_counter_ns())

    def answer(self, number: int, since_ns: int) -> None:
        self.kept_us.setdefault(number, []).append((perf_counter_ns() - since_ns) // 1000)
        if self.transport.is_closing():
            return
        self.transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        self.transport.close()


async def serve() -> None:
    """Prints its port; when its input ends, prints what delays it kept."""
    kept_us: Measured = {}
    loop = asyncio.get_running_loop()
    port = 0
    for address in ADDRESSES:
        server = await loop.create_server(lambda: Responder(kept_us), address, port, backlog=4096)
        port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(kept_us))


def url_of(port: int, number: int) -> str:
    return f"http://{ADDRESSES[number % len(ADDRESSES)]}:{port}/{number}"


async def paced(rounds: int, rate: int, start: Callable[[int], Awaitable[None]]) -> None:
    """Probes `rate` targets once a second each, whether or not the probes before have ended."""
    loop, running = asyncio.get_running_loop(), set[asyncio.Future[None]]()
    begin = loop.time()
    for i in range(rounds * rate):
        if (wait := begin + i / rate - loop.time()) > 0:
            await asyncio.sleep(max(0.001, wait))  # the loop's clock ticks in milliseconds: less is a spin
        running.add(task := asyncio.ensure_future(start(i)))
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


class Noted(Recorder):
    """Takes results as the agent's own does, and keeps only what the bench wants to know."""

    def __init__(self, outbox: Outbox, log: Log) -> None:
        super().__init__(outbox, log)
        self.measured: Measured = {}
        self.results = 0

    def record(self, result: Result) -> None:
        self.results += 1
        if result.outcome is Outcome.OK:
            self.measured.setdefault(int(result.target_id), []).append(result.timings_us["first_byte"])


@asynccontextmanager
async def agent(folder: Path) -> AsyncIterator[tuple[Schedule, Runner, Noted]]:
    """What an agent runs between its assignment and its spool."""
    clocks, random, log = SystemClocks(), Random(), open_log(sys.stderr)
    outbox = Outbox(open_spool(folder), plain_encode, clocks)
    noted = Noted(outbox, log)
    async with open_tools() as tools:
        references = References({}, tools, log, clocks, every_s=10.0)
        schedule = Schedule("bench", random)
        runner = Runner(schedule, LoadGuard(), references, noted, tools, log, clocks, random)
        yield schedule, runner, noted
    await outbox.close()


async def run_agent(port: int, rate: int) -> None:
    """The agent's side: `rate` targets, each due once a second; prints CPU seconds, results, first bytes."""
    sweep_less()
    with tempfile.TemporaryDirectory() as folder:
        async with agent(Path(folder)) as (schedule, runner, noted):
            running = asyncio.create_task(runner.run())
            runner.take([_assigned(port, number) for number in range(rate)])
            await asyncio.sleep(WARM_UP)
            cpu_s, results = _cpu_s(), noted.results
            await asyncio.sleep(SECONDS)
            cpu_s, results = _cpu_s() - cpu_s, noted.results - results
            runner.take([])
            await asyncio.sleep(SETTLE_S)
            running.cancel()
            await asyncio.wait([running])
    asked = noted.results + runner.tally.shed + schedule.missed
    print(json.dumps({"cpu_us": cpu_s * 1e6 / results, "asked": asked, "measured": noted.measured}))


def _assigned(port: int, number: int) -> tuple[AssignedTarget, HttpProbe]:
    probe = HttpProbe(url=url_of(port, number))
    return AssignedTarget(str(number), probe.kind, {"url": probe.url}, 1.0, 1.0), probe


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure_agent(core: int, port: int, rate: int) -> Side:
    done = subprocess.run(_child("agent", str(port), str(rate), core=core), check=True, capture_output=True)
    said = json.loads(done.stdout)
    return Side(said["cpu_us"], said["asked"], _by_number(said["measured"]))


async def ask_blackbox(exporter: psutil.Process, at: str, port: int, rate: int) -> Side:
    """The peer's side: asks for probes at `rate` over connections that stay open; only its CPU counts."""
    measured: Measured = {}
    async with pycurl.AsyncCurlMulti() as multi:
        idle: list[pycurl.Curl] = []

        async def one(number: int) -> None:
            handle = idle.pop() if idle else pycurl.Curl()
            body = bytearray()
            handle.setopt(pycurl.URL, f"{at}/probe?module=http&target={url_of(port, number)}")
            handle.setopt(pycurl.WRITEFUNCTION, body.extend)
            await multi.perform(handle)
            idle.append(handle)
            if b"probe_success 1" in body and (found := PROCESSING.search(body)):
                measured.setdefault(number, []).append(int(float(found[1]) * 1e6))

        await paced(WARM_UP, rate, one)
        before = sum(exporter.cpu_times()[:2])
        await paced(SECONDS, rate, one)
        cpu_s = sum(exporter.cpu_times()[:2]) - before
    return Side(cpu_s * 1e6 / (rate * SECONDS), rate * (SECONDS + WARM_UP), measured)


@contextmanager
def blackbox(core: int) -> Iterator[tuple[psutil.Process, str]]:
    """The exporter on a port of its own; gives the process and its address."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        config = Path(folder, "blackbox.yml")
        config.write_text(BLACKBOX_CONFIG)
        options = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0", "--log.level=error")
        command = ("taskset", "-c", str(core), BLACKBOX, *options)
        process = stack.enter_context(subprocess.Popen(command))
        stack.callback(process.terminate)
        running = psutil.Process(process.pid)
        yield running, f"http://127.0.0.1:{_listening(running)}"


def _listening(process: psutil.Process) -> int:
    for _ in range(1000):
        ports = [c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        if ports:
            return int(ports[0])
        time.sleep(0.01)
    raise TimeoutError("blackbox_exporter does not listen")


@contextmanager
def target(core: int) -> Iterator[tuple[int, Measured]]:
    """The server; its kept delays are there when the context has ended."""
    command = _child("serve", core=core)
    kept_us: Measured = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), kept_us
        said, _ = process.communicate()
        kept_us |= _by_number(json.loads(said))


def _child(*arguments: str, core: int) -> list[str]:
    return ["taskset", "-c", str(core), sys.executable, "-m", "tests.bench.probes", *arguments]


def _by_number(said: dict[str, list[int]]) -> Measured:
    return {int(number): us for number, us in said.items()}


def errors_ms(kept_us: Measured, measured: Measured) -> list[float]:
    """How far each measured first byte is from the delay that was kept; targets that failed are left out."""
    whole = (n for n, us in measured.items() if len(us) == len(kept_us.get(n, ())))
    pairs = (zip(measured[n], kept_us[n], strict=True) for n in whole)
    return sorted(abs(seen - kept) / 1000 for pair in pairs for seen, kept in pair)


def figures(side: Side, kept_us: Measured) -> Figures:
    errors = errors_ms(kept_us, side.measured)
    good = sum(map(len, side.measured.values()))
    found = {CPU: side.cpu_us, GOOD: 100 * good / side.asked}
    if errors:
        found["first_byte_error_p50", "ms"] = statistics.median(errors)
        found["first_byte_error_p99", "ms"] = errors[int(len(errors) * 0.99)]
    return found


def round_of_ours(rate: int, core: int, other: int) -> Figures:
    with target(other) as (port, kept_us):
        side = measure_agent(core, port, rate)
    return figures(side, kept_us)


def round_of_blackbox(rate: int, core: int, other: int) -> Figures:
    with target(other) as (port, kept_us), blackbox(core) as (exporter, at):
        side = uvloop.run(ask_blackbox(exporter, at, port, rate))
    return figures(side, kept_us)


def measure(rate: int, core: int, other: int) -> list[Row]:
    ours, theirs = list[Figures](), list[Figures]()
    for _ in range(ROUNDS):
        ours.append(round_of_ours(rate, core, other))
        if shutil.which(BLACKBOX) is not None:
            theirs.append(round_of_blackbox(rate, core, other))
    own, peers = medians(ours), medians(theirs)
    name = f"http_{rate}/s"
    name += " (agent saturated)" * saturated(rate, own) + f" ({PEER} saturated)" * saturated(rate, peers)
    return [_row(name, figure, value, peers.get(figure)) for figure, value in own.items()]


def medians(rounds: list[Figures]) -> Figures:
    """Of each figure the median over the rounds that have it."""
    found = sorted({figure for each in rounds for figure in each})
    return {figure: statistics.median(each[figure] for each in rounds if figure in each) for figure in found}


def saturated(rate: int, found: Figures) -> bool:
    """Whether the core had no rest at this rate, or probes were lost."""
    return bool(found) and (found[CPU] * rate > MOST_BUSY * 1e6 or found[GOOD] < 99.9)


def _row(name: str, figure: tuple[str, str], value: float, peer_value: float | None) -> Row:
    row = Row(name=f"{name}.{figure[0]}", value=value, unit=figure[1])
    if peer_value:
        row |= {"peer": PEER, "peer_value": peer_value, "ratio": value / peer_value}
    return row


def run() -> list[Row]:
    """Every rate, the agent and blackbox_exporter in turn."""
    cores = sorted(os.sched_getaffinity(0))
    core, other = cores[0], cores[-1]
    os.sched_setaffinity(0, {other})
    try:
        return [row for rate in RATES for row in measure(rate, core, other)]
    finally:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    mode, *numbers = sys.argv[1:]
    uvloop.run(serve() if mode == "serve" else run_agent(int(numbers[0]), int(numbers[1])))
