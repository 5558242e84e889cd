"""kill -9 of all that runs at random moments, and what became of every result."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from faultline_collector.lab.lab import Lab, LabOptions, Progress
from faultline_collector.lab.processes import Process
from faultline_collector.lab.servers import INFLUXD, MOSQUITTO
from faultline_collector.lab.world import Vantage
from tests.e2e.accounts import Account, account, in_duckdb, in_influxdb, in_outbox, read_spool

_POLL_S = 0.1
_CAUGHT_UP_S = 90.0


@dataclass(frozen=True, slots=True)
class Kills:
    """How often each is killed."""

    agents: int
    collector: int
    influxd: int = 0
    mosquitto: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{count} of {name}" for name, count in asdict(self).items() if count)


async def run_kills(folder: Path, kills: Kills, seed: int, progress: Progress) -> Account:
    """Six agents at intervals of two seconds, the kills, and the account of every result.

    When InfluxDB or the broker is to be killed, results are kept there, and every other agent comes by it.
    """
    options = LabOptions(
        folder,
        agents=6,
        interval_s=2.0,
        web_port=0,
        influxdb=kills.influxd > 0,
        mqtt_share=0.5 if kills.mosquitto else 0.0,
    )
    lab = Lab(options)
    try:
        await lab.open(progress)
        await _kill_all(lab, kills, Random(seed), progress)
        progress("everything has been killed; waiting for what was spooled")
        await caught_up(lab)
        if kills.influxd:
            return await account_of_influxdb(lab)
    finally:
        await lab.close()
    return account(
        *in_duckdb(lab.folder / "results.duckdb"), [read_spool(lab, v) for v in lab.world.vantages]
    )


async def account_of_influxdb(lab: Lab) -> Account:
    """Ends the agents, and gives the account once InfluxDB has what it is owed, or has not in time."""
    for vantage in lab.world.vantages:
        lab.crew[vantage.id].child.terminate()
    for vantage in lab.world.vantages:
        await asyncio.to_thread(lab.crew[vantage.id].child.wait, _CAUGHT_UP_S)
    spools = [read_spool(lab, vantage) for vantage in lab.world.vantages]
    deadline = time.monotonic() + _CAUGHT_UP_S
    while True:
        rows = await asyncio.to_thread(in_influxdb, *lab.servers.influxdb)
        total = account(rows, in_outbox(lab.servers.outbox), spools)
        if not total.problems or time.monotonic() > deadline:
            return total
        await asyncio.sleep(1.0)


async def _kill_all(lab: Lab, kills: Kills, random: Random, progress: Progress) -> None:
    ways = {
        "agent": (kills.agents, lambda: kill_agent(lab, random)),
        "collector": (kills.collector, lambda: kill_collector(lab, random)),
        INFLUXD: (kills.influxd, lambda: kill_server(lab, INFLUXD, random)),
        MOSQUITTO: (kills.mosquitto, lambda: kill_server(lab, MOSQUITTO, random)),
    }

    async def again(name: str, times: int, kill: Callable[[], Awaitable[None]]) -> None:
        for number in range(1, times + 1):
            await asyncio.sleep(random.uniform(0.1, 2.0))
            await kill()
            progress(f"{name} killed {number} of {times} times")

    async with asyncio.TaskGroup() as killing:
        for name, (times, kill) in ways.items():
            killing.create_task(again(name, times, kill))


async def kill_agent(lab: Lab, random: Random) -> None:
    """Kills a random connected agent and starts it again."""
    await until(lambda: bool(_connected(lab)), "an agent connected")
    vantage = random.choice(_connected(lab))
    kill(lab.crew[vantage.id])
    lab.start_agent(vantage)


async def kill_collector(lab: Lab, random: Random) -> None:
    """Kills the collector and starts it again after a moment."""
    kill(lab.crew["collector"])
    await asyncio.sleep(random.uniform(0.0, 0.5))
    lab.start_collector()
    await lab.await_collector()


async def kill_server(lab: Lab, name: str, random: Random) -> None:
    """Kills influxd or mosquitto and starts it again after a moment, on the same data and port."""
    kill(lab.servers.crew[name])
    await asyncio.sleep(random.uniform(0.0, 0.5))
    await lab.servers.start(name)


def kill(process: Process) -> None:
    """kill -9, and waits until it is gone."""
    process.child.kill()
    process.child.wait()


def _connected(lab: Lab) -> list[Vantage]:
    return [vantage for vantage in lab.world.vantages if lab.stage.relays[vantage.id].connected]


async def caught_up(lab: Lab) -> None:
    """Waits until everything that is recorded by now has been acknowledged."""
    now_us = time.time_ns() // 1000
    folders = [lab.agent_folder(vantage) for vantage in lab.world.vantages]
    await until(
        lambda: all(_waits_since(folder / "status.json", now_us) > now_us for folder in folders),
        "everything acknowledged",
    )


def _waits_since(status_file: Path, now_us: int) -> int:
    """Since when the oldest result waits that an agent still has, by a status written after `now_us`."""
    status = json.loads(status_file.read_text(encoding="utf-8"))
    if status["written_us"] <= now_us or status["spool"]["dropped"]:
        return 0
    return int(status["spool"]["oldest_us"]) or now_us + 1


async def until(true: Callable[[], bool], what: str, within_s: float = _CAUGHT_UP_S) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(_POLL_S)
