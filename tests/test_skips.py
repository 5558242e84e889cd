"""What a skip is on a laptop and in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import MAY_BE_SKIPPED

ROOT = Path(__file__).resolve().parent.parent


def outcome(folder: Path, ci: str, reason: str) -> str:
    """The last line of pytest about a test that skips itself."""
    file = folder / "test_skipping.py"
    file.write_text(f"import pytest\n\ndef test_something():\n    pytest.skip({reason!r})\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.skips", "--rootdir", str(folder), str(file)]
    environment = os.environ | {"CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout


@pytest.mark.parametrize(
    ("ci", "reason", "counted", "told"),
    [
        pytest.param("", "no server", "1 skipped in", "", id="on a laptop"),
        pytest.param("true", "no server", "1 failed in", "py:4: skipped in CI: no server", id="in CI"),
        pytest.param("true", MAY_BE_SKIPPED[0], "1 skipped in", "", id="listed"),
    ],
)
def test_a_skip_is_a_failure_in_ci(tmp_path: Path, ci: str, reason: str, counted: str, told: str) -> None:
    """What was not tested is not green, unless it is no part of the project."""
    said = outcome(tmp_path, ci, reason)
    assert counted in said
    assert told in said
