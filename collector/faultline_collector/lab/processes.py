"""Real processes: started with a log each, ended by their ids within a deadline."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE_S = 3.0
"""How long a process may take to end before it is killed."""

LOGS = "logs"
BYTECODE = "bytecode"
"""Folders of a crew within its own; the second is worth keeping."""

_LOG_TAIL_BYTES = 2000


def program(name: str) -> str:
    """The command of this name that belongs to the Python that runs."""
    return str(Path(sys.executable).with_name(name))


@dataclass(frozen=True, slots=True)
class Process:
    """One started process and where its words go."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.child.poll() is None

    def last_words(self) -> str:
        """The end of its log."""
        text = self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()
        return text.splitlines()[-1] if text else "it said nothing"


class Crew:
    """All processes of one lab; none outlives `end`, nor this process itself."""

    def __init__(self, folder: Path) -> None:
        self._logs = folder / LOGS
        self._environment = {
            "PYTHONPYCACHEPREFIX": str(folder / BYTECODE),  # dozens start: none compiles what another has
            "PYTHONDONTWRITEBYTECODE": "",
        }
        self._processes: dict[str, Process] = {}

    def start(self, name: str, command: Sequence[str]) -> Process:
        """Starts one; a name is used again only after its process ended."""
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        with log.open("ab") as words:
            child = subprocess.Popen(
                bound(command),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        process = self._processes[name] = Process(name, child, log)
        return process

    def __getitem__(self, name: str) -> Process:
        return self._processes[name]

    def dead(self) -> list[Process]:
        """Those that ended by themselves."""
        return [process for process in self._processes.values() if not process.alive]

    async def end(self, grace_s: float = GRACE_S) -> None:
        """Asks all to end, and kills those that do not within `grace_s`; safe twice."""
        for process in self._processes.values():
            if process.alive:
                process.child.send_signal(signal.SIGTERM)
        await asyncio.to_thread(_await_all, list(self._processes.values()), grace_s)


def _await_all(processes: Sequence[Process], grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    for process in processes:
        try:
            process.child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.child.kill()
            process.child.wait()


def bound(command: Sequence[str], number: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command such that the kernel sends it this signal when its parent is gone (with util-linux).

    Not by preexec_fn: it forks, and a fork of a process in which gRPC has run may never come to its program.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", number.name.removeprefix("SIG"), *command] if setpriv else list(command)
