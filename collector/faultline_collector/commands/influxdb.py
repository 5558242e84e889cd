"""`faultline influxdb`: what InfluxDB needs before a collector keeps its results there."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faultline.config import BadConfig

if TYPE_CHECKING:
    from faultline_collector.config import CollectorConfig
    from faultline_collector.stores.influxdb.address import Address
    from faultline_collector.stores.influxdb.setup import Wish

_OPERATOR = "FAULTLINE_INFLUXDB_OPERATOR_TOKEN"


@click.group()
def influxdb() -> None:
    """The server in which the store influxdb:// keeps results."""


@influxdb.command()
@click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The collector's YAML file: store, retention, influxdb.token_file.",
)
@click.option(
    "--operator-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Holds a token that may make buckets and tokens; else {_OPERATOR} does.",
)
def setup(path: Path, operator_token_file: Path | None) -> None:
    """Makes buckets, retention and a token that may use just them; changes nothing when run again."""
    from faultline_collector.config import load_config
    from faultline_collector.stores.influxdb.setup import set_up
    from faultline_collector.stores.store import StoreError

    try:
        address, wish, operator = _asked(load_config(path), operator_token_file)
        for said in set_up(address, operator, wish):
            click.echo(said)
    except (BadConfig, StoreError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from error


def _asked(config: "CollectorConfig", operator_token_file: Path | None) -> tuple["Address", "Wish", str]:
    from faultline_collector.stores.influxdb.address import parse_address, read_token
    from faultline_collector.stores.influxdb.setup import Wish
    from faultline_collector.stores.store import StoreError

    scheme, _, place = config.store.partition("://")
    if scheme not in ("influxdb", "influxdbs"):
        raise StoreError(f"store: {config.store!r} is not influxdb://HOST:PORT/ORGANISATION/BUCKET")
    if config.influxdb.token_file is None:
        raise StoreError("influxdb.token_file: is not set; it says where the collector's token is put")
    address = parse_address(place, tls=scheme == "influxdbs")
    operator = read_token(operator_token_file, "--operator-token-file", _OPERATOR)
    retention = config.retention
    return address, Wish(retention.raw, retention.rollups, config.influxdb.token_file), operator
