"""A real server as a process that a test may kill, freeze and start again on the same folder and ports."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# Not by preexec_fn: it forks, and a fork of a process in which gRPC has run may never come to its program.
DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()

READY_S = 30.0
_POLL_S = 0.02


class ServerProcess:
    """Starts `command`; `answers` says whether it serves."""

    def __init__(self, command: Sequence[str], log: Path, answers: Callable[[], bool]) -> None:
        self._command = list(command)
        self._log = log
        self._answers = answers
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._child is not None, "not started"
        return self._child.pid

    def start(self) -> None:
        """Starts it, also again; returns when it serves."""
        with self._log.open("ab") as words:
            child = subprocess.Popen(
                [*DIES_WITH_PARENT, *self._command], stdin=subprocess.DEVNULL, stdout=words, stderr=words
            )
        self._child = child
        deadline = time.monotonic() + READY_S
        while not self._answers():
            waiting = child.poll() is None and time.monotonic() < deadline
            assert waiting, f"{self._command[0]}: {self._log.read_text()}"
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """kill -9, and waits until it is gone; safe twice."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Asks it to end, and waits; safe twice."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def signal(self, number: int) -> None:
        """Sends any other signal."""
        os.kill(self.pid, number)

    def _end(self, number: int) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(number)
        child.send_signal(signal.SIGCONT)  # a frozen process heeds nothing but SIGKILL
        try:
            child.wait(READY_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def takes_connections(port: int) -> bool:
    """Whether somebody listens on the port of 127.0.0.1."""
    with socket.socket() as trial:
        trial.settimeout(1.0)
        return trial.connect_ex(("127.0.0.1", port)) == 0


def missing(sentence: str) -> None:
    """Skips with the sentence on a laptop; fails in CI."""
    import pytest

    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)
