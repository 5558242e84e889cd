"""A lab in the foreground: real processes, one agent, ended by a signal."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultline_collector.commands import main
from faultline_collector.lab.control import ask
from faultline_collector.lab.lab import Lab, LabOptions
from faultline_collector.lab.run import instructions, run_demo


def injects_and_ends(folder: Path, answers: list[dict[str, object]]) -> None:
    """Another terminal: breaks something once the lab is there, asks how it is, ends it."""
    while not (folder / "lab.json").exists():
        if not threading.main_thread().is_alive():
            return
        threading.Event().wait(0.1)
    answers.append(ask(folder, {"do": "inject", "fault": {"scope": "collector"}}))
    answers.append(ask(folder, {"do": "clear"}))
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.timeout(180)
def test_demo_of_one_agent_says_how_to_break_things_and_ends_on_a_signal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Collector and agent run as processes of their own; nothing of them is left but the folder."""
    folder, answers = tmp_path / "demo", list[dict[str, object]]()
    other = threading.Thread(target=injects_and_ends, args=(folder, answers), daemon=True)
    other.start()
    assert run_demo(LabOptions(folder, agents=1, web_port=0), story=False) == 0
    other.join()
    out = capfd.readouterr().out
    assert "1 of 1 agents connected" in out
    assert "\nready http://127.0.0.1:" in out
    assert f"lab fault global twitter --dir {folder}" in out
    assert [answer["said"] for answer in answers] == [["collector"], []]
    assert (answers[0]["agents"], answers[0]["dead"]) == (1, [])
    assert not (folder / "lab.json").exists()


def test_instructions_name_the_folder_only_where_it_is_not_the_usual_one() -> None:
    """What is shown can be typed as it is."""
    assert not [line for line in instructions(Path("build/demo").resolve()) if "--dir" in line]
    assert [
        line for line in instructions(Path("/tmp/other")) if line.endswith("global twitter --dir /tmp/other")
    ]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is taken."""
    with socket.socket() as first:
        first.bind(("127.0.0.1", 0))
        yield int(first.getsockname()[1])


def test_demo_in_a_folder_of_something_else_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    """Nothing there is touched."""
    (tmp_path / "thesis.tex").write_text("precious")
    result = CliRunner().invoke(main, ["demo", "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert result.output == (
        f"faultline: {tmp_path} is not empty and was not made by a lab; name another folder with --dir\n"
    )


def test_lab_takes_the_next_port_when_the_wanted_one_is_taken(tmp_path: Path, taken: int) -> None:
    """A demo starts although something else listens there."""
    lab = Lab(LabOptions(tmp_path / "lab", agents=1, web_port=taken))
    assert taken < lab.web_port < taken + 20
    lab.release()
