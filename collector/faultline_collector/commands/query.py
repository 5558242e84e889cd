"""`faultline query`: history, with how much of it is known beside every figure."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import chain, islice
from typing import Any, TypeVar

import click

from faultline_collector.commands.asking import (
    asking,
    given,
    json_option,
    url_option,
    utc_option,
    waiting,
    when,
    zone,
)
from faultline_collector.commands.figures import Columns, availability_columns, latency_columns
from faultline_collector.commands.tables import on_terminal, print_json, print_wrapped, show

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_TIMINGS = ("dns", "connect", "tls", "first_byte", "total")
_FIELDS = (
    "agent", "spool", "sequence", "target", "started_at", "received_at", "clock_offset_s",
    "attempt", "outcome", "status", "family", "saturated", "late", "asked", "detail",
)  # fmt: skip

WINDOW = (
    click.option("--since", default="1h", show_default=True, help="Begin: a time, or a duration ago."),
    click.option("--until", help="End: a time, or a duration ago; now by default."),
)
SCOPE = (
    click.option("--service", help="Only this service."),
    click.option("--component", help="Only this component."),
    click.option("--target", help="Only this target."),
    click.option("--provider", help="Only what stands on this provider."),
    click.option("--region", help="Only from this region."),
    click.option("--network", help="Only from this network, like AS55836."),
    click.option("--family", help="Only over this address family, 4 or 6."),
)
_DIVIDED = (
    click.option(
        "--by",
        default="service,region",
        show_default=True,
        help="What to divide by: service, component, target, provider, region, network, family.",
    ),
    click.option("--step", help="Width of a row, like 5m; the whole window by default."),
)


def options(*groups: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    """All options of the groups, in order."""
    return lambda command: reduce(lambda done, option: option(done), reversed([*chain(*groups)]), command)


@click.group()
def query() -> None:
    """Ask about the past."""


@query.command()
@options(WINDOW, _DIVIDED, SCOPE)
@url_option
@json_option
@utc_option
def availability(url: str, as_json: bool, utc: bool, **asked: str | None) -> None:
    """Show the share of good results, and the share of time that is known.

    Rows of several regions show the mean by the regions' weights and the worst region too.
    """
    answer = _answer(url, "availability", **asked)
    if as_json:
        _print_all(answer["rows"])
        return
    stepped = asked["step"] is not None
    columns = availability_columns(str(asked["by"]), stepped=stepped, utc=utc, brief=on_terminal())
    _show_rows(columns, answer["rows"])
    _print_notes(answer["notes"])


@query.command()
@options(WINDOW, _DIVIDED, SCOPE)
@click.option(
    "--timing", default="total", show_default=True, help="Of total, dns, connect, tls, first_byte, answer."
)
@url_option
@json_option
@utc_option
def latency(url: str, as_json: bool, utc: bool, **asked: str | None) -> None:
    """Show percentiles of a timing over good results, and the share of time that is known.

    Rows of several regions show the mean of medians by the regions' weights and the worst region too.
    """
    answer = _answer(url, "latency", **asked)
    if as_json:
        _print_all(answer["rows"])
        return
    stepped = asked["step"] is not None
    columns = latency_columns(str(asked["by"]), stepped=stepped, utc=utc, brief=on_terminal())
    _show_rows(columns, answer["rows"])
    _print_notes([*answer["notes"], f"percentiles are within {answer['error']:.1%} of the timing"])


@query.command()
@options(WINDOW, SCOPE)
@click.option("--agent", help="Only this agent.")
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
        with waiting("asking for results"):
            rows = _begun(client.lines("results", **given(**asked)))
        if as_json:
            _print_all(rows)
        elif as_csv:
            _write_csv(rows)
        else:
            columns = (f"STARTED ({zone(utc=utc)})", "AGENT", "TARGET", "OUTCOME", "MS", "STATUS", "DETAIL")
            show(columns, (_result_row(row, utc) for row in rows), empty="No result in this window.")


def _answer(url: str, question: str, **asked: str | None) -> dict[str, Any]:
    with asking(url) as client, waiting(f"asking for {question}"):
        return client.get(question, **given(**asked))


def _show_rows(columns: Columns, rows: Iterable[dict[str, Any]]) -> None:
    cells = (tuple(write(row) for write in columns.values()) for row in rows)
    show(tuple(columns), cells, empty="Nothing is probed.")


def _print_all(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        print_json(row)


def _print_notes(notes: Iterable[str]) -> None:
    """What must be known with the figures; where a program reads them, only `--json` has all."""
    if on_terminal():
        for note in notes:
            print_wrapped(note)


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
