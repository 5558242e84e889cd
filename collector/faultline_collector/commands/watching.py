"""Following outages as they change, across restarts of the collector."""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from threading import Thread
from typing import Any

import click

from faultline.backoff import Backoff
from faultline_collector.api.client import Change, Client, Unanswered
from faultline_collector.commands.outage_rows import outage_columns, outage_row
from faultline_collector.commands.tables import drawn, on_terminal, print_json, print_plain


def watch_outages(client: Client, *, as_json: bool, utc: bool) -> None:
    """Shows outages until Ctrl-C: as a live table on a terminal, else a line for every change."""
    with suppress(KeyboardInterrupt):
        if on_terminal() and not as_json:
            _live(client, utc=utc)
            return
        _end_with_reader()
        seen = News()
        for change in follow(client):
            for outage in seen.of(change):
                print_json(outage) if as_json else print_plain(outage_row(outage, utc=utc))


def _end_with_reader() -> None:
    """Ends the process once nobody reads its output any more, also while there is nothing to say."""
    with suppress(OSError):  # what is no file has no reader
        readers = select.poll()
        readers.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always told
        Thread(target=lambda: readers.poll() and os._exit(1), daemon=True).start()


def follow(client: Client, sleep: Callable[[float], None] = time.sleep) -> Iterator[Change]:
    """Changes without end; connects again when the stream breaks, but not when it never was."""
    backoff, random, failures = Backoff(most_s=10.0), Random(), 0
    connected = False
    while True:
        try:
            for change in client.changes():
                connected, failures = True, 0
                yield change
        except Unanswered as error:
            if error.permanent or not connected:
                raise
        if failures == 0:
            click.echo(f"lost the collector at {client.url}; trying again", err=True)
        failures += 1
        sleep(backoff.delay_s(failures, random))


class News:
    """Tells changes that were told already from those that were not."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, Any]] = {}

    def of(self, change: Change) -> list[dict[str, Any]]:
        """The outages of a change that differ from what was told of them; oldest first."""
        outages = change.data["outages"][::-1] if change.name == "state" else [change.data]
        new = [outage for outage in outages if self._told.get(outage["id"]) != outage]
        self._told |= {outage["id"]: outage for outage in new}
        if change.name == "state":
            self._told = {outage["id"]: outage for outage in outages}
        return new


def _live(client: Client, *, utc: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    with Live("connecting ...", console=Console(), auto_refresh=False) as live:
        for change in follow(client):
            if change.name != "state":
                continue
            rows = [outage_row(outage, utc=utc) for outage in change.data["outages"]]
            view = drawn(outage_columns(utc=utc), rows) if rows else "No outage is open. Ctrl-C ends."
            live.update(view, refresh=True)
