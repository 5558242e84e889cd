"""`faultline query`: history, with how much of it is known beside every figure."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, TypeVar

import click

from faultline_collector.commands.asking import asking, given, json_option, url_option, utc_option, when, zone
from faultline_collector.commands.tables import print_json, show

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_TIMINGS = ("dns", "connect", "tls", "first_byte", "total")
_FIELDS = (
    "agent", "spool", "sequence", "target", "started_at", "received_at", "clock_offset_s",
    "attempt", "outcome", "status", "family", "saturated", "late", "detail",
)  # fmt: skip


@click.group()
def query() -> None:
    """Ask about the past."""


def _window(command: F) -> F:
    command = click.option("--until", help="End: a time, or a duration ago; now by default.")(command)
    return click.option("--since", default="1h", show_default=True, help="Begin: a time, or a duration ago.")(
        command
    )


@query.command()
@_window
@click.option("--step", help="Width of a row, like 5m; the whole window by default.")
@click.option("--service", help="Only this service.")
@click.option("--region", help="Only this region.")
@url_option
@json_option
@utc_option
def availability(url: str, as_json: bool, utc: bool, **asked: str | None) -> None:
    """Show the share of good results by service and region, and the share of time that is known."""
    with asking(url) as client:
        rows = client.get("availability", **given(**asked))["rows"]
    if as_json:
        for row in rows:
            print_json(row)
        return
    columns = (
        "SERVICE",
        "REGION",
        f"START ({zone(utc=utc)})",
        "OK",
        "FAILED",
        "UNKNOWN",
        "KNOWN",
        "AVAILABLE",
    )
    show(columns, (_availability_row(row, utc) for row in rows), empty="Nothing is probed.")


def _availability_row(row: dict[str, Any], utc: bool) -> tuple[str, ...]:
    share = "no data" if row["availability"] is None else f"{row['availability']:.3%}"
    counts = (str(row["ok"]), str(row["failed"]), str(row["unknown"]))
    return (
        row["service"],
        row["region"],
        when(row["start"], utc=utc),
        *counts,
        f"{row['coverage']:.0%}",
        share,
    )


@query.command()
@_window
@click.option("--target", help="Only this target.")
@click.option("--agent", help="Only this agent.")
@click.option("--service", help="Only this service.")
@click.option("--limit", type=int, default=1000, show_default=True, help="At most so many.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with all columns.")
@url_option
@json_option
@utc_option
def results(url: str, as_json: bool, as_csv: bool, utc: bool, **asked: str | int | None) -> None:
    """Show raw results, newest first."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    with asking(url) as client:
        rows = _begun(client.lines("results", **given(**asked)))
        if as_json:
            for row in rows:
                print_json(row)
        elif as_csv:
            _write_csv(rows)
        else:
            columns = (f"STARTED ({zone(utc=utc)})", "AGENT", "TARGET", "OUTCOME", "MS", "STATUS", "DETAIL")
            show(columns, (_result_row(row, utc) for row in rows), empty="No result in this window.")


def _begun(rows: Iterator[T]) -> Iterator[T]:
    """The same rows, the first already there: a refusal comes before anything is printed."""
    return chain(list(islice(rows, 1)), rows)


def _result_row(row: dict[str, Any], utc: bool) -> tuple[str, ...]:
    total = row["timings_ms"].get("total")
    taken = "" if total is None else f"{total:.1f}"
    status = str(row["status"] or "")
    started = when(row["started_at"], utc=utc)
    return (started, row["agent"], row["target"], row["outcome"], taken, status, row["detail"])


def _write_csv(rows: Iterable[dict[str, Any]]) -> None:
    out = csv.writer(sys.stdout)
    out.writerow([*_FIELDS, *(f"{name}_ms" for name in _TIMINGS), "more_timings_ms"])
    for row in rows:
        timings: dict[str, float] = row["timings_ms"]
        more = ";".join(f"{name}={ms}" for name, ms in timings.items() if name not in _TIMINGS)
        out.writerow([*(row[name] for name in _FIELDS), *(timings.get(name, "") for name in _TIMINGS), more])
