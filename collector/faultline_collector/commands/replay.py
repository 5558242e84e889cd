"""`faultline replay`: what the collector would have said of a trace."""

import json
import sys
from pathlib import Path

import click

from faultline.config import BadConfig, read_config
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.outages import Outage, outage_json
from faultline_collector.replay.replay import replay as run_replay
from faultline_collector.replay.trace import BadTrace, Trace, open_trace


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--config", type=click.Path(path_type=Path), help="A YAML file with the engine's settings.")
@click.option("--progress/--no-progress", default=None, help="Show progress (by default on a terminal).")
def replay(trace: Path, as_json: bool, config: Path | None, progress: bool | None) -> None:
    """Feed a TRACE folder through the collector's own path and print every outage in its final state."""
    try:
        settings = read_config(config, EngineSettings) if config else EngineSettings()
        opened = open_trace(trace)
        shown = sys.stderr.isatty() if progress is None else progress
        outages = _watched(opened, settings) if shown else run_replay(opened, settings)
    except (BadConfig, BadTrace) as error:
        raise click.exceptions.Exit(_refuse(str(error))) from error
    if as_json:
        for outage in outages:
            click.echo(json.dumps(outage_json(outage), ensure_ascii=False))
    else:
        _tell(opened, outages)


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
