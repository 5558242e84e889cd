"""An incident as a story: what happened, and what Faultline says of it, in order of time; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from faultline_collector.fleet import Fleet
from faultline_collector.incidents.incident import Incident
from faultline_collector.outages import Outage, Scope

WORLD, FAULTLINE = "the world", "Faultline"


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One sentence of the story; `at_us` in microseconds since 1970."""

    at_us: int
    who: str
    what: str

    def row(self, zone: str) -> tuple[str, str, str, str]:
        """The time in UTC and in a zone, who speaks, and what is said."""
        at = datetime.fromtimestamp(self.at_us / 1e6, UTC)
        return at.strftime("%H:%M:%S"), _local(at, zone), self.who, self.what


def _local(at: datetime, zone: str) -> str:
    """The time of another place, with the date where it is another day there."""
    there = at.astimezone(ZoneInfo(zone))
    return there.strftime("%H:%M:%S" if there.date() == at.date() else "%b %d %H:%M:%S")


def story(incident: Incident, fleet: Fleet, outages: Sequence[Outage]) -> list[Event]:
    """What happened beside what was said; of single agents in trouble of their own nothing is told."""
    events = [Event(round(at.timestamp() * 1e6), WORLD, f"{text}.") for at, text in incident.timeline]
    for outage in outages:
        if not is_own_trouble(outage):
            events += _said(outage, fleet)
    return sorted(events)


def is_own_trouble(outage: Outage) -> bool:
    """Whether it is one agent alone, or was never confirmed."""
    return outage.confirmed_us is None or (outage.scope is Scope.AGENT and outage.subject.kind == "agent")


def _said(outage: Outage, fleet: Fleet) -> Iterator[Event]:
    what = f"{outage.scope.value} outage of {outage.subject.kind} {outage.subject.id}"
    assert outage.confirmed_us is not None
    yield Event(outage.detected_us, FAULTLINE, f"Suspects something: the beginning of the {what}.")
    yield Event(outage.confirmed_us, FAULTLINE, f"Is sure: {what}, {_parts(outage, fleet)}. {outage.why}")
    if outage.resolved_us is not None:
        minutes = (outage.resolved_us - outage.onset_us) / 60e6
        yield Event(outage.resolved_us, FAULTLINE, f"It is over: the {what} lasted {minutes:.0f} minutes.")


def components_of(outage: Outage, fleet: Fleet) -> frozenset[str]:
    """The components that an outage's targets stand for."""
    component = {target.id: target.component for target in fleet.targets}
    return frozenset(component[t] for t in outage.target_ids if t in component)


def _parts(outage: Outage, fleet: Fleet) -> str:
    components = ", ".join(sorted(components_of(outage, fleet))) or "all that is probed"
    everywhere = len(outage.regions) == len(fleet.regions)
    places = "everywhere" if everywhere else "seen from " + (", ".join(outage.regions) or "nowhere")
    return f"{outage.severity} ({outage.layer}): {components}; {places}"
