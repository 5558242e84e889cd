"""What the agent says about itself to people on its machine: a small file, written anew every two seconds."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from faultline_agent.clocks import Clocks
from faultline_agent.config import AgentConfig
from faultline_agent.conversation import Link
from faultline_agent.outbox import Outbox
from faultline_agent.process import birth_of
from faultline_agent.runner import Runner
from faultline_agent.station import VERSION, AgentStation

EVERY_S = 2.0


class StatusFile:
    """Writes the agent's state into its status file."""

    def __init__(
        self,
        config: AgentConfig,
        station: AgentStation,
        outbox: Outbox,
        link: Link,
        runner: Runner,
        clocks: Clocks,
    ) -> None:
        self._config = config
        self._station = station
        self._outbox = outbox
        self._link = link
        self._runner = runner
        self._clocks = clocks
        self._started_us = clocks.wall_us()
        self._birth = birth_of(os.getpid())
        self._thread = ThreadPoolExecutor(1, "status")

    async def run(self) -> NoReturn:
        """Writes until cancelled."""
        while True:
            await self._write("running")
            await asyncio.sleep(EVERY_S)

    async def write_last(self) -> None:
        """Notes that the agent has stopped on purpose, after what is being written."""
        await self._write("stopped")
        self._thread.shutdown(wait=False)

    async def _write(self, state: str) -> None:
        path, facts = self._config.status_path, self.facts(state)
        await asyncio.get_running_loop().run_in_executor(self._thread, write_atomically, path, facts)

    def facts(self, state: str) -> dict[str, Any]:
        """The state as it goes into the file; times in microseconds since 1970."""
        spool, duty, tally, link = self._outbox.state, self._station.duty, self._runner.tally, self._link
        return {
            "agent": self._config.agent,
            "version": VERSION,
            "state": state,
            "pid": os.getpid(),
            "process": self._birth,
            "started_us": self._started_us,
            "written_us": self._clocks.wall_us(),
            "condition": self._station.condition,
            "collector": {
                "url": self._config.collector,
                "connected": link.connected,
                "since_us": link.since_us,
                "last_ack_us": link.last_ack_us,
                "problem": link.problem,
                "version": link.collector_version,
                "round_trip_us": link.round_trip_us,
                "rejected": dict(link.rejected),
                "unanswered": link.unanswered,
            },
            "spool": {
                "path": str(self._config.spool.path),
                "results": spool.results,
                "bytes": spool.bytes,
                "most_bytes": self._config.spool.max_bytes,
                "oldest_us": spool.oldest_us,
                "dropped": [[run.first, run.last, run.reason] for run in self._outbox.dropped],
                "lost": [[run.spool_id, run.first, run.last] for run in self._outbox.lost],
                "replaced": self._outbox.replaced,
            },
            "assignment": {
                "version": duty.version,
                "targets": len(duty.probes),
                "refused": dict(duty.refused),
            },
            "outcomes": dict(tally.outcomes),
            "shed_runs": tally.shed,
            "missed_runs": self._runner.missed,
        }


def write_atomically(path: Path, facts: dict[str, Any]) -> None:
    """Replaces the file, so that a reader sees the old state or the new one; a full disk keeps the old."""
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        with new.open("x", encoding="utf-8") as file:
            json.dump(facts, file)
        new.chmod(0o644)
        new.replace(path)
    except OSError:
        return
