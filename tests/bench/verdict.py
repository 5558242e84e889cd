"""The verdict beside the rules in use today, on worlds drawn for it.

`make bench ONLY=verdict` runs it; `python -m tests.bench.verdict` writes the last table and pictures into
docs/verdict.md.
"""

from collections.abc import Iterator

from tests.bench.duel import duel, kept
from tests.bench.report import write_report
from tests.bench.rows import Row
from tests.bench.scoring import MOMENTS_S, Score, quantile


def rows_of(name: str, score: Score) -> Iterator[Row]:
    """A score as rows of the table."""
    false, most = score.false_a_year
    faults = f"of {score.faults} faults"
    yield {"name": f"{name}: found", "value": score.found, "unit": faults}
    yield {"name": f"{name}: right scope and subject", "value": score.right, "unit": faults}
    for after_s in MOMENTS_S:
        right, of = score.right_at(after_s)
        yield {
            "name": f"{name}: right after {after_s} s",
            "value": right,
            "unit": f"of {of} that last so long",
        }
    yield {"name": f"{name}: false alarms", "value": false, "unit": f"a target-year (< {most:.2g})"}
    yield {"name": f"{name}: confirmed on blips", "value": score.on_blips, "unit": "outages"}
    yield {"name": f"{name}: delay, median", "value": quantile(score.delays_s, 0.5), "unit": "s"}
    yield {"name": f"{name}: delay, p95", "value": quantile(score.delays_s, 0.95), "unit": "s"}
    yield {
        "name": f"{name}: delay beyond the bound, median",
        "value": quantile(score.beyond_bound_s, 0.5),
        "unit": "s",
    }
    yield {"name": f"{name}: notices", "value": score.notices / max(1, score.found), "unit": "a fault found"}
    yield {"name": f"{name}: regions", "value": score.overlap, "unit": "Jaccard, mean"}
    yield {"name": f"{name}: onset error, median", "value": quantile(score.onset_errors_s, 0.5), "unit": "s"}
    yield {"name": f"{name}: recovery delay, median", "value": quantile(score.recoveries_s, 0.5), "unit": "s"}


def run() -> list[Row]:
    return [row for name, score in duel().items() for row in rows_of(name, score)]


if __name__ == "__main__":
    write_report(*kept())
