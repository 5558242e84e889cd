"""`faultline agents`: the fleet, and who belongs to it."""

from typing import Any

import click

from faultline.lazy import LazyGroup
from faultline_collector.commands.asking import asking, json_option, url_option, utc_option, when, zone
from faultline_collector.commands.tables import print_json, show

CHANGES = {
    "add": "faultline_collector.commands.agents_admin:add",
    "remove": "faultline_collector.commands.agents_admin:remove",
}


@click.group(cls=LazyGroup, table=CHANGES, invoke_without_command=True)
@url_option
@json_option
@utc_option
@click.pass_context
def agents(context: click.Context, url: str, as_json: bool, utc: bool) -> None:
    """Show the fleet; `add` and `remove` change it."""
    if context.invoked_subcommand is not None:
        return
    with asking(url) as client:
        found = client.get("agents")["agents"]
    if as_json:
        for agent in found:
            print_json(agent)
        return
    columns = ("AGENT", "REGION", "NETWORK", "STATE", f"SEEN ({zone(utc=utc)})", "SPOOL", "CONDITION")
    rows = (_row(agent, utc) for agent in found)
    show(columns, rows, empty="No agent is registered; add one with `faultline agents add`.")


def _row(agent: dict[str, Any], utc: bool) -> tuple[str, ...]:
    spool = f"{agent['spool_results']} ({agent['spool_age_s']:.0f} s)" if agent["spool_results"] else ""
    seen = when(agent["last_seen"], utc=utc) or "never"
    place = (agent["id"], agent["region"], str(agent["asn"]))
    return (*place, agent["state"], seen, spool, agent["condition"])
