"""`faultline collector`: the collector's process."""

from pathlib import Path

import click

from faultline.config import BadConfig


@click.group()
def collector() -> None:
    """The process that takes results, judges them and shows what is down."""


@collector.command()
@click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The collector's YAML file.",
)
def run(path: Path) -> None:
    """Runs until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    import uvloop

    from faultline_collector import logs
    from faultline_collector.app import serve
    from faultline_collector.config import load_config
    from faultline_collector.ingest.server import CannotListen
    from faultline_collector.registry.database import RegistryError
    from faultline_collector.stores.store import StoreError

    try:
        config = load_config(path)
        logs.set_up()
        uvloop.run(serve(config, path, click.echo))
    except (BadConfig, RegistryError, StoreError, CannotListen) as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from error
