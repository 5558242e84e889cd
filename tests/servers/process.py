"""A real server as a process that a test may kill, freeze and start again on the same folder and ports."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from faultline_collector.lab.processes import bound

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
        """Starts it, also again, on the same folder and ports; returns when it serves."""
        with self._log.open("ab") as words:
            child = subprocess.Popen(
                bound(self._command, signal.SIGKILL), stdin=subprocess.DEVNULL, stdout=words, stderr=words
            )
        self._child = child
        deadline = time.monotonic() + READY_S
        while not self._answers():
            waiting = child.poll() is None and time.monotonic() < deadline
            assert waiting, f"{self._command[0]}: {self._log.read_text()}"
            time.sleep(_POLL_S)

    def set_up(self) -> None:
        """Starts it for the first time."""
        self.start()

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


Server = TypeVar("Server", bound=ServerProcess)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """A server that is set up, killed afterwards."""
    try:
        server.set_up()
        yield server
    finally:
        server.kill()
