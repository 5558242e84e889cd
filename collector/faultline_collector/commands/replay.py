"""`faultline replay`: what the collector would have said of a trace, or of a stored window."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from faultline.config import BadConfig, read_config
from faultline_collector.commands.asking import Failed, url_option
from faultline_collector.commands.replaying import Run, nothing_kept, show_differences, show_outages, watched
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Fleet
from faultline_collector.incidents import UnknownIncident, incident_names
from faultline_collector.outages import Outage
from faultline_collector.replay.difference import differences
from faultline_collector.replay.replay import Keep
from faultline_collector.replay.told import within
from faultline_collector.replay.trace import BadTrace, open_trace

if TYPE_CHECKING:
    from faultline_collector.commands.back_testing import Past

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How it is to be replayed: the settings, others to compare with, and how it is shown."""

    settings: EngineSettings | None
    other: EngineSettings | None
    as_json: bool
    every: bool
    progress: bool | None

    def show(self, before: Sequence[Outage], after: Sequence[Outage] | None) -> None:
        """Prints what was told, or what a second telling would change."""
        if after is None:
            show_outages(before, as_json=self.as_json, every=self.every)
        else:
            show_differences(differences(before, after), as_json=self.as_json, every=self.every)


@click.command()
@click.argument("trace", required=False, type=_FILE)
@click.option(
    "--incident",
    metavar="NAME",
    help=f"Instead of a TRACE a real incident: {', '.join(incident_names())}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, of every outage.")
@click.option(
    "--all", "every", is_flag=True, help="In a table, also what was never confirmed, or is the same."
)
@click.option("--config", type=_FILE, help="A YAML file with the engine's settings.")
@click.option("--compare", type=_FILE, help="Another such file: print what would differ with it.")
@click.option(
    "--store", metavar="URL", help="Keep the results there too; with --from-store, read them there."
)
@click.option("--from-store", is_flag=True, help="Replay a stored window, and print what would have changed.")
@click.option("--since", default="1h", show_default=True, help="Its begin: a time, or a duration ago.")
@click.option("--until", help="Its end: a time, or a duration ago; now by default.")
@click.option("--registry", metavar="URL", help="With --from-store --store: who knows the fleet.")
@url_option
@click.option("--progress/--no-progress", default=None, help="Show progress (by default on a terminal).")
def replay(
    trace: Path | None,
    incident: str | None,
    as_json: bool,
    every: bool,
    config: Path | None,
    compare: Path | None,
    store: str | None,
    from_store: bool,
    since: str,
    until: str | None,
    registry: str | None,
    url: str,
    progress: bool | None,
) -> None:
    """Feed a TRACE folder through the collector's own path and print every outage in its final state.

    With --compare, what would be told otherwise is printed instead. With --from-store a window is read from
    the collector at --url over its API, and beside what it told then stands what would be told now; with
    --store it is read from a store that no collector holds, whose fleet a --registry knows, or a TRACE.
    """
    try:
        wanted = Wanted(_settings(config), _settings(compare), as_json, every, progress)
        if from_store:
            if incident is not None or (trace is not None and store is None):
                raise Failed("--from-store reads a collector's window: leave out TRACE and --incident")
            from faultline_collector.commands.back_testing import Place, past, window_of

            with past(Place(url, store, registry, trace), window_of(since, until)) as found:
                before, after = _tellings(found, partial(watched, shown=progress), wanted)
            wanted.show(before, after)
        else:
            _replay_trace(trace, incident, store, wanted)
    except (BadConfig, BadTrace, UnknownIncident) as error:
        raise Failed(str(error)) from error


def _settings(file: Path | None) -> EngineSettings | None:
    return None if file is None else read_config(file, EngineSettings)


def _replay_trace(trace: Path | None, incident: str | None, store: str | None, wanted: Wanted) -> None:
    with _folder(trace, incident) as folder:
        opened = open_trace(folder)
        with _kept(store, opened.fleet) as keep:
            outages = watched(opened, wanted.settings, shown=wanted.progress, keep=keep)
        after = None if wanted.other is None else watched(opened, wanted.other, shown=wanted.progress)
    if incident is None or wanted.as_json or after is not None:
        wanted.show(outages, after)
    else:
        from faultline_collector.commands.incidents import tell_incident
        from faultline_collector.incidents.incident import read_incident

        tell_incident(read_incident(incident), opened.fleet, outages)


def _tellings(found: "Past", run: Run, wanted: Wanted) -> tuple[list[Outage], list[Outage] | None]:
    """What is compared: two settings, else what was told then, else the usual settings; and what with it."""
    with_settings = within(run(found.trace, wanted.settings), found.window)
    if wanted.other is not None:
        return with_settings, within(run(found.trace, wanted.other), found.window)
    if found.told is not None:
        return within(found.told, found.window), with_settings
    if wanted.settings is not None:
        return within(run(found.trace, None), found.window), with_settings
    return with_settings, None


@contextmanager
def _folder(trace: Path | None, incident: str | None) -> Iterator[Path]:
    """The trace that is asked for; an incident's is made for as long as it is needed."""
    if (trace is None) is (incident is None):
        raise BadTrace("either a TRACE or --incident NAME must be given")
    if trace is not None:
        yield trace
    elif incident is not None:
        from faultline_collector.incidents.incident import read_incident
        from faultline_collector.worlds.making import make_world
        from faultline_collector.worlds.writing import write_trace

        with TemporaryDirectory(prefix="faultline-") as place:
            yield write_trace(make_world(read_incident(incident)), Path(place) / incident)


@contextmanager
def _kept(url: str | None, fleet: Fleet) -> Iterator[Keep]:
    """Puts what is replayed into a store, when one is given."""
    if url is None:
        yield nothing_kept
        return
    from faultline_collector.commands.back_testing import opened_store, sent
    from faultline_collector.replay.storing import Storing

    with TemporaryDirectory(prefix="faultline-") as folder, opened_store(url, Path(folder)) as store:
        storing = Storing(store, fleet)
        yield storing
        sent(store)
        click.echo(f"{url} holds the {storing.offered} results of this trace", err=True)
