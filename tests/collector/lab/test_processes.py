"""Real processes, started and ended."""

import sys
from pathlib import Path

import pytest

from faultline_collector.lab.processes import Crew

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    """Nobody yet."""
    return Crew(tmp_path)


async def test_end_leaves_no_process(crew: Crew) -> None:
    """Also when it is called twice."""
    started = [crew.start(f"p{i}", [sys.executable, "-c", "import time; time.sleep(60)"]) for i in range(3)]
    await crew.end()
    await crew.end()
    assert not [process for process in started if process.alive]


async def test_process_that_does_not_listen_is_killed(crew: Crew, tmp_path: Path) -> None:
    """After its grace."""
    process = crew.start("stubborn", [sys.executable, "-c", STUBBORN])
    with (tmp_path / "logs" / "stubborn.log").open() as log:
        while not log.readline():
            assert process.alive
    await crew.end(grace_s=0.1)
    assert process.child.returncode == -9


async def test_dead_process_is_told_with_its_last_words(crew: Crew) -> None:
    """The last line of its log."""
    process = crew.start("brief", [sys.executable, "-c", "print('one'); print('no such file')"])
    process.child.wait(30)
    assert [dead.name for dead in crew.dead()] == ["brief"]
    assert process.last_words() == "no such file"


async def test_bytecode_is_written_once_and_within_the_folder(crew: Crew, tmp_path: Path) -> None:
    """Whatever the environment says: dozens of processes import the same."""
    process = crew.start(
        "told", [sys.executable, "-c", "import sys; print(sys.pycache_prefix, sys.dont_write_bytecode)"]
    )
    process.child.wait(30)
    assert process.last_words() == f"{tmp_path / 'bytecode'} False"
