"""One outage as a person reads it: what, for whom, since when, why, and what else it could have been."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from faultline_collector.commands.asking import when, zone
from faultline_collector.commands.tables import clean

_WIDTH = 12


def tell(story: Mapping[str, Any], *, utc: bool) -> None:
    """Prints an outage with its evidence and its life."""
    for line in (*_head(story), *_times(story, utc=utc), *_evidence(story["evidence"])):
        click.echo(clean(line))


def _head(story: Mapping[str, Any]) -> Iterator[str]:
    subject = story["subject"]
    yield f"{story['state']} {story['scope']} outage of {subject['kind']} {subject['id']}"
    yield story["why"]
    yield ""
    yield _field("how", f"{story['severity']}, {story['layer']}; confidence {story['confidence']:.2f}")
    yield _field("seen from", ", ".join(story["regions"]) or "nowhere")
    if story["asns"]:
        yield _field("networks", ", ".join(f"AS{asn}" for asn in story["asns"]))
    yield _field("targets", ", ".join(story["target_ids"]) or "none")


def _times(story: Mapping[str, Any], *, utc: bool) -> Iterator[str]:
    after, before = (when(story[name], utc=utc) for name in ("onset_after", "onset_before"))
    begin = f"{when(story['onset'], utc=utc)} (between {after} and {before}, {zone(utc=utc)})"
    yield _field("began", begin)
    for step in story["transitions"]:
        yield _field(step["state"], f"{when(step['at'], utc=utc)} as {step['scope']}")


def _evidence(evidence: Mapping[str, Any]) -> Iterator[str]:
    if evidence:
        yield ""
        yield "evidence"
    for name, value in evidence.items():
        if name != "considered":
            yield _field(f"  {name.replace('_', ' ')}", _flat(value))
    for other in evidence.get("considered", ()):
        yield _field("  not", _flat(other))


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        parts = (f"{str(name).replace('_', ' ')} {_flat(inner)}" for name, inner in value.items())
        return ", ".join(parts)
    if isinstance(value, list):
        return "; ".join(map(_flat, value)) or "none"
    return str(value)


def _field(name: str, text: str) -> str:
    return f"{name:<{_WIDTH}} {text}"
