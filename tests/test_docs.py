"""Docs keep their word: links resolve, commands exist, every figure names the command that prints it."""

import re
import subprocess
from pathlib import Path

import pytest

from faultline_agent.commands import COMMANDS as AGENT_COMMANDS
from faultline_collector.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
WORDS = (
    "Agent Region Network Site Target Component Service Provider Probe Outcome Result Evidence "
    "Cause Scope Outage Report"
)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pages
def test_every_link_to_a_file_resolves(page: Path) -> None:
    """A page never points to a file that is not there."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pages
def test_every_command_in_a_code_block_exists(page: Path) -> None:
    """What a page tells to run can be run."""
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for name in re.findall(r"^make ([a-z0-9]+)", block, re.MULTILINE):
            assert name in targets, f"make {name}"
        for name in re.findall(r"(?:^|bin/)faultline ([a-z]+)", block, re.MULTILINE):
            assert name in COMMANDS, f"faultline {name}"
        for name in re.findall(r"(?:^|bin/)faultline-agent ([a-z]+)", block, re.MULTILINE):
            assert name in AGENT_COMMANDS, f"faultline-agent {name}"


def test_the_glossary_has_every_word() -> None:
    """The README explains each of the words that code, wire and page use."""
    readme = (ROOT / "README.md").read_text()
    assert [word for word in WORDS.split() if f"\n| {word} |" not in readme] == []


def test_pages_with_figures_name_the_command_that_prints_them() -> None:
    """A table of figures without its command cannot be checked by anybody."""
    for name in ("benchmarks.md", "soak.md", "verdict.md"):
        assert re.search(r"`make [a-z0-9]+[^`]*`", (ROOT / "docs" / name).read_text()), name


@pytest.mark.parametrize(("asked", "told"), [((), False), (("STORY=1",), True)])
def test_the_demo_tells_its_story_only_when_asked(asked: tuple[str, ...], told: bool) -> None:
    """A variable of the Makefile's own had the name that people set."""
    command = ["make", "--dry-run", "--no-print-directory", "demo", *asked]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert ("--story" in said) is told
    assert "faultline demo" in said
