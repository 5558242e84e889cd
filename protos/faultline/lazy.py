"""A click group whose commands are imported when they are called, from one table."""

import errno
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from faultline.start import INTERRUPTED


@contextmanager
def _quietly() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


class LazyGroup(click.Group):
    """Commands by name as `module:attribute`; nothing is imported for a command that is not run."""

    def __init__(self, *args: Any, table: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = dict(table or {})

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs what is asked for; a full disk is a sentence and exit code 2."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            click.echo(f"{error.filename or 'the output'} cannot be written: {error.strerror}", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
            sys.exit(2)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Reads the arguments; Ctrl-C ends that without a word."""
        with _quietly():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Imports the command and runs it; Ctrl-C ends both without a word."""
        with _quietly():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the table, in its order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command that is asked for."""
        place = self.table.get(cmd_name)
        if place is None:
            from difflib import get_close_matches

            if (near := get_close_matches(cmd_name, self.table, 1)) and not ctx.resilient_parsing:
                ctx.fail(f"No such command {cmd_name!r}; is {near[0]} meant?")
            return None
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{place} is not a command")
        return command
