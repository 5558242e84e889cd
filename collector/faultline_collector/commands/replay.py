"""`faultline replay`: what the collector would have said of a trace."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from faultline.config import BadConfig, read_config
from faultline_collector.commands.incidents import incident_option, tell_incident
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.incidents.incident import UnknownIncident, read_incident
from faultline_collector.outages import Outage, outage_json
from faultline_collector.replay.replay import replay as run_replay
from faultline_collector.replay.trace import BadTrace, Trace, open_trace
from faultline_collector.worlds.making import make_world
from faultline_collector.worlds.writing import write_trace


@click.command()
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@incident_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--config", type=click.Path(path_type=Path), help="A YAML file with the engine's settings.")
@click.option("--progress/--no-progress", default=None, help="Show progress (by default on a terminal).")
def replay(
    trace: Path | None, incident: str | None, as_json: bool, config: Path | None, progress: bool | None
) -> None:
    """Feed a TRACE folder through the collector's own path and print every outage in its final state."""
    try:
        settings = read_config(config, EngineSettings) if config else EngineSettings()
        with _folder(trace, incident) as folder:
            opened = open_trace(folder)
            shown = sys.stderr.isatty() if progress is None else progress
            outages = _watched(opened, settings) if shown else run_replay(opened, settings)
    except (BadConfig, BadTrace, UnknownIncident) as error:
        raise click.exceptions.Exit(_refuse(str(error))) from error
    if as_json:
        for outage in outages:
            click.echo(json.dumps(outage_json(outage), ensure_ascii=False))
    elif incident is not None:
        tell_incident(read_incident(incident), opened.fleet, outages)
    else:
        _tell(opened, outages)


@contextmanager
def _folder(trace: Path | None, incident: str | None) -> Iterator[Path]:
    """The trace that is asked for; an incident's is made for as long as it is needed."""
    if (trace is None) is (incident is None):
        raise BadTrace("either a TRACE or --incident NAME must be given")
    if trace is not None:
        yield trace
    elif incident is not None:
        with TemporaryDirectory(prefix="faultline-") as place:
            yield write_trace(make_world(read_incident(incident)), Path(place) / incident)


def _refuse(sentence: str) -> int:
    click.echo(sentence, err=True)
    return 2


def _watched(trace: Trace, settings: EngineSettings) -> list[Outage]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(trace.name), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=trace.rows or None)
        return run_replay(trace, settings, chunk=100_000, progress=lambda rows: bar.advance(task, rows))


def _tell(trace: Trace, outages: list[Outage]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{trace.name}: {len(outages)} outages", title_justify="left", expand=True)
    for name in ("detected", "state", "scope", "subject", "lasted"):
        table.add_column(name, no_wrap=True)
    table.add_column("why")
    for outage in outages:
        said = outage_json(outage)
        ended = outage.resolved_us
        lasted = "open" if ended is None else f"{(ended - outage.onset_us) / 60e6:.1f} min"
        table.add_row(
            str(said["detected_at"])[:19],
            outage.state.value,
            outage.scope.value,
            outage.subject.id,
            lasted,
            outage.why,
        )
    console.print(table)
