"""The duel's table, matrices and pictures, written into docs/verdict.md between two marks."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill

from tests.bench.pictures import write_pictures
from tests.bench.scoring import MOMENTS_S, Score, quantile

PAGE = Path("docs/verdict.md")
PICTURES = Path("docs/pictures")
BEGIN, END = "<!-- written by tests.bench.verdict -->", "<!-- end of what tests.bench.verdict writes -->"

HEAD = """
Written on {day} by `python -m tests.bench.verdict` from what `make bench ONLY=verdict` measured: {worlds}
worlds drawn by seed (tests/bench/duel.py), {faults} faults of all scopes, {years:.2f} target-years
watched; each rule is given the same results in order of receipt and looks every five seconds. A rule of
today knows services only, everywhere or in some regions. *Right* is scope and subject, in the end; *after
30 s* is of the faults that last so long. False alarms are those of a target-year, single agents apart, in
brackets the upper end of a one-sided 95 % interval (Garwood 1936); *blips* are outages confirmed on
disturbances under 40 s. The bound is Lorden's for the mean delay (correlation.md), here {bound:.1f} s at
the median and {bound95:.1f} s at p95; it takes probes for independent, which they are not.

"""

Cell = Callable[[Score], str]


def seconds(values: list[float], part: float) -> str:
    """A quantile in seconds, or a dash."""
    found = quantile(values, part)
    return "-" if math.isnan(found) else f"{found:.0f}"


def _right_at(after_s: int) -> Cell:
    def cell(score: Score) -> str:
        right, of = score.right_at(after_s)
        return f"{right} of {of}"

    return cell


COLUMNS: dict[str, Cell] = {
    "found": lambda s: f"{s.found} of {s.faults}",
    "right": lambda s: str(s.right),
    **{f"right after {after_s} s": _right_at(after_s) for after_s in MOMENTS_S},
    "false a target-year": lambda s: f"{s.false_a_year[0]:.3g} (< {s.false_a_year[1]:.3g})",
    "false agents": lambda s: str(s.false_agents),
    "blips": lambda s: str(s.on_blips),
    "delay p50, p95 (s)": lambda s: f"{seconds(s.delays_s, 0.5)}, {seconds(s.delays_s, 0.95)}",
    "beyond the bound p50, p95 (s)": lambda s: (
        f"{seconds(s.beyond_bound_s, 0.5)}, {seconds(s.beyond_bound_s, 0.95)}"
    ),
    "notices a fault": lambda s: f"{s.notices / max(1, s.found):.2f}",
    "regions (Jaccard, mean)": lambda s: "-" if math.isnan(s.overlap) else f"{s.overlap:.2f}",
    "onset error p50 (s)": lambda s: seconds(s.onset_errors_s, 0.5),
    "recovery p50 (s)": lambda s: seconds(s.recoveries_s, 0.5),
    "never ended": lambda s: str(s.unresolved),
}
"""The table's columns; figures turned on their side, one rule a column, are easier to read in a page."""


def table(scores: dict[str, Score]) -> Iterator[str]:
    """All scores, a line a figure."""
    yield f"| | {' | '.join(scores)} |"
    yield f"| --- |{' ---: |' * len(scores)}"
    for name, cell in COLUMNS.items():
        yield f"| {name} | {' | '.join(cell(score) for score in scores.values())} |"


def matrix(score: Score, after_s: int) -> Iterator[str]:
    """What truly broke (rows), and what was told of it after so long (columns)."""
    cells = {(true, told): n for (at_s, true, told), n in score.scopes_at.items() if at_s == after_s}
    truths = sorted({true for true, _ in cells})
    tolds = [*truths, *sorted({told for _, told in cells} - set(truths))]
    yield f"| after {after_s} s | {' | '.join(tolds)} |"
    yield f"| --- |{' ---: |' * len(tolds)}"
    for true in truths:
        yield f"| {true} | {' | '.join(str(cells.get((true, told), '')) for told in tolds)} |"


def section(scores: dict[str, Score], worlds: int) -> str:
    """What stands between the marks."""
    mine = next(iter(scores.values()))
    said = HEAD.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        worlds=worlds,
        faults=mine.faults,
        years=mine.target_years,
        bound=quantile(mine.bounds_s, 0.5),
        bound95=quantile(mine.bounds_s, 0.95),
    )
    parts = [*table(scores), "", "![found and named rightly](pictures/verdict-found.svg)", ""]
    parts += [
        "![delays](pictures/verdict-delay.svg)",
        "",
        "What Faultline told of what truly broke (rows):",
        "",
    ]
    for after_s in MOMENTS_S:
        parts += [*matrix(mine, after_s), ""]
    head = f"## Beside the rules in use today\n\n{fill(said.strip(), 110, break_on_hyphens=False)}\n\n"
    return head + "\n".join([*parts, "![scopes](pictures/verdict-scope.svg)"])


def write_report(scores: dict[str, Score], worlds: int) -> None:
    """Writes the pictures, and the section in place of the last one."""
    write_pictures(scores, PICTURES)
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{section(scores, worlds)}\n\n{END}{after}")
