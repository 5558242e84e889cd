"""`faultline outages`: what is out, for whom, since when, and why."""

from typing import Any

import click

from faultline_collector.commands.asking import asking, given, json_option, url_option, utc_option
from faultline_collector.commands.outage_rows import outage_columns, outage_row
from faultline_collector.commands.tables import print_json, show
from faultline_collector.commands.telling import tell
from faultline_collector.commands.watching import watch_outages

_EMPTY = "No outage is open, and none has ended within a day."


@click.command()
@click.argument("outage_id", metavar="[ID]", required=False)
@click.option("--explain", metavar="ID", help="The same as naming the outage: show it with its evidence.")
@click.option("--watch", is_flag=True, help="Stay, and show every change.")
@click.option("--open", "open_only", is_flag=True, help="Only those that are open.")
@click.option("--since", help="Without those that ended before: a time, or a duration ago like 7d.")
@click.option("--limit", type=int, help="At most so many.")
@url_option
@json_option
@utc_option
def outages(
    outage_id: str | None,
    explain: str | None,
    watch: bool,
    open_only: bool,
    since: str | None,
    limit: int | None,
    url: str,
    as_json: bool,
    utc: bool,
) -> None:
    """Show outages, newest first: those that are open or ended within a day. With an ID: why."""
    with asking(url) as client:
        if watch:
            watch_outages(client, as_json=as_json, utc=utc)
        elif one := outage_id or explain:
            story = client.get(f"outages/{one}")
            print_json(story) if as_json else tell(story, utc=utc)
        else:
            found = client.get("outages", **given(open=open_only, since=since, limit=limit))
            _list(found["outages"], as_json=as_json, utc=utc)


def _list(found: list[dict[str, Any]], *, as_json: bool, utc: bool) -> None:
    if as_json:
        for outage in found:
            print_json(outage)
    else:
        rows = (outage_row(outage, utc=utc) for outage in found)
        show(outage_columns(utc=utc), rows, empty=_EMPTY)
