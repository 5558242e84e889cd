"""Ctrl-C at any moment of a program's start."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from faultline.lazy import LazyGroup

PROGRAMS = ["faultline_agent", "faultline_collector"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c_while_the_program_is_imported_is_quiet(program: str, tmp_path: Path) -> None:
    """The first foreign package that it imports is replaced by the interruption itself."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    command = [sys.executable, "-c", f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r});"
               f"runpy.run_module({program!r}, run_name='__main__')"]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.parametrize("arguments", [["slow"], ["--help"], ["quick"]], ids=["import", "help", "run"])
def test_ctrl_c_in_a_command_is_quiet(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """While it is imported, while all are listed, and while it runs."""
    (tmp_path / "interrupted_import.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.syspath_prepend(tmp_path)  # the reason: a module whose import is interrupted
    table = {"slow": "interrupted_import:command", "quick": f"{__name__}:interrupted"}
    with pytest.raises(SystemExit) as ended:
        LazyGroup("program", table=table).main(arguments)
    assert ended.value.code == 130
    assert capfd.readouterr() == ("", "")


@click.command()
def interrupted() -> None:
    """Is interrupted."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_runs_as_a_module(program: str) -> None:
    """And says who it is."""
    ended = subprocess.run(
        [sys.executable, "-m", program, "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.startswith("faultline")
