"""An outage in a line."""

from typing import Any

from faultline_collector.commands.asking import when, zone


def outage_columns(*, utc: bool) -> tuple[str, ...]:
    """The names of a row."""
    return (f"SINCE ({zone(utc=utc)})", "STATE", "SCOPE", "SUBJECT", "WHY")


def outage_row(outage: dict[str, Any], *, utc: bool) -> tuple[str, ...]:
    """An outage in a line; its id, which explains it, stands at the end."""
    return (
        when(outage["onset"], utc=utc),
        outage["state"],
        outage["scope"],
        outage["subject"]["id"],
        f"{outage['why']} [{outage['id']}]",
    )
