"""Where `faultline replay --from-store` finds its window: a running collector, or a store that none holds."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from faultline_collector.api.client import Client
from faultline_collector.api.export import results_csv
from faultline_collector.api.questions import parse_moment
from faultline_collector.commands.asking import Failed, asking, waiting
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage, iso
from faultline_collector.registry.database import RegistryError
from faultline_collector.registry.registry import Registry
from faultline_collector.replay.told import read_fleet, read_outage
from faultline_collector.replay.trace import Trace, open_trace
from faultline_collector.replay.window import Window, write_window
from faultline_collector.stores import open_store
from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.remote import RemoteStore
from faultline_collector.stores.store import ResultQuery, Store, StoreError

_MOST_OUTAGES = 10_000
_LOOK_AGAIN_S, _PATIENCE_S = 0.1, 30.0


@dataclass(frozen=True, slots=True)
class Past:
    """A window of a store as a trace, and what was told of it then; None where nobody knows."""

    trace: Trace
    window: Window
    told: tuple[Outage, ...] | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a window is read: a store with a registry (or a trace's fleet), else a collector at `url`."""

    url: str
    store: str | None
    registry: str | None
    fleet: Path | None


def window_of(since: str, until: str | None) -> Window:
    """The window that is asked for, as `faultline query` reads it."""
    now_us = time.time_ns() // 1000
    try:
        window = Window(parse_moment(since).us(now_us), parse_moment(until or "now").us(now_us))
    except ValueError as error:
        raise Failed(str(error)) from error
    if window.since_us >= window.until_us:
        raise Failed("the window is empty: --since must lie before --until")
    return window


@contextmanager
def past(place: Place, window: Window) -> Iterator[Past]:
    """A stored window, in a folder for as long as it is needed."""
    with TemporaryDirectory(prefix="faultline-") as folder:
        if place.store is None:
            with asking(place.url) as client:
                yield _from_collector(client, window, Path(folder))
        else:
            yield _from_store(place.store, place, window, Path(folder))


def _from_collector(client: Client, window: Window, folder: Path) -> Past:
    since, until = str(iso(window.read_from_us)), str(iso(window.until_us))
    fleet = read_fleet(client.get("agents")["agents"], client.get("targets")["targets"])
    told = client.get("outages", since=str(iso(window.since_us)), limit=str(_MOST_OUTAGES))["outages"]
    with waiting("reading the window"):
        pieces = client.pieces("export/results", since=since, until=until)
        trace = open_trace(write_window(pieces, fleet, window, folder))
    return Past(trace, window, tuple(map(read_outage, told)))


def _from_store(url: str, place: Place, window: Window, folder: Path) -> Past:
    query = ResultQuery(since_us=window.read_from_us, until_us=window.until_us)
    fleet, told = _known(place, window)
    with opened_store(url, folder) as store, waiting("reading the window"):
        trace = open_trace(write_window(results_csv(store.results(query)), fleet, window, folder))
    return Past(trace, window, told)


def _known(place: Place, window: Window) -> tuple[Fleet, tuple[Outage, ...] | None]:
    """The fleet, and what was told, of those who know."""
    if place.registry is None:
        if place.fleet is None:
            raise Failed(
                "a store does not know the fleet: give --registry URL, or a TRACE with the same fleet"
            )
        return open_trace(place.fleet).fleet, None
    try:
        registry = Registry(place.registry)
        with closing(registry):
            return registry.fleet(), registry.outages(since_us=window.since_us, limit=_MOST_OUTAGES)
    except RegistryError as error:
        raise Failed(str(error)) from error


@contextmanager
def opened_store(url: str, folder: Path) -> Iterator[Store]:
    """A store that is closed in the end; the outbox of one that needs it lies in the folder."""
    try:
        with closing(open_store(url, StoreOptions(outbox=folder / "outbox"))) as store:
            yield store
    except StoreError as error:
        raise Failed(str(error)) from error


def sent(
    store: object,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Waits until a store on another machine has everything; raises StoreError when it takes nothing more."""
    if not isinstance(store, RemoteStore):
        return
    left, moved = store.standing().waiting_results, monotonic()
    while left:
        sleep(_LOOK_AGAIN_S)
        standing = store.standing()
        if standing.waiting_results < left:
            left, moved = standing.waiting_results, monotonic()
        elif monotonic() - moved > _PATIENCE_S:
            raise StoreError(
                f"{left} results were not taken: {standing.problem or 'the server does not answer'}"
            )
