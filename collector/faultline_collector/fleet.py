"""Who probes what, from where: the fleet as correlation, ingest and the API see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Region:
    """Where agents stand; latitude and longitude in degrees, country as ISO 3166-1 alpha-2."""

    id: str
    name: str
    country: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Network:
    """An autonomous system that agents stand in."""

    asn: int
    name: str


@dataclass(frozen=True, slots=True)
class Provider:
    """What many services stand on."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Service:
    """What people know by name, and its components in the order of the configuration."""

    id: str
    name: str
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agent:
    """A probing process at one place."""

    id: str
    region: str
    country: str
    asn: int
    site: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    version: str = ""
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is probed; `regions` empty means from everywhere, `timeout_s` 0 means the default."""

    id: str
    service: str
    component: str
    provider: str
    kind: str
    interval_s: float
    timeout_s: float = 0.0
    home_region: str = ""
    family: int = 0
    regions: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that is known of agents and targets at one moment; each tuple sorted by id."""

    regions: tuple[Region, ...] = ()
    networks: tuple[Network, ...] = ()
    providers: tuple[Provider, ...] = ()
    services: tuple[Service, ...] = ()
    agents: tuple[Agent, ...] = ()
    targets: tuple[Target, ...] = ()

    def targets_of(self, agent: Agent) -> tuple[Target, ...]:
        """What this agent is to probe."""
        return tuple(t for t in self.targets if not t.regions or agent.region in t.regions)
