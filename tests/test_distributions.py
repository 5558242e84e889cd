"""Wheels of all three build, install into an empty environment, and both commands run from them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / "build/tools/uv"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Runs a command and gives what it printed; fails with all of it."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def uv() -> str:
    """The uv that the Makefile set up."""
    found = str(UV) if UV.exists() else shutil.which("uv")
    assert found, "uv is missing: make setup"
    return found


@pytest.fixture(scope="module")
def wheels(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the three wheels, built from a copy of what git tracks."""
    source = tmp_path_factory.mktemp("source")
    tracked = run("git", "ls-files", "-z").split("\0")
    for name in filter(None, tracked):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheels")
    run(uv, "build", "--all-packages", "--wheel", "--out-dir", out, cwd=source)
    yield out
    shutil.rmtree(source)


def environment(uv: str, folder: Path, wheels: Path, name: str) -> Path:
    """An empty environment with one of the distributions; gives its bin folder."""
    run(uv, "venv", "--python", ">=3.11", folder)
    run(uv, "pip", "install", "--python", folder / "bin/python", "--find-links", wheels, f"{name}==0.1.0")
    return folder / "bin"


def test_agent_runs_from_its_wheel(uv: str, wheels: Path, tmp_path: Path) -> None:
    """The agent's environment runs its command and has nothing of the collector's."""
    place = environment(uv, tmp_path / "venv", wheels, "faultline-agent")
    assert "0.1.0" in run(place / "faultline-agent", "--version", cwd=tmp_path)
    assert "http" in run(place / "faultline-agent", "probe", "--help", cwd=tmp_path)
    installed = run(uv, "pip", "list", "--python", place / "python")
    assert not {"numpy", "duckdb", "starlette", "rich"} & set(installed.split())


def test_collector_runs_from_its_wheel_with_the_page(uv: str, wheels: Path, tmp_path: Path) -> None:
    """The collector's wheel brings the built page, the schemas and the command."""
    place = environment(uv, tmp_path / "venv", wheels, "faultline-collector")
    assert "0.1.0" in run(place / "faultline", "--version", cwd=tmp_path)
    page = next((tmp_path / "venv").glob("lib/*/site-packages/faultline_collector/api/page"))
    assert "<script" in (page / "index.html").read_text()
    config = tmp_path / "collector.yaml"
    shutil.copy(ROOT / "deploy/examples/collector.yaml", config)
    assert "targets" in run(place / "faultline", "check", config, cwd=tmp_path)
