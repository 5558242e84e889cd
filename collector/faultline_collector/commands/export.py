"""`faultline export`: results and roll-ups of a window into a file, from a running collector."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click
import duckdb

from faultline_collector.api.export import RESULTS, ROLLUPS
from faultline_collector.commands.asking import Failed, asking, given, url_option
from faultline_collector.commands.exporting import Progress, progress
from faultline_collector.commands.query import SCOPE, WINDOW, options

FORMATS = ("parquet", "csv")

_FILE = (
    click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="The file to write."),
    click.option(
        "--format", "format_", type=click.Choice(FORMATS), help="By the name of the file when left out."
    ),
)


@click.group()
def export() -> None:
    """Write history to a Parquet or CSV file."""


@export.command()
@options(WINDOW, SCOPE)
@click.option("--agent", help="Only this agent.")
@options(_FILE)
@url_option
def results(url: str, output: Path, format_: str | None, **asked: str | None) -> None:
    """All single results, in order of receipt."""
    _export(url, "export/results", RESULTS, output, format_, asked)


@export.command()
@options(WINDOW, SCOPE)
@click.option("--width", default="5m", show_default=True, help="Width of a roll-up, 5m or 1h.")
@click.option("--timing", default="total", show_default=True, help="The timing that has percentiles.")
@options(_FILE)
@url_option
def rollups(url: str, output: Path, format_: str | None, **asked: str | None) -> None:
    """Counts, known time and percentiles by target, region, network and address family."""
    _export(url, "export/rollups", ROLLUPS, output, format_, asked)


def _export(
    url: str,
    path: str,
    columns: dict[str, str],
    output: Path,
    format_: str | None,
    asked: dict[str, str | None],
) -> None:
    kind = format_ or output.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise Failed(f"{output}: its name does not say the format; --format parquet or --format csv does")
    lines = 0
    with asking(url) as client, _written(output) as (part, file):
        with progress(f"exporting {path.partition('/')[2]}", asked["since"], asked["until"]) as bar:
            lines = _write(client.pieces(path, **given(**asked)), file, bar)
        file.close()
        if kind == "parquet":
            _to_parquet(part, columns)
    click.echo(f"{output}: {lines - 1} rows", err=True)


def _write(pieces: Iterable[bytes], file: BinaryIO, bar: Progress) -> int:
    """Writes what comes; gives the number of lines. The time that begins the last line says how far it is."""
    lines = 0
    for piece in pieces:
        file.write(piece)
        lines += piece.count(b"\n")
        last = piece[piece.rfind(b"\n", 0, -1) + 1 :].partition(b",")[0].decode()
        with suppress(ValueError):
            bar(datetime.fromisoformat(last).timestamp(), lines - 1)
    return lines


@contextmanager
def _written(output: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A file beside the output that takes its place when all went well, and else is removed."""
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("wb") as file:
            yield part, file
        os.replace(part, output)
    except OSError as error:
        raise Failed(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _to_parquet(part: Path, columns: dict[str, str]) -> None:
    """Turns a file of comma-separated values into one of Parquet, in its place."""
    packed = part.with_suffix(".parquet")
    config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "512MB", "threads": 2}
    try:
        with duckdb.connect(config=config | {"autoinstall_known_extensions": False}) as connection:
            read = connection.read_csv(str(part), header=True, columns=columns, na_values="")
            read.write_parquet(str(packed), compression="zstd")
        os.replace(packed, part)
    except duckdb.Error as error:
        raise Failed(f"Parquet cannot be written: {str(error).splitlines()[0]}") from error
    finally:
        packed.unlink(missing_ok=True)
