"""One outage as a person reads it: what, for whom, since when, why, and what else it could have been."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from faultline_collector.commands.asking import when
from faultline_collector.commands.tables import print_wrapped

Field: TypeAlias = tuple[str, str]

_WIDTH = 16


def tell(story: Mapping[str, Any], *, utc: bool) -> None:
    """Prints an outage with its evidence and its life."""
    subject = story["subject"]
    print_wrapped(f"{story['state']} {story['scope']} outage of {subject['kind']} {subject['id']}")
    print_wrapped(story["why"])
    proofs = _proofs(story.get("proofs", ()))
    blocks = map(list, (_facts(story), _times(story, utc=utc), _evidence(story["evidence"]), proofs))
    for fields in filter(None, blocks):
        print_wrapped("")
        for name, text in fields:
            print_wrapped(f"{name:<{_WIDTH}}{text}", _WIDTH)


def _facts(story: Mapping[str, Any]) -> Iterator[Field]:
    yield "how", f"{story['severity']}, {story['layer']}; confidence {story['confidence']:.2f}"
    if story["family"]:
        yield "family", f"IPv{story['family']} only"
    yield "seen from", ", ".join(story["regions"]) or "nowhere"
    if story["asns"]:
        yield "networks", ", ".join(f"AS{asn}" for asn in story["asns"])
    yield "targets", ", ".join(story["target_ids"]) or "none"


def _times(story: Mapping[str, Any], *, utc: bool) -> Iterator[Field]:
    full = partial(when, utc=utc, in_full=True)
    yield "began", full(story["onset"])
    yield "  not before", full(story["onset_after"])
    yield "  not after", full(story["onset_before"])
    for step in story["transitions"]:
        yield step["state"], f"{full(step['at'])} as {step['scope']}"


def _evidence(evidence: Mapping[str, Any]) -> Iterator[Field]:
    for name, value in evidence.items():
        if name != "considered":
            yield name.replace("_", " "), _flat(value)
    for other in evidence.get("considered", ()):
        yield "rather than", _lost(other)


def _proofs(proofs: Iterable[Mapping[str, Any]]) -> Iterator[Field]:
    """What agents gathered, those that fail first."""
    for proof in sorted(proofs, key=lambda proof: not proof["failing"]):
        name = f"{proof['kind']} of {proof['agent']}, {'fails' if proof['failing'] else 'fine'}"
        yield "proof", f"{name}: {proof['says']}"


def _lost(other: Mapping[str, Any]) -> str:
    subject = other.get("subject", {})
    words = (other.get("scope", ""), subject.get("kind", ""), subject.get("id", ""))
    return f"{' '.join(filter(None, words))}, {other.get('behind_nats', 0)} nats behind"


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')} {_inner(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_flat, value)) or "none"
    return str(value)


def _inner(value: object) -> str:
    return f"({_flat(value)})" if isinstance(value, Mapping) else _flat(value)
