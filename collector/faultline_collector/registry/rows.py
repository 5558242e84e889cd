"""Between the registry's rows and what everybody else works with."""

from collections.abc import Iterator

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
        *(
            RegionRow(id=r.id, name=r.name, country=r.country, latitude=r.latitude, longitude=r.longitude)
            for r in fleet.regions
        ),
        *(NetworkRow(asn=n.asn, name=n.name) for n in fleet.networks),
    ]


def probed_rows(fleet: Fleet) -> Iterator[list[Table]]:
    """Rows of what is probed, table by table in the order in which they refer to each other."""
    yield [ProviderRow(id=p.id, name=p.name) for p in fleet.providers]
    yield [ServiceRow(id=s.id, name=s.name) for s in fleet.services]
    yield [
        ComponentRow(service=service.id, id=component, position=position)
        for service in fleet.services
        for position, component in enumerate(service.components)
    ]
    yield [_target_row(target) for target in fleet.targets]


def _target_row(target: Target) -> TargetRow:
    return TargetRow(
        id=target.id,
        service=target.service,
        component=target.component,
        provider=target.provider,
        kind=target.kind,
        interval_s=target.interval_s,
        timeout_s=target.timeout_s,
        home_region=target.home_region,
        family=target.family,
        regions=list(target.regions),
        settings=dict(target.settings),
    )


def read_fleet(session: Session) -> Fleet:
    """The fleet as it stands in the tables, each tuple sorted by id."""
    regions = {row.id: _region(row) for row in session.scalars(select(RegionRow).order_by(RegionRow.id))}
    components: dict[str, list[str]] = {}
    for row in session.scalars(select(ComponentRow).order_by(ComponentRow.position)):
        components.setdefault(row.service, []).append(row.id)
    return Fleet(
        regions=tuple(regions.values()),
        networks=tuple(
            Network(row.asn, row.name) for row in session.scalars(select(NetworkRow).order_by(NetworkRow.asn))
        ),
        providers=tuple(
            Provider(row.id, row.name)
            for row in session.scalars(select(ProviderRow).order_by(ProviderRow.id))
        ),
        services=tuple(
            Service(row.id, row.name, tuple(components.get(row.id, ())))
            for row in session.scalars(select(ServiceRow).order_by(ServiceRow.id))
        ),
        agents=tuple(
            _agent(row, regions[row.region])
            for row in session.scalars(select(AgentRow).order_by(AgentRow.id))
        ),
        targets=tuple(_target(row) for row in session.scalars(select(TargetRow).order_by(TargetRow.id))),
    )


def _region(row: RegionRow) -> Region:
    return Region(row.id, row.name, row.country, row.latitude, row.longitude)


def _agent(row: AgentRow, region: Region) -> Agent:
    return Agent(
        id=row.id,
        region=region.id,
        country=region.country,
        asn=row.asn,
        site=row.site,
        latitude=region.latitude,
        longitude=region.longitude,
        version=row.version,
    )


def _target(row: TargetRow) -> Target:
    return Target(
        id=row.id,
        service=row.service,
        component=row.component,
        provider=row.provider,
        kind=row.kind,
        interval_s=row.interval_s,
        timeout_s=row.timeout_s,
        home_region=row.home_region,
        family=row.family,
        regions=tuple(row.regions),
        settings=row.settings,
    )


def outage_row(outage: Outage) -> OutageRow:
    """The row of an outage."""
    return OutageRow(
        id=outage.id,
        state=outage.state.value,
        scope=outage.scope.value,
        subject_kind=outage.subject.kind,
        subject_id=outage.subject.id,
        target_ids=list(outage.target_ids),
        regions=list(outage.regions),
        asns=list(outage.asns),
        layer=outage.layer,
        severity=outage.severity,
        confidence=outage.confidence,
        onset_us=outage.onset_us,
        onset_after_us=outage.onset_after_us,
        onset_before_us=outage.onset_before_us,
        detected_us=outage.detected_us,
        why=outage.why,
        confirmed_us=outage.confirmed_us,
        resolved_us=outage.resolved_us,
        changed_us=outage.changed_us,
        evidence=dict(outage.evidence),
    )


def outage_of(row: OutageRow) -> Outage:
    """The outage of a row."""
    return Outage(
        id=row.id,
        state=State(row.state),
        scope=Scope(row.scope),
        subject=Subject(row.subject_kind, row.subject_id),
        target_ids=tuple(row.target_ids),
        regions=tuple(row.regions),
        asns=tuple(row.asns),
        layer=row.layer,
        severity=row.severity,
        confidence=row.confidence,
        onset_us=row.onset_us,
        onset_after_us=row.onset_after_us,
        onset_before_us=row.onset_before_us,
        detected_us=row.detected_us,
        why=row.why,
        confirmed_us=row.confirmed_us,
        resolved_us=row.resolved_us,
        changed_us=row.changed_us,
        evidence=row.evidence,
    )
