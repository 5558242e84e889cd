"""Real agents in processes of their own."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from faultline_agent.commands.status import status as command

DEADLINE_S = 60.0
"""Longest that a test waits for a process: the machine may be busy."""

PROGRAM = Path(sys.executable).with_name("faultline-agent")


def write_config(folder: Path, collector: str, **settings: Any) -> Path:
    """A configuration whose files all lie in the folder."""
    config = {
        "agent": "agent",
        "collector": collector,
        "token_file": str(folder / "token"),
        "spool": {"path": str(folder / "spool.db")},
        "policy": {"networks": ["127.0.0.0/8"]},
    }
    (folder / "token").write_text("secret")
    path = folder / "agent.yaml"
    path.write_text(yaml.safe_dump(config | settings))
    return path


@contextmanager
def agent(config: Path, *before: str) -> Iterator["subprocess.Popen[str]"]:
    """A running agent, started by way of what stands `before` it; killed at the end if it still runs."""
    started = [*before, str(PROGRAM), "run", "--config", str(config)]
    with subprocess.Popen(started, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs `faultline-agent` to its end."""
    return subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, timeout=DEADLINE_S)


def ask_status(config: Path, *options: str) -> Result:
    """`faultline-agent status`, within this process."""
    return CliRunner().invoke(command, ["--config", str(config), *options])


def status(config: Path) -> dict[str, Any]:
    """What `faultline-agent status --json` says."""
    said = json.loads(ask_status(config, "--json").stdout)
    assert isinstance(said, dict)
    return said


def wait_for(holds: Callable[[], object]) -> None:
    """Looks at other processes until a condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.05)
