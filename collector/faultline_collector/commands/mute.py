"""`faultline mute`: maintenance windows. Declaring is muted, measuring is not."""

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from faultline.durations import parse_duration
from faultline_collector.commands.agents_admin import config_option, open_registry
from faultline_collector.commands.asking import Failed, json_option, utc_option, when
from faultline_collector.commands.tables import print_json, show
from faultline_collector.config import load_config
from faultline_collector.notify.outbox import Outbox
from faultline_collector.notify.routes import Extent, Mute
from faultline_collector.outages import Scope, iso

_LAST_US = round(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1e6)
_COLUMNS = ("ID", "STATE", "SINCE", "UNTIL", "WHAT", "REASON")


@click.group()
def mute() -> None:
    """Maintenance windows: outages that lie within one are measured and shown, but nobody is told."""


@mute.command()
@click.option("--service", "services", multiple=True, help="Only this service; may come again.")
@click.option("--region", "regions", multiple=True, help="Only this region; may come again.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice([s.value for s in Scope]), help="Only this scope."
)
@click.option("--since", metavar="TIME", help="When it opens; by default now.")
@click.option("--until", metavar="TIME", help="When it closes: a time with its zone.")
@click.option("--for", "lasts", metavar="DURATION", help="Or how long it lasts: 30m, 2h.")
@click.option("--reason", default="", help="For people.")
@config_option
def add(
    services: tuple[str, ...],
    regions: tuple[str, ...],
    scopes: tuple[str, ...],
    since: str | None,
    until: str | None,
    lasts: str | None,
    reason: str,
    path: Path,
) -> None:
    """Declare a window and print its id. Without --until and --for it lasts until it is ended."""
    since_us = _now_us() if since is None else _time_us("--since", since)
    window = Mute(_extent(scopes, services, regions), since_us, _until_us(since_us, until, lasts), reason)
    with open_registry(path) as registry:
        fleet = registry.fleet()
        _known("service", services, {service.id for service in fleet.services})
        _known("region", regions, {region.id for region in fleet.regions})
        click.echo(Outbox(registry.engine).add_mute(window))


@mute.command("list")
@config_option
@json_option
@utc_option
def list_(path: Path, as_json: bool, utc: bool) -> None:
    """Show windows that are open or still to come, those of the configuration too."""
    now_us = _now_us()
    with open_registry(path) as registry:
        declared = Outbox(registry.engine).mutes()
    known = (*load_config(path).notify.mute_list(), *declared)
    found = [one for one in known if one.until_us is None or one.until_us > now_us]
    if as_json:
        for one in found:
            print_json(_json(one, now_us))
    else:
        show(_COLUMNS, (_row(one, now_us, utc=utc) for one in found), empty="Nothing is muted.")


@mute.command()
@click.argument("mute_id", metavar="ID", type=int)
@config_option
def end(mute_id: int, path: Path) -> None:
    """Close a window now; what still goes on is declared then."""
    with open_registry(path) as registry:
        if not Outbox(registry.engine).end_mute(mute_id, _now_us()):
            raise Failed(f"there is no open window {mute_id}; those of the configuration are ended there")
    click.echo(f"ended {mute_id}", err=True)


def _extent(scopes: tuple[str, ...], services: tuple[str, ...], regions: tuple[str, ...]) -> Extent:
    return Extent(frozenset(scopes), frozenset(services), frozenset(regions))


def _known(what: str, given: tuple[str, ...], known: set[str]) -> None:
    for one in given:
        if one not in known:
            raise Failed(f"--{what}: {one!r} is not among the {what}s")


def _until_us(since_us: int, until: str | None, lasts: str | None) -> int | None:
    if until is not None and lasts is not None:
        raise Failed("--until and --for cannot both be given")
    until_us = None if until is None else _time_us("--until", until)
    if lasts is not None:
        try:
            until_us = since_us + round(parse_duration(lasts).total_seconds() * 1e6)
        except ValueError as error:
            raise Failed(f"--for: {error}") from error
    if until_us is not None and until_us <= since_us:
        raise Failed("the window ends before it begins")
    if until_us is not None and until_us > _LAST_US:
        raise Failed("the window ends beyond the year 9999; without --until and --for it has no end")
    return until_us


def _time_us(option: str, text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        at_us = round(at.astimezone(UTC).timestamp() * 1e6)
    except (ValueError, OverflowError):
        at = None
    if at is None or at.tzinfo is None:
        raise Failed(f"{option}: {text!r} is not a time with its zone like 2026-11-22T20:00:00Z")
    return at_us


def _row(one: Mute, now_us: int, *, utc: bool) -> tuple[str, ...]:
    state = "open" if one.is_on(now_us) else "to come"
    since, until = when(iso(one.since_us), utc=utc), when(iso(one.until_us), utc=utc) or "it is ended"
    return str(one.id or "config"), state, since, until, _what(one.extent), one.reason


def _what(extent: Extent) -> str:
    parts = [
        f"{name} {', '.join(sorted(chosen))}"
        for name, chosen in (
            ("scope", extent.scopes),
            ("service", extent.services),
            ("region", extent.regions),
        )
        if chosen
    ]
    return "; ".join(parts) or "everything"


def _json(one: Mute, now_us: int) -> dict[str, object]:
    return {
        "id": one.id or None,
        "open": one.is_on(now_us),
        "since": iso(one.since_us),
        "until": iso(one.until_us),
        "scopes": sorted(one.extent.scopes),
        "services": sorted(one.extent.services),
        "regions": sorted(one.extent.regions),
        "reason": one.reason,
    }


def _now_us() -> int:
    return time.time_ns() // 1000
