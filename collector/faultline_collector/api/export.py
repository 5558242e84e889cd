"""Results and roll-ups as comma-separated values, a bounded piece at a time."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from faultline.columns import Flag
from faultline.outcomes import Outcome
from faultline_collector.api.figures import Steps
from faultline_collector.api.rows import Row, rows
from faultline_collector.api.scope import key_of
from faultline_collector.outages import iso
from faultline_collector.results import ResultBatch
from faultline_collector.stores.rollups import percentile_us, timed
from faultline_collector.stores.summary import Summary

TIMINGS = ("dns", "connect", "tls", "first_byte", "total")
"""The timings that have a column of their own; all others stand together in `more_timings_ms`."""

RESULTS: dict[str, str] = {
    "started_at": "TIMESTAMPTZ", "received_at": "TIMESTAMPTZ", "agent": "VARCHAR", "spool": "VARCHAR",
    "sequence": "UBIGINT", "target": "VARCHAR", "outcome": "VARCHAR", "status": "USMALLINT",
    "family": "UTINYINT", "attempt": "UTINYINT", "clock_offset_s": "DOUBLE", "saturated": "BOOLEAN",
    "late": "BOOLEAN", "asked": "BOOLEAN", "detail": "VARCHAR",
    **{f"{name}_ms": "DOUBLE" for name in TIMINGS},
    "more_timings_ms": "VARCHAR",
}  # fmt: skip
"""Columns of exported results and their types, as SQL names them."""

ROLLUPS: dict[str, str] = {
    "start": "TIMESTAMPTZ", "width_s": "UINTEGER", "service": "VARCHAR", "component": "VARCHAR",
    "target": "VARCHAR", "provider": "VARCHAR", "region": "VARCHAR", "network": "UINTEGER",
    "family": "UTINYINT", **{outcome.word: "UBIGINT" for outcome in Outcome}, "saturated": "UBIGINT",
    "known_s": "DOUBLE", "timing": "VARCHAR", "timed": "UBIGINT", "p50_ms": "DOUBLE", "p95_ms": "DOUBLE",
    "p99_ms": "DOUBLE",
}  # fmt: skip
"""Columns of exported roll-ups and their types, as SQL names them."""


def results_csv(batches: Iterable[ResultBatch]) -> Iterator[bytes]:
    """All results of the batches, after a line of names."""
    yield _lines([list(RESULTS)])
    for batch in batches:
        yield _lines(map(_result, rows(batch)))


def rollups_csv(parts: Iterable[tuple[Steps, Summary]], timing: str) -> Iterator[bytes]:
    """A line for each cell in which there is a result, in order of time, after a line of names."""
    yield _lines([list(ROLLUPS)])
    for steps, found in parts:
        yield _lines(sorted(_cells(found, steps.starts.step, timing), key=_start))


def _result(row: Row) -> Sequence[object]:
    timings = {name: us / 1000 for name, us in row.timings_us.items()}
    return (
        iso(row.started_us + row.offset_us),
        iso(row.received_us),
        row.source.agent_id,
        row.source.spool_id,
        row.sequence,
        row.target,
        Outcome(row.outcome).word,
        row.status,
        row.family,
        row.attempt,
        row.offset_us / 1e6,
        bool(row.flags & Flag.SATURATED),
        bool(row.flags & Flag.LATE),
        bool(row.flags & Flag.ASKED),
        row.detail,
        *(timings.get(name) for name in TIMINGS),
        ";".join(f"{name}={ms}" for name, ms in timings.items() if name not in TIMINGS),
    )


def _cells(found: Summary, width_us: int, timing: str) -> Iterator[Sequence[object]]:
    percentiles = (percentile_us(found, share).tolist() for share in (0.5, 0.95, 0.99))
    figures = zip(timed(found).tolist(), *percentiles, strict=True)
    for row, (number, *timings) in zip(found.rows(), figures, strict=True):
        key = key_of(row.group, row.region, row.asn, row.family)
        yield (
            iso(row.start_us),
            width_us // 1_000_000,
            *key,
            *row.outcomes,
            row.saturated,
            row.known_us / 1e6,
            timing,
            number,
            *(us / 1000 if number else None for us in timings),
        )


def _start(line: Sequence[object]) -> str:
    return str(line[0])


def _lines(lines: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue().encode()
