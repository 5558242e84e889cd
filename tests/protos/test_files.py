"""How many files a process may have open."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from faultline.files import allow_files

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
allow_files(300)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [(64, 400, "300 400"), (64, 200, "200 200"), (350, 400, "350 400")],
    ids=["as many as wanted", "as many as it may", "no fewer than there were"],
)
def test_as_many_files_are_allowed_as_may_be(soft: int, hard: int, allowed: str) -> None:
    """In a process of its own, which cannot raise the hard limit again."""
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == allowed
