"""The command `faultline-agent`: one file a command, one line in the table."""

from importlib.metadata import version

import click

from faultline.lazy import LazyGroup

COMMANDS = {
    "run": "faultline_agent.commands.run:run",
    "probe": "faultline_agent.commands.probe:probe",
    "status": "faultline_agent.commands.status:status",
}


@click.group(cls=LazyGroup, table=COMMANDS)
@click.version_option(version("faultline-agent"), prog_name="faultline-agent")
def main() -> None:
    """Faultline's agent: probes targets from here and reports to the collector."""
