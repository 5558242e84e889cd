"""What a collector told, read from its API, and both it and a replay as they stood at one moment."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from faultline_collector.fleet import Agent, Fleet, Target
from faultline_collector.outages import Outage, Scope, State, Subject

if TYPE_CHECKING:
    from faultline_collector.replay.window import Window


def read_outage(said: Mapping[str, Any]) -> Outage:
    """An outage from the words in which the API tells it."""
    return Outage(
        id=str(said["id"]),
        state=State(said["state"]),
        scope=Scope(said["scope"]),
        subject=Subject(str(said["subject"]["kind"]), str(said["subject"]["id"])),
        target_ids=tuple(said["target_ids"]),
        regions=tuple(said["regions"]),
        asns=tuple(said["asns"]),
        layer=str(said["layer"]),
        severity=str(said["severity"]),
        confidence=float(said["confidence"]),
        onset_us=_us(said["onset"]),
        onset_after_us=_us(said["onset_after"]),
        onset_before_us=_us(said["onset_before"]),
        detected_us=_us(said["detected_at"]),
        confirmed_us=_us(said["confirmed_at"]) if said["confirmed_at"] else None,
        resolved_us=_us(said["resolved_at"]) if said["resolved_at"] else None,
        changed_us=_us(said["changed_at"]),
        why=str(said["why"]),
        family=said["family"] or 0,
    )


def read_fleet(agents: Iterable[Mapping[str, Any]], targets: Iterable[Mapping[str, Any]]) -> Fleet:
    """Agents and targets from the words in which the API tells them."""
    return Fleet(agents=tuple(map(_agent, agents)), targets=tuple(map(_target, targets)))


def within(outages: Iterable[Outage], window: "Window") -> list[Outage]:
    """The outages of a window as they stood at its end, by detection; what ended later was still open."""
    mine = [
        replace(outage, resolved_us=None, state=State.CONFIRMED if outage.confirmed_us else State.SUSPECTED)
        if outage.resolved_us is not None and outage.resolved_us > window.until_us
        else outage
        for outage in outages
        if outage.detected_us < window.until_us and (outage.resolved_us or window.until_us) >= window.since_us
    ]
    return sorted(mine, key=lambda outage: (outage.detected_us, outage.id))


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _agent(said: Mapping[str, Any]) -> Agent:
    return Agent(
        id=said["id"],
        region=said["region"],
        country=said["country"],
        asn=said["asn"],
        site=said["site"],
        version=said["version"],
        ca_bundle=said["ca_bundle"],
    )


def _target(said: Mapping[str, Any]) -> Target:
    return Target(
        id=said["id"],
        service=said["service"],
        component=said["component"],
        provider=said["provider"],
        kind=said["kind"],
        interval_s=said["interval_s"],
        home_region=said["home_region"],
        family=said["family"],
        regions=tuple(said["regions"]),
    )
