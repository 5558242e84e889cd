"""Whether a process that wrote something down is still the same one."""

import os
from pathlib import Path


def birth_of(pid: int) -> str:
    """When a process began, as its system counts; empty where that cannot be known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def is_running(pid: int, birth: str) -> bool:
    """Whether the process is there and is not another one with the same number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return birth_of(pid) == birth
