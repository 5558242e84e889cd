"""The registry's tables."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from faultline.columns import MAX_ID_LENGTH

Id = String(MAX_ID_LENGTH)


class Table(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {int: BigInteger, list[str]: JSON, list[int]: JSON, dict[str, Any]: JSON}  # noqa: RUF012


class SchemaRow(Table):
    """The version of these tables, in the only row."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class RegionRow(Table):
    """Where agents stand."""

    __tablename__ = "regions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    country: Mapped[str]
    latitude: Mapped[float]
    longitude: Mapped[float]


class NetworkRow(Table):
    """An autonomous system that agents stand in."""

    __tablename__ = "networks"

    asn: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]


class ProviderRow(Table):
    """What many services stand on."""

    __tablename__ = "providers"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str]


class ServiceRow(Table):
    """What people know by name."""

    __tablename__ = "services"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str]


class ComponentRow(Table):
    """What targets stand for within a service; `position` is its place in the configuration."""

    __tablename__ = "components"

    service: Mapped[str] = mapped_column(Id, ForeignKey("services.id"), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    position: Mapped[int]


class TargetRow(Table):
    """One thing that is probed; `provider` and `home_region` are empty where there is none."""

    __tablename__ = "targets"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    service: Mapped[str] = mapped_column(Id, ForeignKey("services.id"))
    component: Mapped[str] = mapped_column(Id)
    provider: Mapped[str] = mapped_column(Id)
    kind: Mapped[str]
    interval_s: Mapped[float]
    timeout_s: Mapped[float]
    home_region: Mapped[str] = mapped_column(Id)
    family: Mapped[int]
    regions: Mapped[list[str]]
    settings: Mapped[dict[str, Any]]


class AgentRow(Table):
    """A probing process, and the hash of the token by which it is known."""

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    region: Mapped[str] = mapped_column(Id, ForeignKey("regions.id"))
    asn: Mapped[int] = mapped_column(ForeignKey("networks.asn"))
    site: Mapped[str]
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    version: Mapped[str] = mapped_column(default="")
    ca_bundle: Mapped[str] = mapped_column(default="", server_default="")
    last_seen_us: Mapped[int] = mapped_column(default=0)


class OutageRow(Table):
    """An outage in its last state; times in microseconds since 1970."""

    __tablename__ = "outages"
    __table_args__ = (Index("outages_detected", "detected_us"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    state: Mapped[str]
    scope: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[str] = mapped_column(Id)
    target_ids: Mapped[list[str]]
    regions: Mapped[list[str]]
    asns: Mapped[list[int]]
    layer: Mapped[str]
    severity: Mapped[str]
    confidence: Mapped[float]
    onset_us: Mapped[int]
    onset_after_us: Mapped[int]
    onset_before_us: Mapped[int]
    detected_us: Mapped[int]
    why: Mapped[str]
    family: Mapped[int] = mapped_column(server_default="0")
    confirmed_us: Mapped[int | None]
    resolved_us: Mapped[int | None]
    changed_us: Mapped[int]
    evidence: Mapped[dict[str, Any]]


class ProofRow(Table):
    """One piece of proof of an outage, from one agent; `position` counts from 0."""

    __tablename__ = "proofs"

    outage: Mapped[str] = mapped_column(Id, ForeignKey("outages.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    agent: Mapped[str] = mapped_column(Id)
    target: Mapped[str] = mapped_column(Id)
    kind: Mapped[str]
    failing: Mapped[bool]
    gathered_us: Mapped[int]
    data: Mapped[dict[str, Any]]


class TransitionRow(Table):
    """One change of an outage's state or scope; `position` counts from 0."""

    __tablename__ = "transitions"

    outage: Mapped[str] = mapped_column(Id, ForeignKey("outages.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at_us: Mapped[int]
    state: Mapped[str]
    scope: Mapped[str]
