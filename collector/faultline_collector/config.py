"""The collector's configuration: one YAML file, read once, every problem reported together."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from faultline.config import BadConfig, Between, Settings, parse_data, read_data
from faultline.durations import Duration
from faultline_collector.config_checks import cross_problems
from faultline_collector.correlate.settings import EngineSettings
from faultline_collector.fleet import Fleet, Network, Provider, Region, Service, Target
from faultline_collector.mqtt.settings import BrokerSettings
from faultline_collector.notify.settings import NotifySettings
from faultline_collector.stores.options import OUTBOX_BYTES, StoreOptions

_FAMILIES = {"4": 4, "6": 6}


_STORE = (
    "where results are kept: duckdb://PATH, influxdb://HOST:PORT/ORGANISATION/BUCKET (influxdbs:// with TLS) "
    "or memory://"
)


def _at_least_one(description: str) -> Any:
    """A list that must not be empty; that is checked where all problems are found together."""
    return Field(description=description, json_schema_extra={"minItems": 1})


Id = Annotated[str, Field(description="letters, digits, '.', '_', '-'; unique")]
Name = Annotated[str, Field(description="as people read it; empty: the id")]


class TlsSettings(Settings):
    """PEM files of the agents' gRPC listener."""

    certificate: Annotated[Path, Field(description="the server's certificate chain")]
    key: Annotated[Path, Field(description="its private key")]
    client_authorities: Annotated[
        Path | None,
        Field(description="authorities of client certificates; none: clients need no certificate"),
    ] = None


class ListenSettings(Settings):
    """Where the collector listens."""

    agents: Annotated[str, Field(description="gRPC: agents, queries; host:port")] = "127.0.0.1:7443"
    web: Annotated[str, Field(description="page, REST, SSE, metrics; host:port")] = "127.0.0.1:8080"
    tls: Annotated[TlsSettings | None, Field(description="TLS for `agents`; none: plaintext")] = None
    plaintext_beyond_loopback: Annotated[
        bool, Field(description="lets `agents` listen without TLS on other than loopback addresses")
    ] = False


class RetentionSettings(Settings):
    """How long what is kept."""

    raw: Annotated[Duration, Field(description="single results, in whole days")] = timedelta(days=7)
    rollups: Annotated[
        Duration, Field(description="counts and percentiles by 5 minutes and by hour, in whole days")
    ] = timedelta(days=400)


class InfluxdbSettings(Settings):
    """What the store influxdb:// needs beside its URL."""

    token_file: Annotated[
        Path | None, Field(description="holds the token; none: FAULTLINE_INFLUXDB_TOKEN does")
    ] = None
    authorities: Annotated[
        Path | None, Field(description="PEM, who vouches for a server of influxdbs://; none: the system's")
    ] = None
    outbox: Annotated[
        Path | None,
        Field(description="folder of results on their way to InfluxDB; none: beside the registry's file"),
    ] = None
    outbox_bytes: Annotated[
        int,
        Between(16 * 1024**2, 2**50),
        Field(description="most bytes of the outbox; when it is full, agents wait"),
    ] = OUTBOX_BYTES


class RegionSettings(Settings):
    """Where agents stand."""

    id: Id
    name: Name = ""
    country: Annotated[str, Field(description="ISO 3166-1 alpha-2")]
    latitude: Annotated[float, Between(-90, 90), Field(description="degrees, north positive")]
    longitude: Annotated[float, Between(-180, 180), Field(description="degrees, east positive")]
    weight: Annotated[float, Between(0, 1e12), Field(description="in means over regions: people, say")] = 1


class NetworkSettings(Settings):
    """An autonomous system that agents stand in."""

    asn: Annotated[int, Between(1, 4_294_967_295), Field(description="its number; unique")]
    name: Annotated[str, Field(description="as people read it; empty: AS and the number")] = ""


class ProviderSettings(Settings):
    """What many services stand on."""

    id: Id
    name: Name = ""


class TargetSettings(Settings):
    """One thing that is probed; what is not named here are the settings of its kind."""

    model_config = ConfigDict(extra="allow")

    id: Id
    kind: Annotated[str, Field(description="probe kind: http, tcp, dns, ...")]
    interval: Annotated[Duration, Field(description="time between two starts")] = timedelta(seconds=30)
    timeout: Annotated[
        Duration | None, Field(description="of one attempt; none: the lesser of 5 s and 80 % of the interval")
    ] = None
    regions: Annotated[tuple[str, ...], Field(description="from where it is probed; empty: everywhere")] = ()
    home_region: Annotated[str, Field(description="where it stands itself; empty: everywhere")] = ""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of its kind."""
        return dict(self.model_extra or {})


class ComponentSettings(Settings):
    """What targets stand for within a service."""

    id: Id
    provider: Annotated[str, Field(description="instead of the service's")] = ""
    targets: Annotated[tuple[TargetSettings, ...], _at_least_one("what is probed for it")]


class ServiceSettings(Settings):
    """What people know by name."""

    id: Id
    name: Name = ""
    provider: Annotated[str, Field(description="what it stands on; empty: on nothing shared")] = ""
    components: Annotated[tuple[ComponentSettings, ...], _at_least_one("its parts: web, login, api, ...")]


class CollectorConfig(Settings):
    """Everything that `faultline collector run` reads."""

    store: Annotated[str, Field(description=_STORE)] = "duckdb:///var/lib/faultline/results.duckdb"
    influxdb: InfluxdbSettings = InfluxdbSettings()
    registry: Annotated[str, Field(description="any SQLAlchemy URL")] = (
        "sqlite:////var/lib/faultline/registry.db"
    )
    listen: ListenSettings = ListenSettings()
    broker: Annotated[
        BrokerSettings | None, Field(description="an MQTT 5 broker by which agents may come; none: no MQTT")
    ] = None
    retention: RetentionSettings = RetentionSettings()
    regions: Annotated[tuple[RegionSettings, ...], _at_least_one("where agents stand")]
    networks: Annotated[
        tuple[NetworkSettings, ...], Field(description="autonomous systems that agents stand in")
    ] = ()
    providers: Annotated[
        tuple[ProviderSettings, ...],
        Field(description="what many services stand on: a CDN, a cloud, a DNS host"),
    ] = ()
    services: Annotated[tuple[ServiceSettings, ...], _at_least_one("what people know by name")]
    correlation: Annotated[EngineSettings, Field(default_factory=EngineSettings)]
    notify: NotifySettings = NotifySettings()

    def store_options(self) -> StoreOptions:
        """What the store is told beside its URL."""
        own = self.influxdb
        outbox = own.outbox or _beside(self.registry)
        return StoreOptions(own.token_file, outbox, own.outbox_bytes, own.authorities)

    def fleet(self) -> Fleet:
        """What the file says of the fleet: everything but the agents, which live in the registry."""
        return Fleet(
            regions=_by_id(
                Region(r.id, r.name or r.id, r.country, r.latitude, r.longitude) for r in self.regions
            ),
            networks=tuple(
                sorted((Network(n.asn, n.name or f"AS{n.asn}") for n in self.networks), key=lambda n: n.asn)
            ),
            providers=_by_id(Provider(p.id, p.name or p.id) for p in self.providers),
            services=_by_id(
                Service(s.id, s.name or s.id, tuple(c.id for c in s.components)) for s in self.services
            ),
            targets=_by_id(self._targets()),
        )

    def region_weights(self) -> dict[str, float]:
        """How much each region counts in means over regions."""
        return {region.id: region.weight for region in self.regions}

    def _targets(self) -> Iterator[Target]:
        for service in self.services:
            for component in service.components:
                for target in component.targets:
                    yield _target(service, component, target)


def _target(service: ServiceSettings, component: ComponentSettings, target: TargetSettings) -> Target:
    return Target(
        id=target.id,
        service=service.id,
        component=component.id,
        provider=component.provider or service.provider,
        kind=target.kind,
        interval_s=target.interval.total_seconds(),
        timeout_s=target.timeout.total_seconds() if target.timeout is not None else 0.0,
        home_region=target.home_region,
        family=_FAMILIES.get(target.settings.get("family", ""), 0),
        regions=tuple(sorted(target.regions)),
        settings=target.settings,
    )


def _by_id(things: Any) -> tuple[Any, ...]:
    return tuple(sorted(things, key=lambda thing: thing.id))


def _beside(registry: str) -> Path:
    """The outbox's folder in that of an SQLite registry, or in the usual one."""
    scheme, _, file = registry.partition(":///")
    folder = Path(file).parent if scheme.startswith("sqlite") and file else Path("/var/lib/faultline")
    return folder / "outbox"


def load_config(path: Path) -> CollectorConfig:
    """Reads the collector's YAML file; raises BadConfig with every problem found."""
    return check_data(read_data(path), str(path))


def check_data(data: object, source: str) -> CollectorConfig:
    """Checks plain data; raises BadConfig with every problem found, those of form first."""
    problems: list[str] = []
    config = None
    try:
        config = parse_data(data, CollectorConfig, source)
    except BadConfig as error:
        problems += error.problems
    problems += cross_problems(data)
    if problems or config is None:
        raise BadConfig(source, problems)
    return config


def schema_text() -> str:
    """The JSON Schema of the file, as it is shipped."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | CollectorConfig.model_json_schema()
    return json.dumps(schema, indent=2) + "\n"
