"""Whether a process is still the same one."""

import os
import subprocess
import sys

from faultline_agent.process import birth_of, is_running


def test_this_process_is_running() -> None:
    """It was born once."""
    assert birth_of(os.getpid())
    assert is_running(os.getpid(), birth_of(os.getpid()))


def test_process_with_the_same_number_is_another_one() -> None:
    """Numbers are used again."""
    assert not is_running(os.getpid(), "12345")


def test_ended_process_is_not_running() -> None:
    """However it ended."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        child.wait()
    assert not is_running(child.pid, "1")
    assert birth_of(child.pid) == ""


def test_process_of_somebody_else_is_seen() -> None:
    """Process 1 belongs to the system; as root or not, it is there."""
    assert is_running(1, birth_of(1))
