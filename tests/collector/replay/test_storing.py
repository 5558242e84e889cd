"""Replaying into a store and out of it, comparing settings, and what is shown meanwhile."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from faultline_collector.commands import main
from faultline_collector.results import concatenate
from faultline_collector.stores import open_store
from faultline_collector.stores.store import ResultQuery
from tests.collector.commands.terminal import on_terminal
from tests.collector.replay.traces import SECONDS, write_trace

UNIQUE = 12 * 4 * SECONDS // 5
"""Results of the trace without its resends."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small trace with resends, strangers and targets that nobody knows."""
    return write_trace(tmp_path / "small", messy=True)


def faultline(*arguments: object) -> Result:
    """Runs `faultline replay`."""
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def test_a_trace_is_stored_exactly_once(folder: Path, tmp_path: Path) -> None:
    """Resends, and the same trace again, add nothing; another trace of the same agents is no resend."""
    url = f"duckdb://{tmp_path / 'kept.duckdb'}"
    other = write_trace(tmp_path / "other", name="other")
    for trace in (folder, folder, other):
        run = faultline(trace, "--json", "--store", url)
        assert run.exit_code == 0, run.output
        assert run.stderr == f"{url} holds the {UNIQUE} results of this trace\n"
    store = open_store(url)
    kept = concatenate(list(store.results(ResultQuery(since_us=0, until_us=2**60))))
    store.close()
    assert len(kept) == 2 * UNIQUE
    spools = {source.spool_id for source in kept.sources}
    assert len(spools) == 2
    assert all(spool.startswith("trace-") for spool in spools)
    assert np.unique(kept.sequence).size == UNIQUE // 12


def test_storing_changes_nothing_of_what_is_told(folder: Path) -> None:
    """The same lines with a store and without."""
    assert faultline(folder, "--json", "--store", "memory://").stdout == faultline(folder, "--json").stdout


def test_what_was_stored_is_told_again_with_the_trace_s_fleet(folder: Path, tmp_path: Path) -> None:
    """The store knows no fleet; without a registry the usual settings are what others are compared with."""
    url = f"duckdb://{tmp_path / 'kept.duckdb'}"
    faultline(folder, "--store", url)
    window = ("--from-store", "--store", url, "--since", "2026-01-05", "--until", "2026-01-05T00:03Z")
    (line,) = faultline(folder, *window, "--json").stdout.splitlines()
    assert json.loads(line)["subject"] == {"kind": "service", "id": "s1"}
    (tmp_path / "deaf.yaml").write_text("open_nats: 100\n")
    run = faultline(folder, *window, "--config", tmp_path / "deaf.yaml", "--json")
    assert json.loads(run.stdout)["change"] == "gone"


def test_other_settings_are_compared(folder: Path, tmp_path: Path) -> None:
    """A hold of ten seconds instead of five confirms five seconds later, and changes nothing else."""
    for hold in (5, 10):
        (tmp_path / f"{hold}.yaml").write_text(f"hold_s: {hold}\n")
    options = (folder, "--config", tmp_path / "5.yaml", "--compare", tmp_path / "10.yaml")
    (line,) = faultline(*options, "--json").stdout.splitlines()
    row = json.loads(line)
    assert (row["change"], row["before"]["scope"], row["after"]["scope"]) == ("changed", "global", "global")
    assert any(words.startswith("confirmed ") and words.endswith(" later") for words in row["differences"])
    table = faultline(*options)
    assert table.stdout.splitlines()[1].startswith("changed\t")
    assert table.stderr == "0 same, 1 changed, 0 gone, 0 new; confirmed: 1 -> 1\n"


def test_what_stays_the_same_is_shown_with_all(folder: Path, tmp_path: Path) -> None:
    """Without it the table has the changes alone."""
    (tmp_path / "same.yaml").write_text("reopen_s: 421\n")
    options = (folder, "--compare", tmp_path / "same.yaml")
    assert len(faultline(*options).stdout.splitlines()) == 1
    assert faultline(*options, "--all").stdout.splitlines()[1].startswith("same\t")


def test_what_was_never_confirmed_is_shown_with_all(folder: Path, tmp_path: Path) -> None:
    """In JSON it always is."""
    (tmp_path / "slow.yaml").write_text("hold_s: 3600\n")
    options = (folder, "--config", tmp_path / "slow.yaml")
    assert len(faultline(*options).stdout.splitlines()) == 1
    assert "withdrawn" in faultline(*options, "--all").stdout.splitlines()[1]
    assert json.loads(faultline(*options, "--json").stdout)["confirmed_at"] is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nothing", "'nothing' is not the URL of a store, which begins with "),
        ("duckdb:///nowhere/at/all", "the folder /nowhere/at does not exist"),
    ],
)
def test_a_store_that_cannot_be_used_is_a_sentence(folder: Path, url: str, said: str) -> None:
    """Exit code 2, and nothing is replayed."""
    run = faultline(folder, "--store", url)
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr.startswith(said)
    assert len(run.stderr.splitlines()) == 1


def test_a_terminal_sees_progress_and_a_table(folder: Path) -> None:
    """A bar while it runs, then a table within 80 columns that says what it leaves out."""
    with on_terminal("replay", str(folder), url="") as started:
        text = started.text()
    assert "━" in text
    assert "small" in text
    assert "DETECTED (UTC)" in text
    assert max(map(len, text.split("DETECTED")[1].splitlines())) <= 80
