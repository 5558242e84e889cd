"""Proof of outages, as the registry keeps it."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from faultline_collector.inquiry.orders import Proof
from faultline_collector.registry.tables import OutageRow, ProofRow

MOST_PROOFS = 40
"""Most pieces of proof of one outage."""


def add_proofs(session: Session, proofs: Iterable[Proof]) -> int:
    """Adds proof of outages that are known and have room for it; says how many pieces."""
    added = 0
    for proof in proofs:
        here = select(func.count()).select_from(ProofRow).where(ProofRow.outage == proof.outage_id)
        position = session.scalar(here) or 0
        if position >= MOST_PROOFS or session.get(OutageRow, proof.outage_id) is None:
            continue
        session.add(
            ProofRow(
                outage=proof.outage_id,
                position=position,
                agent=proof.agent_id,
                target=proof.target_id,
                kind=proof.kind,
                failing=proof.failing,
                gathered_us=proof.gathered_us,
                data=dict(proof.data),
            )
        )
        session.flush()
        added += 1
    return added


def read_proofs(session: Session, outage_id: str) -> tuple[Proof, ...]:
    """All proof of an outage, in the order in which it came."""
    wanted = select(ProofRow).where(ProofRow.outage == outage_id).order_by(ProofRow.position)
    return tuple(
        Proof(outage_id, row.agent, row.target, row.kind, row.failing, row.gathered_us, row.data)
        for row in session.scalars(wanted)
    )
