"""Real incidents on a terminal: what happened beside what Faultline says of it."""

from collections.abc import Sequence

from faultline_collector.commands.tables import on_terminal, print_wrapped, show
from faultline_collector.fleet import Fleet
from faultline_collector.incidents.incident import Incident
from faultline_collector.incidents.story import is_own_trouble, story
from faultline_collector.outages import Outage


def tell_incident(incident: Incident, fleet: Fleet, outages: Sequence[Outage]) -> None:
    """Tells the story, times in UTC and in the incident's own zone."""
    if on_terminal():
        for line in (incident.title, "", incident.summary, ""):
            print_wrapped(line)
    rows = [event.row(incident.told_in.zone) for event in story(incident, fleet, outages)]
    show(("UTC", incident.told_in.name.upper(), "WHO", "WHAT"), rows, empty="Nothing happened.")
    if on_terminal():
        for line in _rest(incident, outages):
            print_wrapped(line)


def _rest(incident: Incident, outages: Sequence[Outage]) -> Sequence[str]:
    own = sum(is_own_trouble(outage) for outage in outages)
    noted = [f"Noted beside it, and told to nobody: troubles of single agents and mere suspicions ({own})."]
    return [*(noted if own else ()), "", "Sources:", *(f"  {source}" for source in incident.sources)]
