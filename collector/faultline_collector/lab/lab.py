"""A whole lab: the world, one collector and its agents, each a process of its own."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx

from faultline.files import allow_files
from faultline_collector.config import load_config
from faultline_collector.lab.control import Control, Note, fault_data, read_fault, remove_note
from faultline_collector.lab.faults import BadFault
from faultline_collector.lab.ports import free_port
from faultline_collector.lab.processes import BYTECODE, LOGS, Crew, Process, program
from faultline_collector.lab.servers import Servers, Wanted
from faultline_collector.lab.settings import (
    GRPC,
    MQTT,
    Wiring,
    agent_settings,
    collector_settings,
    write_yaml,
)
from faultline_collector.lab.stage import Claim, Stage
from faultline_collector.lab.world import Vantage, make_world, with_agents
from faultline_collector.registry.registry import Registry

Progress = Callable[[str], None]
"""Takes one line about how far a start is."""

_LOCK = "lab.lock"
_COLLECTOR_DEADLINE_S = 60.0
_FLEET_DEADLINE_S = 240.0
_STARTING_AT_ONCE = 2 * (os.cpu_count() or 1)
_POLL_S = 0.1
_MOST_FILES = 8192


class LabFailed(Exception):
    """Raised when a lab cannot start, or lost its collector; one sentence."""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What a lab is to be."""

    folder: Path
    agents: int = 36
    interval_s: float = 5.0
    web_port: int = 8080
    influxdb: bool = False
    """Whether results are kept in a real InfluxDB of the lab's own, else in DuckDB."""
    mqtt_share: float = 0.0
    """Which part of the agents comes over MQTT, through a real broker of the lab's own."""
    outbox: Path | None = None
    """Where the collector keeps what InfluxDB has not yet, else in the lab's folder."""


class Lab:
    """Starts everything in `open`, ends everything in `close`; answers `faultline lab fault` meanwhile."""

    def __init__(self, options: LabOptions) -> None:
        self.options = options
        self.folder = options.folder.resolve()
        self.servers = Servers(Wanted(options.influxdb, options.mqtt_share > 0), self.folder, options.outbox)
        self._lock = _own(self.folder)
        self._claim = Claim()
        world = make_world(self._claim.block)
        self.world = with_agents(world, options.agents) if options.agents < len(world.vantages) else world
        agents_port, self.web_port = free_port(), free_port(options.web_port)
        self.over_mqtt = part_of(self.world.vantages, options.mqtt_share)
        ways = {GRPC: ("127.0.0.1", agents_port), MQTT: ("127.0.0.1", self.servers.broker_port)}
        self.stage = Stage(self.world, self.folder / "certificates", lambda v: ways[self.uplink(v)])
        self.wiring = Wiring(
            agents_port,
            self.web_port,
            options.interval_s,
            self.stage.certificates.authority,
            self.servers.settings(),
        )
        self.crew = Crew(self.folder)
        self._control = Control(self.answer)

    @property
    def web(self) -> str:
        """Where page and API are."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def collector_file(self) -> Path:
        """The collector's configuration."""
        return self.folder / "collector.yaml"

    async def open(self, progress: Progress) -> None:
        """Starts servers, collector and fleet; returns when all agents are connected."""
        allow_files(_MOST_FILES)
        progress(f"servers of {len(list(self.world.parts()))} targets for {len(self.world.vantages)} agents")
        await self.stage.open()
        tokens = self._write_files()
        for name in self.servers.names:
            progress(name)
            await self.servers.open(name, {vantage.id: tokens[vantage.id] for vantage in self.over_mqtt})
        progress("collector")
        self.start_collector()
        await self.await_collector()
        await self._start_fleet(progress)
        await self._await_fleet()
        Note(os.getpid(), await self._control.open(), self.web).write(self.folder)

    async def close(self) -> None:
        """Ends every process and closes every socket; safe twice."""
        remove_note(self.folder)
        self._control.close()
        await self.crew.end()
        await self.servers.close()
        await self.stage.close()
        self.release()

    def release(self) -> None:
        """Gives folder and addresses back; safe twice."""
        self._claim.close()
        self._lock.close()

    def start_collector(self) -> None:
        """Starts the collector, also again after its death."""
        self.crew.start(
            "collector", [program("faultline"), "collector", "run", "--config", str(self.collector_file)]
        )

    def start_agent(self, vantage: Vantage) -> None:
        """Starts one agent, also again after its death."""
        config = self.agent_folder(vantage) / "agent.yaml"
        self.crew.start(vantage.id, [program("faultline-agent"), "run", "--config", str(config)])

    def uplink(self, vantage: Vantage) -> str:
        """How one agent comes to the collector, as a URL's scheme."""
        return MQTT if vantage in self.over_mqtt else GRPC

    def agent_folder(self, vantage: Vantage) -> Path:
        """Where the files of one agent lie."""
        return self.folder / "agents" / vantage.id

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What `faultline lab fault` and `faultline lab status` are told."""
        do = request.get("do")
        if do == "inject":
            self.stage.inject(read_fault(request["fault"]))
        elif do == "clear":
            self.stage.clear()
        elif do not in ("list", "status"):
            raise BadFault(f"the lab does not know how to {do!r}")
        connected = sum(relay.connected for relay in self.stage.relays.values())
        return {
            "faults": [fault_data(fault) for fault in self.stage.faults],
            "said": [str(fault) for fault in self.stage.faults],
            "web": self.web,
            "agents": len(self.world.vantages),
            "connected": connected,
            "dead": [process.name for process in self._dead()],
        }

    def _dead(self) -> list[Process]:
        return [*self.crew.dead(), *self.servers.crew.dead()]

    def _write_files(self) -> dict[str, str]:
        """All configuration; gives each agent's token."""
        write_yaml(self.collector_file, collector_settings(self.world, self.folder, self.wiring))
        config = load_config(self.collector_file)
        registry = Registry(config.registry)
        registry.apply(config)
        tokens = dict[str, str]()
        for vantage in self.world.vantages:
            folder = self.agent_folder(vantage)
            write_yaml(
                folder / "agent.yaml",
                agent_settings(self.world, vantage, folder, self.options.interval_s, self.uplink(vantage)),
            )
            token = tokens[vantage.id] = registry.add_agent(
                vantage.id, region=vantage.region, asn=vantage.asn
            )
            (folder / "token").touch(mode=0o600)
            (folder / "token").write_text(token + "\n", encoding="utf-8")
        registry.close()
        return tokens

    async def await_collector(self) -> None:
        """Returns when the collector answers; LabFailed when it does not."""
        deadline = asyncio.get_running_loop().time() + _COLLECTOR_DEADLINE_S
        async with httpx.AsyncClient(base_url=self.web, trust_env=False) as client:
            while not await _answers(client):
                collector = self.crew["collector"]
                if not collector.alive or asyncio.get_running_loop().time() > deadline:
                    raise LabFailed(
                        f"the collector did not start: {collector.last_words()} ({collector.log})"
                    )
                await asyncio.sleep(_POLL_S)

    async def _start_fleet(self, progress: Progress) -> None:
        deadline = asyncio.get_running_loop().time() + _FLEET_DEADLINE_S
        waiting, starting, told = list(self.world.vantages), list[Vantage](), -1
        while waiting or starting:
            while waiting and len(starting) < _STARTING_AT_ONCE:
                starting.append(waiting.pop(0))
                self.start_agent(starting[-1])
            self._check_crew(deadline)
            starting = [vantage for vantage in starting if not self.stage.relays[vantage.id].connected]
            up = len(self.world.vantages) - len(waiting) - len(starting)
            if up > told:
                progress(f"{up} of {len(self.world.vantages)} agents connected")
            told = up
            await asyncio.sleep(_POLL_S)

    async def _await_fleet(self) -> None:
        """A connection may be the broker's alone: an agent is there when the collector says so."""
        deadline = asyncio.get_running_loop().time() + _FLEET_DEADLINE_S
        async with httpx.AsyncClient(base_url=self.web, trust_env=False) as client:
            while await _live(client) < len(self.world.vantages):
                self._check_crew(deadline)
                await asyncio.sleep(_POLL_S)

    def _check_crew(self, deadline: float) -> None:
        for process in self._dead():
            raise LabFailed(f"{process.name} ended: {process.last_words()} ({process.log})")
        if asyncio.get_running_loop().time() > deadline:
            raise LabFailed(
                f"not all agents connected within {_FLEET_DEADLINE_S:g} s; see {self.folder / LOGS}"
            )


def part_of(vantages: Sequence[Vantage], share: float) -> frozenset[Vantage]:
    """So large a part of them, taken evenly."""
    return frozenset(v for i, v in enumerate(vantages) if int((i + 1) * share) > int(i * share))


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz", timeout=2.0)).is_success
    except httpx.HTTPError:
        return False


async def _live(client: httpx.AsyncClient) -> int:
    """How many agents the collector has a session with."""
    try:
        state = (await client.get("/api/v1/state", timeout=5.0)).raise_for_status().json()
    except httpx.HTTPError:
        return 0
    return sum(int(region["live"]) for region in state["regions"])


def _own(folder: Path) -> TextIO:
    """Takes the folder for this lab alone, empty; nothing that is not a lab's is ever removed."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _LOCK).exists():
        raise LabFailed(f"{folder} is not empty and was not made by a lab; name another folder with --dir")
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / _LOCK).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise LabFailed(f"a lab is already running in {folder}") from error
    for entry in folder.iterdir():
        if entry.name not in (_LOCK, BYTECODE):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return lock
