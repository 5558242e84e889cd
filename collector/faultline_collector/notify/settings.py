"""Who is told of what: the part `notify` of the collector's configuration."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from faultline.config import Between, Settings
from faultline.durations import Duration, format_duration
from faultline_collector.notify.routes import Extent, Mute, Route
from faultline_collector.outages import Scope


def _moment(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(at, datetime) and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    said = value.isoformat() if isinstance(value, datetime) else repr(value)
    raise PydanticCustomError(
        "value_error",
        "",
        {"error": f"{said} is not a time with its zone like 2026-11-22T20:00:00Z"},
    )


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""A pydantic field that reads ISO 8601 with a zone."""


def _some_time(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError(f"{format_duration(value)!r} is no time at all")
    return value


SomeTime = Annotated[Duration, AfterValidator(_some_time)]
"""A duration that is not nothing."""


class ReceiverSettings(Settings):
    """Somebody who is told; what is not named here are the settings of its kind."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, Field(description="letters, digits, '.', '_', '-'; unique")]
    kind: Annotated[str, Field(description="notifier: webhook or alertmanager")]
    timeout: Annotated[SomeTime, Field(description="of one try")] = timedelta(seconds=10)
    give_up: Annotated[
        Duration, Field(description="how long a notice is tried; then it has failed, and is counted")
    ] = timedelta(days=1)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of its kind."""
        return dict(self.model_extra or {})


class ExtentSettings(Settings):
    """What is meant; a list that is empty leaves all open."""

    scopes: Annotated[tuple[Scope, ...], Field(description="scopes; empty: all")] = ()
    services: Annotated[tuple[str, ...], Field(description="services; empty: all")] = ()
    regions: Annotated[tuple[str, ...], Field(description="regions; empty: all")] = ()

    @property
    def extent(self) -> Extent:
        """The same as sets."""
        return Extent(
            frozenset(s.value for s in self.scopes), frozenset(self.services), frozenset(self.regions)
        )


class RouteSettings(ExtentSettings):
    """Who is told of outages that touch these scopes, services and regions."""

    to: Annotated[tuple[str, ...], Field(description="receivers")]


class MuteSettings(ExtentSettings):
    """A maintenance window: outages that lie within it are measured, but not declared while it is open."""

    since: Annotated[Moment, Field(description="when it opens")]
    until: Annotated[Moment, Field(description="when it closes")]
    reason: Annotated[str, Field(description="for people")] = ""

    @property
    def mute(self) -> Mute:
        """The same for the outbox."""
        return Mute(self.extent, _us(self.since), _us(self.until), self.reason)


class NotifySettings(Settings):
    """Who is told of outages; without receivers, nobody."""

    receivers: Annotated[tuple[ReceiverSettings, ...], Field(description="who can be told")] = ()
    routes: Annotated[
        tuple[RouteSettings, ...], Field(description="who is told of what; empty: everybody of everything")
    ] = ()
    mutes: Annotated[
        tuple[MuteSettings, ...], Field(description="maintenance windows; also faultline mute")
    ] = ()
    keep: Annotated[Duration, Field(description="how long sent notices can be listed")] = timedelta(days=30)
    most_waiting: Annotated[
        int,
        Between(1, 1_000_000),
        Field(description="notices that may wait; beyond it the oldest is dropped and counted"),
    ] = 10_000

    def mute_list(self) -> tuple[Mute, ...]:
        """The maintenance windows."""
        return tuple(mute.mute for mute in self.mutes)

    def route_list(self) -> tuple[Route, ...]:
        """The routes."""
        return tuple(Route(route.to, route.extent) for route in self.routes)

    def receiver_ids(self) -> tuple[str, ...]:
        """The receivers' ids."""
        return tuple(receiver.id for receiver in self.receivers)


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
