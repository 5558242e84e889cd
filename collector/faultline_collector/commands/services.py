"""`faultline services`: how every service stands, and where."""

from collections.abc import Iterator
from typing import Any

import click

from faultline_collector.commands.asking import asking, json_option, url_option
from faultline_collector.commands.tables import print_json, show

_COLUMNS = ("SERVICE", "HEALTH", "COMPONENTS", "REGIONS")


@click.command()
@url_option
@json_option
def services(url: str, as_json: bool) -> None:
    """Show how every service stands, and where."""
    with asking(url) as client:
        found = client.get("services")["services"]
    if as_json:
        for service in found:
            print_json(service)
    else:
        show(_COLUMNS, map(_row, found), empty="No service is configured.")


def _row(service: dict[str, Any]) -> tuple[str, ...]:
    hit = [f"{part['id']} {part['health']}" for part in service["components"] if part["health"] != "ok"]
    return service["id"], service["health"], ", ".join(hit), "; ".join(_where(service))


def _where(service: dict[str, Any]) -> Iterator[str]:
    total = len(service["regions"])
    for health in ("down", "degraded", "suspected", "learning", "unknown"):
        ids = [r["region"] for r in service["regions"] if r["health"] == health]
        if ids:
            word = "no data" if health == "unknown" else health
            places = "everywhere" if len(ids) == total else "in " + ", ".join(ids)
            yield f"{word} {places}"
    if total and all(r["health"] == "ok" for r in service["regions"]):
        yield "ok everywhere"
