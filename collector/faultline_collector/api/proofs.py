"""Proof of an outage as the API tells it, each piece with a sentence; what agents sent may have any shape."""

from collections.abc import Mapping, Sequence
from typing import Any

from faultline_collector.api.answers import ProofAnswer
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import iso


def proof_answer(proof: Proof) -> ProofAnswer:
    """One piece of proof."""
    return ProofAnswer(
        agent=proof.agent_id,
        target=proof.target_id,
        kind=proof.kind,
        failing=proof.failing,
        gathered_at=str(iso(proof.gathered_us)),
        says=says(proof),
        data=dict(proof.data),
    )


def says(proof: Proof) -> str:
    """What it says, in a few words."""
    data = proof.data
    if "unavailable" in data:
        return f"none: {data['unavailable']}"
    tell = {"story": _story, "dns": _names, "certificate": _certificate, "traceroute": _path}[proof.kind]
    return tell(data)[:300]


def _story(data: Mapping[str, Any]) -> str:
    words = [str(data.get("outcome", "unknown"))]
    words += [f"status {data['status']}"] if data.get("status") else []
    words += [str(data["detail"])] if data.get("detail") else []
    return ", ".join(words)


def _names(data: Mapping[str, Any]) -> str:
    told = []
    for answer in _mappings(data.get("answers")):
        records = answer.get("records")
        found = ", ".join(map(str, records)) if isinstance(records, Sequence) and records else "nothing"
        said = answer.get("problem") or (found if answer.get("rcode") == "NOERROR" else answer.get("rcode"))
        told.append(f"{answer.get('resolver')} {answer.get('type')}: {said}")
    return "; ".join(told) or "nothing was asked"


def _certificate(data: Mapping[str, Any]) -> str:
    names = data.get("names")
    whose = ", ".join(map(str, names[:3])) if isinstance(names, list) and names else data.get("subject")
    return f"for {whose}, by {data.get('issuer')}, until {data.get('ends')}"


def _path(data: Mapping[str, Any]) -> str:
    hops = _mappings(data.get("hops"))
    if data.get("reached"):
        return f"reached after {len(hops)} hops"
    answered = [hop for hop in hops if "address" in hop]
    if not answered:
        return "nobody on the way answers"
    last = answered[-1]
    return f"ends beyond {last['address']}, hop {last.get('hop')}: {last.get('said', 'silence')}"


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
