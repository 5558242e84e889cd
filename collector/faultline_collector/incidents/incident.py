"""An incident: a scenario with its story and its sources."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from faultline.config import Settings, parse_config
from faultline_collector.incidents import FOLDER, SUFFIX, UnknownIncident, incident_names
from faultline_collector.worlds.scenario import Moment, Scenario


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone like Asia/Kolkata") from error
    return name


class Place(Settings):
    """Whose clock the story is told by, beside UTC."""

    name: str
    zone: Annotated[str, AfterValidator(_zone)]


class Incident(Scenario):
    """What truly happened, when, and who says so; `timeline` is its course in sentences."""

    title: str
    summary: str
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    told_in: Place
    timeline: tuple[tuple[Moment, str], ...]


def read_incident(name: str) -> Incident:
    """Reads an incident; raises UnknownIncident, or BadConfig when its file is wrong."""
    if name not in incident_names():
        raise UnknownIncident(f"{name!r} is not an incident; there are {', '.join(incident_names())}")
    file = FOLDER / f"{name}{SUFFIX}"
    return parse_config(file.read_text(encoding="utf-8"), Incident, file.name)
