"""The command `faultline`: one file a command, one line in the table."""

import click

from faultline.lazy import LazyGroup

COMMANDS = {
    "collector": "faultline_collector.commands.collector:collector",
    "check": "faultline_collector.commands.check:check",
    "agents": "faultline_collector.commands.agents:agents",
    "services": "faultline_collector.commands.services:services",
    "outages": "faultline_collector.commands.outages:outages",
    "notices": "faultline_collector.commands.notices:notices",
    "mute": "faultline_collector.commands.mute:mute",
    "query": "faultline_collector.commands.query:query",
    "export": "faultline_collector.commands.export:export",
    "influxdb": "faultline_collector.commands.influxdb:influxdb",
    "replay": "faultline_collector.commands.replay:replay",
    "lab": "faultline_collector.commands.lab:lab",
    "demo": "faultline_collector.commands.demo:demo",
}


@click.group(cls=LazyGroup, table=COMMANDS)
@click.version_option(package_name="faultline-collector", prog_name="faultline")
def main() -> None:
    """Faultline's collector: what is down, for whom, and why."""
