"""`faultline demo`: the lab, what to try in it, and what Faultline says meanwhile."""

import sys
from pathlib import Path

import click

from faultline_collector.commands.lab import options_of, store_option, uplink_option


@click.command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("build/demo"), show_default=True
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="of page and API"
)
@click.option("--story", is_flag=True, help="tell a five-minute story by itself")
@store_option
@uplink_option
def demo(folder: Path, port: int, story: bool, store: str, uplink: str) -> None:
    """Runs the whole of Faultline on this machine, with faults to inject."""
    from faultline_collector.lab.run import run_demo

    sys.exit(run_demo(options_of(folder, store, uplink, web_port=port), story=story))
