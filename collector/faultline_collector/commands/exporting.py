"""How far an export is, for those who watch it on a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from faultline_collector.api.questions import parse_moment

Progress: TypeAlias = Callable[[float, int], None]
"""Is told the time of the last row, in seconds since 1970, and how many rows there are."""


@contextmanager
def progress(what: str, since: str | None, until: str | None) -> Iterator[Progress]:
    """A bar on standard error while it is a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda at_s, rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
    )
    begin_s, end_s = _seconds(since or "now"), _seconds(until or "now")
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=end_s - begin_s, rows=0)
        yield lambda at_s, rows: bar.update(task, completed=max(0.0, at_s - begin_s), rows=rows)


def _seconds(words: str) -> float:
    """When it is; what is no time the collector will refuse in its own words."""
    now_us = time.time_ns() // 1000
    try:
        return parse_moment(words).us(now_us) / 1e6
    except ValueError:
        return now_us / 1e6
