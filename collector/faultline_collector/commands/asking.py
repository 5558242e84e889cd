"""What the commands that ask a collector have in common: its address, its errors, and how time is written."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import click

from faultline_collector.commands.tables import on_terminal

if TYPE_CHECKING:
    from faultline_collector.api.client import Client

url_option = click.option(
    "--url",
    envvar="FAULTLINE_URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Where the collector answers; also FAULTLINE_URL.",
)
utc_option = click.option("--utc", is_flag=True, help="Write times in UTC instead of the local zone.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")

_PATIENCE_S = 0.7


class Failed(click.ClickException):
    """Raised when a command cannot do what was asked; ends with exit code 2 and one sentence."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the sentence alone."""
        click.echo(self.format_message(), file=file, err=file is None)


@contextmanager
def asking(url: str) -> Iterator["Client"]:
    """A client of the collector; what it cannot answer ends the command."""
    from faultline_collector.api.client import Client, Unanswered

    try:
        with Client(url) as client:
            yield client
    except Unanswered as error:
        raise Failed(str(error)) from error


def given(**asked: object) -> dict[str, str]:
    """The parameters that were given, as the API reads them."""
    return {
        name: str(value) for name, value in asked.items() if value not in (None, "") and value is not False
    }


def when(text: str | None, *, utc: bool, in_full: bool | None = None, now: datetime | None = None) -> str:
    """A time of the API: in full in a pipe, on a terminal the time of today, or the date and the time."""
    if text is None:
        return ""
    at = datetime.fromisoformat(text).astimezone(UTC if utc else None)
    if not on_terminal() if in_full is None else in_full:
        return at.isoformat(timespec="milliseconds")
    today = (now or datetime.now(UTC)).astimezone(at.tzinfo).date()
    if at.date() == today:
        return at.strftime("%H:%M:%S")
    return at.strftime("%b %d %H:%M" if at.year == today.year else "%Y-%m-%d %H:%M")


def zone(*, utc: bool) -> str:
    """The name of the zone in which times are written."""
    return "UTC" if utc else datetime.now().astimezone().tzname() or "local"


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows on a terminal that something is under way, once it has taken a moment."""
    if not sys.stderr.isatty():
        yield
        return
    from threading import Timer

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task(what, total=None)
    begin = Timer(_PATIENCE_S, progress.start)
    begin.start()
    try:
        yield
    finally:
        begin.cancel()
        begin.join()
        progress.stop()
