"""Faultline and the rules in use today on the same worlds: one score each, also kept as a file."""

import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from faultline_collector.outages import Outage
from faultline_collector.replay.replay import replay
from faultline_collector.replay.trace import open_trace
from faultline_collector.worlds.draw import draw_scenario
from faultline_collector.worlds.making import World, make_world
from faultline_collector.worlds.writing import write_trace
from tests.bench.rules import RULES, told_by_rules
from tests.bench.scoring import Said, Score, said_of

FAULTLINE = "Faultline"
RULED = (FAULTLINE, *RULES)

Drawing = tuple[int, tuple[str, ...], float, float, int]
"""A seed, what breaks, how wild the noise is, the interval in seconds, how many regions."""

DRAWINGS: tuple[Drawing, ...] = (
    (9101, ("global", "regional", "component"), 0.0, 30, 12),
    (9102, ("provider", "network", "agent"), 0.0, 30, 12),
    (9103, ("access", "provider-in-regions", "silent-network"), 0.0, 30, 12),
    (9104, ("regional", "global", "latency"), 1.0, 30, 12),
    (9105, ("network", "provider", "regional"), 0.0, 60, 8),
    (9106, ("global", "access", "collector"), 0.0, 30, 16),
    (9107, ("component", "regional", "provider-in-regions"), 0.0, 30, 6),
    (9108, (), 0.0, 30, 12),
    (9109, ("latency", "global", "network"), 0.0, 60, 12),
    (9110, ("provider", "regional", "global"), 1.0, 30, 20),
    (9111, ("silent-network", "access", "regional"), 0.0, 30, 12),
    (9112, ("regional", "component", "provider"), 0.0, 10, 6),
    (9113, ("cohort", "global"), 0.0, 30, 12),
    (9114, (), 1.0, 30, 12),
    (9115, ("network", "global", "regional"), 0.0, 30, 10),
    (9116, ("provider-in-regions", "access", "component"), 0.0, 60, 16),
)
"""The worlds of the table, by what they hold; everything else is drawn from the seed."""

KEPT = Path("build/verdict.json")


def told_by_faultline(world: World) -> list[Said]:
    """What Faultline tells of a world, by way of a trace."""
    courses: dict[str, list[Outage]] = {}
    with TemporaryDirectory(prefix="faultline-") as place:
        trace = open_trace(write_trace(world, Path(place) / world.scenario.name))
        outages = replay(trace, hear=lambda outage: courses.setdefault(outage.id, []).append(outage))
    return [said_of(outage, world, courses[outage.id]) for outage in outages]


def scored(drawing: Drawing) -> dict[str, Score]:
    """One world, and how each did in it."""
    seed, faults, wild, interval_s, regions = drawing
    world = make_world(draw_scenario(seed, faults, wild=wild, interval_s=interval_s, regions=regions))
    told = {FAULTLINE: told_by_faultline(world), **told_by_rules(world)}
    scores = {name: Score() for name in RULED}
    for name, said in told.items():
        scores[name].add(world, said)
    return scores


def duel() -> dict[str, Score]:
    """All worlds (or the first FAULTLINE_BENCH_WORLDS), two at a time; says what it has done as it goes."""
    drawings = DRAWINGS[: int(os.environ.get("FAULTLINE_BENCH_WORLDS", len(DRAWINGS)))]
    sums = {name: Score() for name in RULED}
    began = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as two:
        for number, (drawing, scores) in enumerate(zip(drawings, two.map(scored, drawings), strict=True), 1):
            for name, score in scores.items():
                sums[name].merge(score)
            mine = scores[FAULTLINE]
            said = f"{mine.right} of {mine.faults} right, {mine.false} false, {mine.on_blips} on blips"
            print(f"  {number}/{len(drawings)} seed {drawing[0]}: Faultline {said}; "
                  f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
    keep(sums, len(drawings))
    return sums


def keep(scores: dict[str, Score], worlds: int, file: Path = KEPT) -> None:
    """Writes scores down, so that tables and pictures can be made of them without a run."""
    file.parent.mkdir(exist_ok=True)
    plain = {name: _plain(score) for name, score in scores.items()}
    file.write_text(json.dumps({"worlds": worlds, "scores": plain}, indent=1) + "\n")


def kept(file: Path = KEPT) -> tuple[dict[str, Score], int]:
    """The scores of the last run, and of how many worlds."""
    read = json.loads(file.read_text())
    return {name: _score(plain) for name, plain in read["scores"].items()}, int(read["worlds"])


def _plain(score: Score) -> dict[str, object]:
    plain = asdict(score)
    for name in ("scopes", "scopes_at"):
        plain[name] = [[*key, count] for key, count in getattr(score, name).items()]
    return plain


def _score(plain: dict[str, object]) -> Score:
    made = Score(**{k: v for k, v in plain.items() if not k.startswith("scopes")})  # type: ignore[arg-type]
    made.scopes = {(true, told): n for true, told, n in _rows(plain["scopes"])}
    made.scopes_at = {(at_s, true, told): n for at_s, true, told, n in _rows(plain["scopes_at"])}
    return made


def _rows(listed: object) -> Iterator[list[Any]]:
    assert isinstance(listed, list)
    return iter(listed)
