"""What both sides call things, and that the wire calls them the same."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from faultline.columns import TIMING_NAME, TOTAL, Flag
from faultline.lazy import LazyGroup
from faultline.outcomes import WORDS, Outcome
from faultline.v1 import results_pb2

ROOT = Path(__file__).resolve().parents[2]


def test_outcomes_are_those_of_the_wire() -> None:
    """Number by number."""
    wire = {name: number for name, number in results_pb2.Outcome.items() if number}
    assert wire == {f"OUTCOME_{outcome.name}": int(outcome) for outcome in Outcome}


def test_words_are_the_outcomes_in_lower_case() -> None:
    """As users read and write them."""
    assert WORDS["ok"] is Outcome.OK
    assert all(WORDS[outcome.word] is outcome for outcome in Outcome)


def test_only_failures_speak_against_a_target() -> None:
    """Neither ok nor inconclusive does."""
    assert {outcome for outcome in Outcome if not outcome.failed} == {Outcome.OK, Outcome.INCONCLUSIVE}


def test_flags_are_bits() -> None:
    """They can come together."""
    assert int(Flag.SATURATED | Flag.LATE) == 3


@pytest.mark.parametrize(
    ("name", "good"), [(TOTAL, True), ("first_byte", True), ("Total", False), ("", False)]
)
def test_timing_names_are_plain(name: str, good: bool) -> None:
    """They become columns."""
    assert bool(TIMING_NAME.fullmatch(name)) is good


@click.command()
def hello() -> None:
    """Says hello."""
    click.echo("hello")


not_a_command = 5


def lazy() -> LazyGroup:
    """A group of one good and one bad command, and one whose module is not there."""
    here = __name__
    return LazyGroup(
        table={"hello": f"{here}:hello", "bad": f"{here}:not_a_command", "gone": "no.such:thing"}
    )


def test_lazy_command_is_imported_when_it_is_called() -> None:
    """And no other: a broken one does not disturb."""
    done = CliRunner().invoke(lazy(), ["hello"])
    assert (done.exit_code, done.output) == (0, "hello\n")
    assert lazy().list_commands(click.Context(lazy())) == ["hello", "bad", "gone"]


def test_unknown_command_is_the_users_mistake() -> None:
    """Exit code 2; the command that is like it is named."""
    assert CliRunner().invoke(lazy(), ["nothing"]).exit_code == 2
    done = CliRunner().invoke(lazy(), ["helo"])
    assert done.exit_code == 2
    assert done.stderr.endswith("Error: No such command 'helo'; is hello meant?\n")


def test_entry_that_is_no_command_is_ours() -> None:
    """It is found by calling it."""
    with pytest.raises(TypeError, match="is not a command"):
        lazy().get_command(click.Context(lazy()), "bad")


def test_a_full_disk_is_a_sentence() -> None:
    """Exit code 2, and no traceback."""
    program = "from tests.protos.test_vocabulary import lazy; lazy()(['hello'])"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (2, "the output cannot be written: No space left on device\n")
