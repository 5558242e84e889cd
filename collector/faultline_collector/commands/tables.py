"""Tables for people on a terminal, tab-separated lines for programs in a pipe."""

import json
import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {
    "ok": "green", "live": "green", "resolved": "green",
    "suspected": "yellow", "degraded": "yellow", "unwell": "yellow", "recovering": "yellow",
    "down": "red", "confirmed": "red", "silent": "red",
    "unknown": "dim", "never": "dim", "withdrawn": "dim", "no data": "dim",
}  # fmt: skip
"""The colour of a word wherever it fills a cell."""


def on_terminal() -> bool:
    """Whether a person reads the output."""
    return sys.stdout.isatty()


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Prints a table: drawn on a terminal, tab-separated with a line of names elsewhere."""
    if not on_terminal():
        print_plain(columns)
        for row in rows:
            print_plain(row)
        return
    from rich.console import Console

    filled = list(rows)
    Console().print(drawn(columns, filled) if filled else empty)


def drawn(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
    """A table for a terminal; the last column takes what room is left."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    for column in columns:
        table.add_column(column, overflow="fold", ratio=1 if column == columns[-1] else None)
    for row in rows:
        table.add_row(*(Text(clean(cell), style=COLOURS.get(cell, "")) for cell in row))
    return table


def print_plain(cells: Iterable[str]) -> None:
    """One line of tab-separated cells."""
    click.echo("\t".join(map(clean, cells)))


def print_wrapped(line: str, indent: int = 0) -> None:
    """One line, folded on a terminal with its rest indented."""
    width = max(40, min(get_terminal_size().columns, 100))
    text = clean(line)
    click.echo(fill(text, width, subsequent_indent=" " * indent) if on_terminal() else text)


def print_json(row: dict[str, Any]) -> None:
    """One line of JSON."""
    click.echo(json.dumps(row))


def clean(text: str) -> str:
    """A cell without what could break a line or steer a terminal; parts of it come from far away."""
    return "".join(char if char.isprintable() else " " for char in text)
