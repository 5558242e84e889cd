"""From columns and outages to the rows that the API answers with."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from faultline.columns import NOT_REACHED, Flag
from faultline.outcomes import Outcome
from faultline_collector.api.answers import (
    AvailabilityAnswer,
    AvailabilityAnswerRow,
    LatencyAnswer,
    LatencyAnswerRow,
    OutageStory,
    TransitionAnswer,
)
from faultline_collector.api.figures import AvailabilityRow, LatencyRow
from faultline_collector.api.history import Answer
from faultline_collector.api.proofs import proof_answer
from faultline_collector.api.scope import Key
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import Outage, iso, outage_json
from faultline_collector.registry.registry import Transition
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores.rollups import PERCENTILE_ERROR


def story(outage: Outage, transitions: Iterable[Transition], proofs: Iterable[Proof]) -> OutageStory:
    """An outage with its evidence, its life and its proof."""
    steps = [TransitionAnswer(at=str(iso(t.at_us)), state=t.state, scope=t.scope) for t in transitions]
    return OutageStory.model_validate(
        outage_json(outage) | {"transitions": steps, "proofs": list(map(proof_answer, proofs))}
    )


def availability_answer(found: Answer[AvailabilityRow], by: Sequence[str]) -> AvailabilityAnswer:
    """Availability as the API says it."""
    rows = [
        AvailabilityAnswerRow.model_construct(
            **key_words(row.key, by),
            start=str(iso(row.start_us)),
            ok=row.ok,
            failed=row.failed,
            unknown=row.unknown,
            coverage=round(row.coverage, 4),
            availability=_rounded(row.availability),
            weighted=_rounded(row.weighted),
            worst=_rounded(row.worst),
            worst_region=row.worst_region or None,
        )
        for row in found.rows
    ]
    return AvailabilityAnswer(rows=rows, notes=list(found.notes))


def latency_answer(found: Answer[LatencyRow], by: Sequence[str], timing: str) -> LatencyAnswer:
    """Latency as the API says it."""
    rows = [
        LatencyAnswerRow.model_construct(
            **key_words(row.key, by),
            start=str(iso(row.start_us)),
            count=row.count,
            coverage=round(row.coverage, 4),
            p50_ms=_ms(row.p50_us),
            p95_ms=_ms(row.p95_us),
            p99_ms=_ms(row.p99_us),
            weighted_p50_ms=_ms(row.weighted_p50_us),
            worst_p95_ms=_ms(row.worst_p95_us),
            worst_region=row.worst_region or None,
        )
        for row in found.rows
    ]
    return LatencyAnswer(timing=timing, error=PERCENTILE_ERROR, rows=rows, notes=list(found.notes))


def key_words(key: Key, by: Sequence[str]) -> dict[str, Any]:
    """The fields of a key, null where the question does not divide by them."""
    shown = {*by, "service"} if "component" in by else set(by)
    return {name: value if name in shown else None for name, value in key._asdict().items()}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)


def _ms(us: int) -> float | None:
    return None if us < 0 else us / 1000


class Row(NamedTuple):
    """One result; `timings_us` holds only the phases that were reached."""

    source: Source
    target: str
    sequence: int
    started_us: int
    offset_us: int
    received_us: int
    attempt: int
    outcome: int
    status: int
    family: int
    flags: int
    timings_us: dict[str, int]
    detail: str


def rows(batch: ResultBatch) -> Iterator[Row]:
    """A batch, row by row; only for the edge, where someone reads rows."""
    timings = {name: column.tolist() for name, column in batch.timings_us.items()}
    details = [*batch.details, ""]
    return map(
        Row,
        [batch.sources[i] for i in batch.source.tolist()],
        [batch.target_ids[i] for i in batch.target.tolist()],
        *(getattr(batch, name).tolist() for name in _COLUMNS),
        [
            {name: column[i] for name, column in timings.items() if column[i] != NOT_REACHED}
            for i in range(len(batch))
        ],
        [details[i] for i in batch.detail.tolist()] if len(batch.detail) else [""] * len(batch),
    )


_COLUMNS = Row._fields[2:-2]


def ndjson(batches: Iterable[ResultBatch]) -> Iterator[bytes]:
    """Lines of JSON, each a `ResultAnswer`, all of a batch at once."""
    for batch in batches:
        lines = (json.dumps(_result(row), separators=(",", ":")) for row in rows(batch))
        yield b"".join(line.encode() + b"\n" for line in lines)


def _result(row: Row) -> dict[str, Any]:
    return {
        "agent": row.source.agent_id,
        "spool": row.source.spool_id,
        "sequence": row.sequence,
        "target": row.target,
        "started_at": iso(row.started_us + row.offset_us),
        "received_at": iso(row.received_us),
        "clock_offset_s": row.offset_us / 1e6,
        "attempt": row.attempt,
        "outcome": Outcome(row.outcome).word,
        "status": row.status,
        "family": row.family,
        "saturated": bool(row.flags & Flag.SATURATED),
        "late": bool(row.flags & Flag.LATE),
        "asked": bool(row.flags & Flag.ASKED),
        "timings_ms": {name: us / 1000 for name, us in row.timings_us.items()},
        "detail": row.detail,
    }
