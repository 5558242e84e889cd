"""Traces made up for the tests: a few agents, a service that fails everywhere for a while."""

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2026, 1, 5, tzinfo=UTC)
SECONDS = 180
FAILS = range(80, 130)
AGENT_FIELDS = ("agent_id", "region", "country", "asn")
TARGET_FIELDS = ("target_id", "service", "component", "provider", "kind", "interval_s")


def write_trace(
    folder: Path, *, extra: bool = False, messy: bool = False, seed: int = 1, name: str = "small"
) -> Path:
    """A trace of 3 minutes, 12 agents, 4 services at 5 s; s1 answers with 503 from second 80 to 130.

    A messy one has rows out of order, and agents and targets that nobody knows.
    """
    folder.mkdir(parents=True)
    agents = [(f"a{i:02d}", f"r{i // 3}", "XX", 64500 + i % 3) for i in range(12)]
    targets = [(f"s{i}-web", f"s{i}", "web", f"p{i % 2}") for i in range(4)]
    write_csv(folder / "agents.csv", AGENT_FIELDS, agents)
    write_csv(folder / "targets.csv", TARGET_FIELDS, [(*t, "http", 5) for t in targets])
    rows = _rows(agents, targets, np.random.default_rng(seed))
    rows = _disturbed(rows, np.random.default_rng(seed + 1)) if messy else rows
    pq.write_table(_table(rows, extra), folder / "results.parquet")
    meta = {"version": 1, "name": name, "start": START.isoformat(), "rows": len(rows)}
    meta["end"] = (START + timedelta(seconds=SECONDS)).isoformat()
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def write_csv(path: Path, fields: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """A table with a heading."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        writer.writerows(rows)


Row = tuple[float, float, str, str, int, str]


def _rows(
    agents: list[tuple[str, str, str, int]],
    targets: list[tuple[str, str, str, str]],
    rng: np.random.Generator,
) -> list[Row]:
    rows: list[Row] = []
    for agent, *_ in agents:
        starts = sorted(
            (float(start), target, service)
            for target, service, *_ in targets
            for start in np.arange(rng.uniform(0, 5), SECONDS, 5)
        )
        for sequence, (start, target, service) in enumerate(starts, 1):
            outcome = "http" if service == "s1" and int(start) in FAILS else "ok"
            rows.append((start + 0.2, start, agent, target, sequence, outcome))
            if sequence % 50 == 0:
                rows.append((start + 7.0, start, agent, target, sequence, outcome))
    return sorted(rows)


def _disturbed(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    out = []
    for row in rows:
        received, started, agent, target, sequence, _ = row
        out.append(row)
        if rng.random() < 0.02:
            out.append((received, started, "stranger", target, sequence, "dns"))
        if rng.random() < 0.02:
            out.append((received, started, agent, "nothing", 10_000 + sequence, "dns"))
        if rng.random() < 0.05:
            out.insert(max(0, len(out) - int(rng.integers(2, 10))), out.pop())
    return out


def _table(rows: list[Row], extra: bool) -> pa.Table:
    received, started, agent, target, sequence, outcome = zip(*rows, strict=True)
    columns = {
        "received_at": _times(received),
        "started_at": _times(started),
        "agent_id": pa.array(agent),
        "target_id": pa.array(target),
        "seq": pa.array(sequence, pa.uint64()),
        "outcome": pa.array(outcome),
        "total_ms": pa.array([100.0] * len(rows), pa.float32()),
        "http_status": pa.array([503 if o == "http" else 200 for o in outcome], pa.uint16()),
    }
    if extra:
        zeros = pa.array([0] * len(rows), pa.uint8())
        columns |= {"attempt": zeros, "flags": zeros, "family": zeros}
    return pa.table(columns)


def _times(seconds: Sequence[float]) -> pa.Array:
    return pa.array([START + timedelta(seconds=s) for s in seconds], pa.timestamp("us", tz="UTC"))
