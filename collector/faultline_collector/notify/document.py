"""A notice as receivers read it, and its JSON Schema."""

import json
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from faultline_collector.api.answers import Answer, OutageAnswer, SubjectAnswer, outage_answer
from faultline_collector.fleet import Fleet
from faultline_collector.notify.kinds import Kind, has_spread, kinds_of, moved, parent_of
from faultline_collector.outages import Outage, Scope, iso


class Previous(Answer):
    """What an outage was taken for before."""

    scope: Scope
    subject: SubjectAnswer


class Notice(Answer):
    """One notice: what has happened to an outage, and the outage as it was then; without its evidence."""

    version: Annotated[Literal[1], Field(description="of this form")] = 1
    id: Annotated[str, Field(description="the same for every repeat of the same notice")]
    kind: Annotated[Kind, Field(description="what has happened")]
    at: Annotated[str, Field(description="when, ISO 8601 in UTC")]
    services: Annotated[list[str], Field(description="the services that the outage's targets belong to")]
    previous: Annotated[
        Previous | None, Field(description="what it was taken for before; null: the same, or nothing")
    ] = None
    parent: Annotated[str, Field(description="merged: the outage that it is a part of; else empty")] = ""
    outage: OutageAnswer

    def body(self) -> bytes:
        """The notice as bytes; the same bytes each time."""
        return self.model_dump_json().encode()


def notices_of(before: Outage | None, after: Outage, fleet: Fleet) -> tuple[Notice, ...]:
    """The notices that the step from `before` to `after` makes; pure."""
    previous = None
    if before is not None and before.confirmed_us is not None and moved(before, after):
        previous = Previous(
            scope=before.scope, subject=SubjectAnswer(kind=before.subject.kind, id=before.subject.id)
        )
    return tuple(_notice(kind, after, fleet, previous) for kind in kinds_of(before, after))


def late_notice(before: Outage | None, after: Outage, fleet: Fleet) -> Notice | None:
    """What those are told whom an outage reaches after it was confirmed; None where it reaches nobody new."""
    return _notice(Kind.CONFIRMED, after, fleet) if has_spread(before, after) else None


def _notice(kind: Kind, outage: Outage, fleet: Fleet, previous: Previous | None = None) -> Notice:
    at_us = _at_us(outage, kind)
    return Notice(
        id=_id(outage, kind, at_us),
        kind=kind,
        at=str(iso(at_us)),
        services=_services(outage, fleet),
        previous=previous,
        parent=parent_of(outage),
        outage=outage_answer(outage),
    )


def _services(outage: Outage, fleet: Fleet) -> list[str]:
    service = {target.id: target.service for target in fleet.targets}
    services = {service[t] for t in outage.target_ids if t in service}
    if outage.subject.kind == "service":
        services.add(outage.subject.id)
    return sorted(services)


def _at_us(outage: Outage, kind: Kind) -> int:
    times = {Kind.CONFIRMED: outage.confirmed_us, Kind.RESOLVED: outage.resolved_us}
    return times.get(kind) or outage.changed_us or outage.detected_us


def _id(outage: Outage, kind: Kind, at_us: int) -> str:
    return sha256(f"{outage.id} {kind.value} {at_us}".encode()).hexdigest()[:20]


def schema_text() -> str:
    """The JSON Schema of a notice, as it is shipped."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Notice.model_json_schema(
        mode="serialization"
    )
    return json.dumps(schema, indent=2) + "\n"
