"""A command in a process of its own, on a terminal of 80 columns or in a pipe."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

COLUMNS = 80
_STEERING = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_PROGRAM = (sys.executable, "-c", "from faultline_collector.commands import main; main()")


@dataclass(frozen=True, slots=True)
class Started:
    """A running command and what it prints."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def text(self) -> str:
        """All that is printed until the end, without colours."""
        printed = b""
        while piece := _read(self.output):
            printed += piece
        return _STEERING.sub(b"", printed).decode().replace("\r\n", "\n")

    def until(self, words: str) -> str:
        """What is printed until these words have been."""
        printed = b""
        while words.encode() not in (plain := _STEERING.sub(b"", printed)):
            piece = _read(self.output)
            assert piece, f"{words!r} is not in {plain!r}"
            printed += piece
        return plain.decode()


@contextmanager
def on_terminal(*arguments: str, url: str) -> Iterator[Started]:
    """Runs `faultline` on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    process = _start(arguments, url, theirs, theirs)
    os.close(theirs)
    with _ended(process), open(ours, "rb", buffering=0) as output:
        yield Started(process, output)


@contextmanager
def in_pipe(*arguments: str, url: str) -> Iterator[Started]:
    """Runs `faultline` with its output in a pipe."""
    process = _start(arguments, url, subprocess.PIPE, subprocess.DEVNULL)
    assert process.stdout is not None
    with _ended(process), process.stdout as output:
        yield Started(process, output)


def _start(arguments: tuple[str, ...], url: str, output: int, source: int) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment |= {"FAULTLINE_URL": url, "TZ": "Asia/Kolkata", "TERM": "xterm-256color"}
    command = [*_PROGRAM, *arguments]
    return subprocess.Popen(
        command, env=environment, bufsize=0, stdin=source, stdout=output, stderr=subprocess.STDOUT
    )


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _read(output: IO[bytes]) -> bytes:
    try:
        return os.read(output.fileno(), 4096)
    except OSError:  # a terminal whose other end is closed
        return b""
