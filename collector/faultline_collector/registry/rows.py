"""Between the registry's rows and what everybody else works with: columns bear the names of fields."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.registry.tables import (
    AgentRow,
    ComponentRow,
    NetworkRow,
    OutageRow,
    ProviderRow,
    RegionRow,
    ServiceRow,
    Table,
    TargetRow,
)


def place_rows(fleet: Fleet) -> list[Table]:
    """Rows of the places that agents stand in."""
    return [
        *(RegionRow(**_columns(region)) for region in fleet.regions),
        *(NetworkRow(**_columns(network)) for network in fleet.networks),
    ]


def probed_rows(fleet: Fleet) -> Iterator[list[Table]]:
    """Rows of what is probed, table by table in the order in which they refer to each other."""
    yield [ProviderRow(**_columns(provider)) for provider in fleet.providers]
    yield [ServiceRow(id=service.id, name=service.name) for service in fleet.services]
    yield [
        ComponentRow(service=service.id, id=component, position=position)
        for service in fleet.services
        for position, component in enumerate(service.components)
    ]
    yield [TargetRow(**_columns(target)) for target in fleet.targets]


def read_fleet(session: Session) -> Fleet:
    """The fleet as it stands in the tables, each tuple sorted by id."""
    components: dict[str, list[str]] = {}
    for row in session.scalars(select(ComponentRow).order_by(ComponentRow.position)):
        components.setdefault(row.service, []).append(row.id)
    regions = {row.id: row for row in session.scalars(select(RegionRow).order_by(RegionRow.id))}
    networks = session.scalars(select(NetworkRow).order_by(NetworkRow.asn))
    providers = session.scalars(select(ProviderRow).order_by(ProviderRow.id))
    services = session.scalars(select(ServiceRow).order_by(ServiceRow.id))
    agents = session.scalars(select(AgentRow).order_by(AgentRow.id))
    targets = session.scalars(select(TargetRow).order_by(TargetRow.id))
    return Fleet(
        regions=tuple(Region(**_fields(Region, row)) for row in regions.values()),
        networks=tuple(Network(**_fields(Network, row)) for row in networks),
        providers=tuple(Provider(**_fields(Provider, row)) for row in providers),
        services=tuple(Service(row.id, row.name, tuple(components.get(row.id, ()))) for row in services),
        agents=tuple(_agent(row, regions[row.region]) for row in agents),
        targets=tuple(Target(**_fields(Target, row)) for row in targets),
    )


def _agent(row: AgentRow, region: RegionRow) -> Agent:
    return Agent(
        id=row.id,
        region=region.id,
        country=region.country,
        asn=row.asn,
        site=row.site,
        latitude=region.latitude,
        longitude=region.longitude,
        version=row.version,
        ca_bundle=row.ca_bundle,
    )


def outage_row(outage: Outage) -> OutageRow:
    """The row of an outage."""
    columns = _columns(outage)
    del columns["subject"]
    return OutageRow(**columns, subject_kind=outage.subject.kind, subject_id=outage.subject.id)


def outage_of(row: OutageRow) -> Outage:
    """The outage of a row."""
    whole: dict[str, Any] = {
        "state": State(row.state),
        "scope": Scope(row.scope),
        "subject": Subject(row.subject_kind, row.subject_id),
    }
    return Outage(**_fields(Outage, row, but=whole), **whole)


def _columns(value: Any) -> dict[str, Any]:
    """The fields of a value as columns keep them."""
    return {field.name: _kept(getattr(value, field.name)) for field in fields(value)}


def _kept(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
    return value


def _fields(kind: Any, row: Table, but: Collection[str] = ()) -> dict[str, Any]:
    """The columns of a row as the fields of a value have them: lists are tuples again."""
    columns = {field.name: getattr(row, field.name) for field in fields(kind) if field.name not in but}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in columns.items()}
