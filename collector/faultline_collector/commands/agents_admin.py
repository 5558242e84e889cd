"""`faultline agents add` and `remove`: who belongs to the fleet. They work on the registry itself."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from faultline.config import BadConfig
from faultline_collector.commands.asking import Failed
from faultline_collector.config import load_config
from faultline_collector.registry.database import RegistryError
from faultline_collector.registry.registry import Registry


@contextmanager
def open_registry(path: Path) -> Iterator[Registry]:
    """The registry that the configuration names; one that no collector has used yet is filled first."""
    try:
        config = load_config(path)
        registry = Registry(config.registry)
        with closing(registry):
            if not registry.fleet().regions:
                registry.apply(config)
            yield registry
    except (BadConfig, RegistryError) as error:
        raise Failed(str(error)) from error


config_option = click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    help="The collector's configuration, which says where the registry is.",
)


@click.command()
@click.argument("agent_id", metavar="ID")
@click.option("--region", required=True, help="The region it stands in.")
@click.option("--asn", required=True, type=int, help="The number of the network it stands in.")
@click.option("--site", default="", help="Agents of one site share power or uplink.")
@config_option
def add(agent_id: str, region: str, asn: int, site: str, path: Path) -> None:
    """Add an agent and print its token, this once. Works while the collector runs."""
    with open_registry(path) as registry:
        token = registry.add_agent(agent_id, region=region, asn=asn, site=site)
    click.echo(f"The token of agent {agent_id}, shown this once:", err=True)
    click.echo(token)


@click.command()
@click.argument("agent_id", metavar="ID")
@config_option
def remove(agent_id: str, path: Path) -> None:
    """Remove an agent; its token opens nothing any more, its results stay."""
    with open_registry(path) as registry:
        registry.remove_agent(agent_id)
    click.echo(f"removed {agent_id}", err=True)
