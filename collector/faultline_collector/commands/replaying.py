"""A replay at work and its outcome: progress for who watches, tables for people, lines for programs."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import click

from faultline_collector.commands.asking import when
from faultline_collector.commands.tables import on_terminal, print_json, print_wrapped, show
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage, iso, outage_json
from faultline_collector.replay.difference import Change, Difference
from faultline_collector.replay.replay import Keep
from faultline_collector.replay.replay import replay as run_replay
from faultline_collector.replay.trace import CHUNK, Trace

Run = Callable[[Trace, EngineSettings | None], list[Outage]]

_STEPS, _LEAST_ROWS = 100, 1000
"""Steps in which progress is shown, and the fewest rows of one."""


def nothing_kept(results: object) -> None:
    """Keeps nothing."""


def watched(
    trace: Trace, settings: EngineSettings | None, *, shown: bool | None, keep: Keep = nothing_kept
) -> list[Outage]:
    """Replays, with a bar on standard error where that is a terminal, or as `shown` says."""
    if not (sys.stderr.isatty() if shown is None else shown):
        return run_replay(trace, settings, keep=keep)
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(trace.name), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    chunk = min(CHUNK, max(_LEAST_ROWS, trace.rows // _STEPS))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=trace.rows or None)
        return run_replay(
            trace, settings, chunk=chunk, progress=lambda rows: bar.advance(task, rows), keep=keep
        )


def show_outages(outages: Sequence[Outage], *, as_json: bool, every: bool) -> None:
    """Every outage in its final state; a table leaves out what was never confirmed unless all is wanted."""
    if as_json:
        for outage in outages:
            print_json(outage_json(outage))
        return
    told = [outage for outage in outages if every or outage.confirmed_us is not None]
    columns = ("DETECTED (UTC)", "STATE", "SCOPE", "SUBJECT", "LASTED", "WHY")
    show(columns, map(_row, told), empty="No outage was confirmed.")
    if on_terminal() and len(told) < len(outages):
        print_wrapped(f"{len(outages) - len(told)} were suspected and never confirmed; --all shows them.")


def show_differences(found: Sequence[Difference], *, as_json: bool, every: bool) -> None:
    """What the second telling changes in the first; a table leaves out what stays the same."""
    if as_json:
        for one in found:
            print_json(_difference_json(one))
        return
    told = [one for one in found if every or one.change is not Change.SAME]
    show(
        ("CHANGE", "DETECTED (UTC)", "SCOPE", "SUBJECT", "WHAT"),
        map(_difference_row, told),
        empty="Nothing would change.",
    )
    counts = Counter(one.change for one in found)
    notices = [sum(o is not None and o.confirmed_us is not None for o in side) for side in _sides(found)]
    summary = ", ".join(f"{counts[change]} {change}" for change in Change)
    click.echo(f"{summary}; confirmed: {notices[0]} -> {notices[1]}", err=not on_terminal())


def _sides(found: Sequence[Difference]) -> tuple[list[Outage | None], list[Outage | None]]:
    return [one.before for one in found], [one.after for one in found]


def _row(outage: Outage) -> tuple[str, ...]:
    ended = outage.resolved_us
    lasted = "open" if ended is None else f"{(ended - outage.onset_us) / 60e6:.1f} min"
    detected = when(iso(outage.detected_us), utc=True)
    return detected, outage.state.value, outage.scope.value, outage.subject.id, lasted, outage.why


def _difference_row(one: Difference) -> tuple[str, ...]:
    outage = one.before or one.after
    assert outage is not None
    detected = when(iso(one.detected_us), utc=True)
    what = "; ".join(one.words) or outage.why
    return one.change.value, detected, outage.scope.value, outage.subject.id, what


def _difference_json(one: Difference) -> dict[str, object]:
    return {
        "change": one.change.value,
        "differences": list(one.words),
        "before": None if one.before is None else outage_json(one.before),
        "after": None if one.after is None else outage_json(one.after),
    }
