"""How the verdict stands on the labelled worlds d01 to d06 of the shared folder, and what replay costs."""

import importlib.util
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from faultline_collector.outages import outage_json
from faultline_collector.replay.replay import replay
from faultline_collector.replay.trace import open_trace
from tests.bench.rows import Row

SHARED = Path(__file__).resolve().parents[3] / "shared"
WORLDS = ("d01", "d02", "d03", "d04", "d05", "d06")


@dataclass(frozen=True, slots=True)
class Score:
    """What score.py says of one world, and how fast it was replayed."""

    world: str
    faults: int
    found: int
    right_scope: int
    false_alarms: int
    false_agents: int
    delays_s: tuple[float, ...]
    rows: int
    cpu_s: float


def tool(name: str) -> ModuleType:
    """A script of the shared folder as a module."""
    spec = importlib.util.spec_from_file_location(f"shared_{name}", SHARED / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def scored(world: str, folder: Path) -> Score:
    """Makes one of the shared worlds, replays it, and scores what was told."""
    netsim, score = tool("netsim"), tool("score")
    (scenario,) = (SHARED / "traces").glob(f"{world}-*.json")
    netsim.write(folder / world, *netsim.simulate(json.loads(scenario.read_text())))
    trace = open_trace(folder / world)
    began = time.process_time()
    outages = replay(trace)
    cpu_s = time.process_time() - began
    truth = json.loads((folder / f"{world}.truth.json").read_text())
    told: list[dict[str, Any]] = json.loads(json.dumps([outage_json(o) for o in outages]))
    found = score.score(truth, told)
    return Score(
        world=world,
        faults=found["faults"],
        found=found["found"],
        right_scope=found["right_scope"],
        false_alarms=found["false_alarms"],
        false_agents=found["false_agent_alarms"],
        delays_s=tuple(row["delay_s"] for row in found["rows"] if row["found"]),
        rows=trace.rows,
        cpu_s=cpu_s,
    )


def run() -> list[Row]:
    if not SHARED.is_dir():
        return []
    with tempfile.TemporaryDirectory() as folder:
        scores = [scored(world, Path(folder)) for world in WORLDS]
    delays = sorted(delay for score in scores for delay in score.delays_s)
    total = {
        "faults of d01-d06": (sum(s.faults for s in scores), "faults"),
        "found": (sum(s.found for s in scores), "faults"),
        "right scope": (sum(s.right_scope for s in scores), "faults"),
        "false alarms": (sum(s.false_alarms for s in scores), "outages"),
        "false agent outages": (sum(s.false_agents for s in scores), "outages"),
        "delay, median": (delays[len(delays) // 2], "s"),
        "delay, p95": (delays[min(len(delays) - 1, int(0.95 * len(delays)))], "s"),
        "replay": (sum(s.rows for s in scores) / sum(s.cpu_s for s in scores), "results/CPU-s"),
    }
    return [{"name": n, "value": v, "unit": u} for n, (v, u) in total.items()]
