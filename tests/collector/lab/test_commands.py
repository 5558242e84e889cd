"""`faultline lab fault` and `faultline lab status` against a lab without its processes."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from faultline_collector.commands import main
from faultline_collector.lab.control import Control, Note, ask
from faultline_collector.lab.faults import BadFault
from faultline_collector.lab.lab import Lab, LabFailed, LabOptions


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """The servers of three agents, and the ear for commands."""
    lab = Lab(LabOptions(tmp_path / "lab", agents=3))
    control = Control(lab.answer)
    await lab.stage.open()
    Note(os.getpid(), await control.open(), lab.web).write(lab.folder)
    yield lab
    control.close()
    await lab.close()


async def call(lab: Lab, *words: str) -> Result:
    """Runs a command as from another terminal."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["lab", *words, "--dir", str(lab.folder)])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("global", "twitter"), "global twitter"),
        (
            ("global", "twitter", "--component", "login", "--kind", "content"),
            "global twitter --component login --kind content",
        ),
        (
            ("regional", "twitter", "--regions", "in-west, in-east"),
            "regional twitter --regions in-west,in-east",
        ),
        (("network", "AS55836"), "network 55836"),
        (("provider", "aws", "--kind", "refused"), "provider aws --kind refused"),
        (("agent",), "agent"),
        (("agent", "in-west-jio", "--isolated"), "agent in-west-jio --isolated"),
        (("collector",), "collector"),
    ],
    ids=["global", "component", "regional", "network", "provider", "agent", "isolated", "collector"],
)
async def test_fault_is_injected_listed_and_cleared(lab: Lab, words: tuple[str, ...], said: str) -> None:
    """Each command says what is broken now."""
    assert (await call(lab, "fault", *words)).output == f"{said}\n"
    assert (await call(lab, "fault", "list")).output == f"{said}\n"
    assert (await call(lab, "fault", "clear")).output == "nothing is broken\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("global", "twiter"), "faultline lab: the lab has no service 'twiter'; it has twitter, reddit"),
        (("network", "1"), "faultline lab: the lab has no network '1'; it has 55836"),
    ],
    ids=["service", "network"],
)
async def test_bad_fault_is_one_sentence_and_exit_2(lab: Lab, words: tuple[str, ...], sentence: str) -> None:
    """No traceback, and nothing breaks."""
    result = await call(lab, "fault", *words)
    assert result.exit_code == 2
    assert result.output.startswith(sentence)
    assert result.output.count("\n") == 1


async def test_status_says_who_is_connected(lab: Lab) -> None:
    """No agent runs here."""
    assert (await call(lab, "status")).output.splitlines() == [
        f"{lab.web}  0 of 3 agents connected",
        "nothing is broken",
    ]


def test_without_a_lab_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    """It says how to start one."""
    result = CliRunner().invoke(main, ["lab", "status", "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert result.output.startswith(f"faultline lab: no lab is running in {tmp_path}; start one with")


async def test_unknown_request_is_answered(lab: Lab) -> None:
    """With a sentence, over the line."""
    with pytest.raises(BadFault, match="does not know how to 'dance'"):
        await asyncio.to_thread(ask, lab.folder, {"do": "dance"})


async def test_second_lab_in_one_folder_is_refused(lab: Lab) -> None:
    """A folder belongs to one lab at a time."""
    with pytest.raises(LabFailed, match="a lab is already running in"):
        Lab(LabOptions(lab.folder, agents=3))


def test_folder_that_no_lab_made_is_left_alone(tmp_path: Path) -> None:
    """A lab empties only what is its own."""
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(LabFailed, match="is not empty and was not made by a lab"):
        Lab(LabOptions(tmp_path))
    assert (tmp_path / "thesis.tex").exists()
