"""A scenario: a fleet, what breaks in it and when, and how that shows; read from YAML or made in code."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from faultline.config import Between, Settings
from faultline.durations import Duration
from faultline_collector.outages import Scope


def _moment(value: object) -> datetime:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(at, datetime) and at.tzinfo is not None:
        return at
    raise ValueError(f"{value!r} is not a time with its zone like 2022-12-29T00:10Z")


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string"})]
Share = Annotated[float, Between(0, 1)]


class Network(Settings):
    """An autonomous system; `weight` is how many of the agents of its country stand in it."""

    asn: int
    name: str = ""
    weight: float = 1.0


class Component(Settings):
    """A part of a service; `provider` empty: the service's."""

    id: str
    provider: str = ""


class Service(Settings):
    """A service; `home` is the region it is served from, empty: from everywhere."""

    id: str
    name: str = ""
    provider: str = ""
    home: str = ""
    components: tuple[Component, ...]


class FleetPlan(Settings):
    """Who probes what: `agents` in each region, in the networks of its country, every `interval`.

    `others` are services that stand for the rest of the internet.
    """

    regions: tuple[str, ...] = ()
    agents: int = 3
    more_agents: dict[str, int] = Field(default_factory=dict)
    networks: dict[str, tuple[Network, ...]] = Field(default_factory=dict)
    old_bundles: Share = 0.0
    interval: Duration = timedelta(seconds=60)
    services: tuple[Service, ...]
    others: int = 12


class What(Settings):
    """The targets that a fault hits: those of all that is named; empty leaves open."""

    services: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    share: Share = 1.0


class From(Settings):
    """The agents that a fault hits: those of all that is named; empty leaves open."""

    regions: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()
    agents: tuple[str, ...] = ()
    ca_bundle: str = ""
    share: Share = 1.0


class Fault(Settings):
    """One thing that breaks.

    `course` says which share of the probes it hits, from point to point in straight lines; `how` weighs the
    outcomes. `spread` lets agents come in one after another. With `silent`, a share of the agents is not
    heard instead, and their results come late, are lost, or come late as inconclusive from agents that know
    themselves unwell; `slower` multiplies times and fails nothing.
    """

    what: What = What()
    seen_from: Annotated[From, Field(alias="from")] = From()
    how: dict[str, float] = Field(default_factory=lambda: {"timeout": 1.0})
    statuses: tuple[int, ...] = (503,)
    course: tuple[tuple[Moment, float], ...]
    spread: Duration = timedelta(0)
    silent: Literal["no", "late", "lost", "unwell"] = "no"
    slower: float = 1.0


class Subject(Settings):
    """What is out."""

    kind: str
    id: str


class Truth(Settings):
    """What should be told: an outage with this scope and subject, begun and ended within these times.

    `optional`: it may be told or not, a disturbance too short to count either way.
    """

    scope: Scope
    subject: Subject
    components: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()
    began: tuple[Moment, Moment]
    ended: tuple[Moment, Moment]
    layer: str = ""
    severity: float = 1.0
    optional: bool = False


class Noise(Settings):
    """How restless the world is: `level` 1 is what was measured of real paths, `wild` adds what is odd.

    `churn` is how often a day an agent is lost besides, in the mean: a few far more often than the most.
    """

    level: float = 1.0
    wild: float = 0.0
    churn: float = 0.0


class Scenario(Settings):
    """Everything that makes a world."""

    name: str
    seed: int
    start: Moment
    end: Moment
    fleet: FleetPlan
    noise: Noise = Noise()
    faults: tuple[Fault, ...] = ()
    truth: tuple[Truth, ...] = ()

    @property
    def start_us(self) -> int:
        """The beginning, microseconds since 1970."""
        return round(self.start.timestamp() * 1e6)

    @property
    def length_s(self) -> float:
        """How long it lasts, seconds."""
        return (self.end - self.start).total_seconds()


def seconds(scenario: Scenario, at: datetime) -> float:
    """A moment as seconds since the scenario's start."""
    return (at - scenario.start).total_seconds()


def courses(scenario: Scenario, fault: Fault) -> tuple[Any, Any]:
    """The course of a fault as times (seconds since the start) and shares."""
    return [seconds(scenario, at) for at, _ in fault.course], [share for _, share in fault.course]
