"""`faultline-agent status`: what the agent on this machine does, and why when it does nothing."""

import json
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import click

from faultline.config import BadConfig, read_config
from faultline_agent.config import AgentConfig
from faultline_agent.process import is_running
from faultline_agent.statement import Statement, state

DEFAULT_CONFIG = Path("/etc/faultline/agent.yaml")

BAD_CONFIG, NOT_WORKING = 2, 1


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="YAML file of the agent.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(path: Path, as_json: bool) -> None:
    """Says what the agent on this machine does.

    Exit code 0: it works; 1: it does not, with the reason; 2: the configuration cannot be used.
    """
    try:
        config = read_config(path, AgentConfig)
        facts = read_facts(config.status_path)
        statement = judge(facts, config.status_path, time.time_ns() // 1000)
    except BadConfig as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_CONFIG)
    if as_json:
        click.echo(json.dumps({"works": statement.works, "reasons": statement.reasons} | facts))
    else:
        click.echo("\n".join(wrapped(line) for line in statement.text().splitlines()))
    sys.exit(0 if statement.works else NOT_WORKING)


def read_facts(path: Path) -> dict[str, Any]:
    """What the agent wrote last, empty when it never did; raises BadConfig when it cannot be read."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadConfig(str(path), [f"the status cannot be read: {error}"]) from error
    return facts if isinstance(facts, dict) else {}


def judge(facts: dict[str, Any], path: Path, now_us: int) -> Statement:
    """The statement about an agent that may never have run; raises BadConfig when the facts are not its."""
    if not facts:
        return Statement(False, ("nothing tells of a run of the agent with this configuration",), ())
    try:
        return state(facts, now_us, alive=is_running(facts["pid"], facts["process"]))
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise BadConfig(str(path), ["the status was not written by this version of the agent"]) from error


def wrapped(line: str) -> str:
    """A line within 80 columns."""
    return textwrap.fill(line, 80, subsequent_indent=" " * 11, break_on_hyphens=False)
