"""What the agent on this machine does, asked from a shell."""

import json
from pathlib import Path

import pytest

from tests.agent.commands.agents import agent, ask_status, status, wait_for, write_config

pytestmark = pytest.mark.timeout(180)  # processes start slowly on a busy machine


def test_agent_that_never_ran_says_so(tmp_path: Path) -> None:
    """Exit code 1: it does not work."""
    done = ask_status(write_config(tmp_path, "memory://"))
    assert done.exit_code == 1
    assert done.stdout == "why        nothing tells of a run of the agent with this configuration\n"


def test_running_killed_and_stopped_agent_are_told_apart(tmp_path: Path) -> None:
    """By the process that wrote the status."""
    config = write_config(tmp_path, "memory://")
    with agent(config) as process:
        wait_for(lambda: status(config).get("collector", {}).get("connected"))
        assert status(config)["reasons"] == ["no assignment yet"]
        process.kill()
        process.wait()
    (reason,) = status(config)["reasons"]
    assert reason.startswith(f"the agent is not running: process {process.pid} ended unexpectedly")
    with agent(config) as process:
        wait_for(lambda: status(config)["pid"] == process.pid)
        process.terminate()
        assert process.wait() == 0
    (reason,) = status(config)["reasons"]
    assert reason.startswith("the agent was stopped")


def test_agent_without_a_collector_says_since_when_and_why(tmp_path: Path) -> None:
    """In words that fit into 80 columns."""
    config = write_config(tmp_path, "grpc://127.0.0.1:1")
    with agent(config) as process:
        wait_for(lambda: "unavailable" in str(status(config).get("reasons")))
        done = ask_status(config)
        process.terminate()
        assert process.wait() == 0
    assert done.exit_code == 1
    assert "no collector reached for" in " ".join(done.stdout.split())
    assert "(never since the start)" in " ".join(done.stdout.split())
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize(
    "content",
    ["{", '{"pid": "x"}', '{"state": 5}', "[1]", '{"pid": 1e99}', f'{{"pid": {10**30}, "process": ""}}'],
)
def test_status_file_of_something_else_gets_a_sentence(tmp_path: Path, content: str) -> None:
    """And no traceback."""
    config = write_config(tmp_path, "memory://", status=str(tmp_path / "status.json"))
    (tmp_path / "status.json").write_text(content)
    done = ask_status(config)
    assert done.exit_code in (1, 2)
    assert len((done.stdout + done.stderr).splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_json_is_one_object_with_everything(tmp_path: Path) -> None:
    """For programs."""
    config = write_config(tmp_path, "memory://", status=str(tmp_path / "s" / "status.json"))
    with agent(config) as process:
        wait_for(lambda: status(config).get("collector", {}).get("connected"))
        said = json.loads(ask_status(config, "--json").stdout)
        process.terminate()
        assert process.wait() == 0
    assert {"works", "reasons", "agent", "spool", "collector", "assignment", "outcomes"} <= set(said)


def test_bad_configuration_ends_with_2(tmp_path: Path) -> None:
    """As everywhere."""
    done = ask_status(tmp_path / "none.yaml")
    assert done.exit_code == 2
    assert done.stderr == f"{tmp_path}/none.yaml: cannot be read: No such file or directory\n"
