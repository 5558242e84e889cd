"""From columns and outages to the rows that the API answers with."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from faultline.columns import NOT_REACHED, Flag
from faultline.outcomes import Outcome
from faultline_collector.api.answers import (
    AvailabilityAnswer,
    AvailabilityAnswerRow,
    OutageStory,
    TransitionAnswer,
)
from faultline_collector.api.history import AvailabilityRow
from faultline_collector.outages import Outage, iso, outage_json
from faultline_collector.registry.registry import Transition
from faultline_collector.results import ResultBatch


def story(outage: Outage, transitions: Iterable[Transition]) -> OutageStory:
    """An outage with its evidence and its life."""
    steps = [TransitionAnswer(at=str(iso(t.at_us)), state=t.state, scope=t.scope) for t in transitions]
    return OutageStory.model_validate(outage_json(outage) | {"transitions": steps})


def availability_answer(rows: Iterable[AvailabilityRow]) -> AvailabilityAnswer:
    """Availability as the API says it."""
    return AvailabilityAnswer(
        rows=[
            AvailabilityAnswerRow(
                service=row.service,
                region=row.region,
                start=str(iso(row.start_us)),
                ok=row.ok,
                failed=row.failed,
                unknown=row.unknown,
                coverage=round(row.coverage, 4),
                availability=None if row.availability is None else round(row.availability, 6),
            )
            for row in rows
        ]
    )


def ndjson(batches: Iterable[ResultBatch]) -> Iterator[bytes]:
    """Lines of JSON, each a `ResultAnswer`, all of a batch at once."""
    for batch in batches:
        rows = result_rows(batch)
        yield b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def result_rows(batch: ResultBatch) -> Iterator[dict[str, Any]]:
    """A batch row by row, as a `ResultAnswer` has it."""
    columns = zip(
        batch.source.tolist(), batch.target.tolist(), batch.sequence.tolist(), batch.judged_us.tolist(),
        batch.received_us.tolist(), batch.offset_us.tolist(), batch.attempt.tolist(), batch.outcome.tolist(),
        batch.status.tolist(), batch.family.tolist(), batch.flags.tolist(), strict=True,
    )  # fmt: skip
    timings = {name: column.tolist() for name, column in batch.timings_us.items()}
    details = [*batch.details, ""]
    detail = batch.detail.tolist() if len(batch.detail) else [-1] * len(batch)
    for i, (
        source,
        target,
        sequence,
        judged,
        received,
        offset,
        attempt,
        outcome,
        status,
        family,
        flags,
    ) in enumerate(columns):
        yield {
            "agent": batch.sources[source].agent_id,
            "spool": batch.sources[source].spool_id,
            "sequence": sequence,
            "target": batch.target_ids[target],
            "started_at": iso(judged),
            "received_at": iso(received),
            "clock_offset_s": offset / 1e6,
            "attempt": attempt,
            "outcome": Outcome(outcome).word,
            "status": status,
            "family": family,
            "saturated": bool(flags & Flag.SATURATED),
            "late": bool(flags & Flag.LATE),
            "timings_ms": {n: c[i] / 1000 for n, c in timings.items() if c[i] != NOT_REACHED},
            "detail": details[detail[i]],
        }
