"""The verdict beside the rules in use today, on worlds drawn for it, and what a tick costs.

`make bench ONLY=verdict` runs it; `python -m tests.bench.verdict` writes the last table and pictures into
docs/verdict.md.
"""

import time
from collections.abc import Iterator

from faultline.outcomes import Outcome
from faultline_collector.correlate.detector import Detector
from faultline_collector.fleet import Agent, Target
from tests.bench.duel import duel, kept
from tests.bench.report import write_report
from tests.bench.rows import Row
from tests.bench.scoring import MOMENTS_S, Score, quantile
from tests.collector.correlate.worlds import World, lab_fleet


def _fine(agent: Agent, target: Target, at: float) -> Outcome | None:
    return None


def _broken(agent: Agent, target: Target, at: float) -> Outcome | None:
    return Outcome.HTTP if target.service == "s03" else None


def tick_ms(*, failing: bool) -> float:
    """Mean CPU of a tick on a fleet like the lab's, with nothing bad or with one service that fails."""
    world = World(lab_fleet(services=22)).run(30)
    detector: Detector = world.detector
    spent = 0.0
    for _ in range(30):
        detector.observe(world.second(world.now_s, _broken if failing else _fine))
        world.now_s += 1
        began = time.process_time()
        detector.tick(world.now_us)
        spent += time.process_time() - began
    return spent / 30 * 1000


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
    ticks: list[Row] = [
        {
            "name": "tick, 36 agents x 22 targets, nothing bad",
            "value": tick_ms(failing=False),
            "unit": "ms CPU",
        },
        {"name": "tick, 36 agents x 22 targets, one fault", "value": tick_ms(failing=True), "unit": "ms CPU"},
    ]
    return ticks + [row for name, score in duel().items() for row in rows_of(name, score)]


if __name__ == "__main__":
    write_report(*kept())
