"""A day of 1,000 agents x 100 targets at 30 s: made as a stream, replayed, its memory watched.

The bench takes its beginning (FAULTLINE_BENCH_DAY_S seconds of simulated time), `make soak` the whole.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from csv import writer
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import duckdb

from tests.bench.rows import Row

AGENTS, TARGETS, INTERVAL_S = 1000, 100, 30
RATE = AGENTS * TARGETS / INTERVAL_S
DAY_S = 86_400
START = datetime(2026, 1, 5, tzinfo=UTC)
SECONDS = int(os.environ.get("FAULTLINE_BENCH_DAY_S", "1800"))
MOST_BYTES = 1_500_000_000

_RESULTS = """
COPY (
    SELECT make_timestamptz(received) AS received_at,
           make_timestamptz(received - took - 350000) AS started_at,
           'a' || lpad((i % {agents})::VARCHAR, 4, '0') AS agent_id,
           't' || lpad(target::VARCHAR, 3, '0') AS target_id, (i // {agents} + 1)::UBIGINT AS seq,
           CASE WHEN failed THEN 'http' WHEN luck < 17 THEN 'connect' ELSE 'ok' END AS outcome,
           (took / 1000)::FLOAT AS total_ms, CASE WHEN failed THEN 503 ELSE 200 END::USMALLINT AS http_status
    FROM (
        SELECT *, target // 5 = 3 AND received - {start} BETWEEN 900e6 AND 1300e6 AS failed,
               20000 + (hash(target * {agents} + i % {agents}) % 100000)::BIGINT + luck // 5 AS took
        FROM (
            SELECT i, {start} + (i * {apart})::BIGINT AS received,
                   (i // {agents} + 7 * (i % {agents})) % {targets} AS target,
                   (hash(i) % 10000)::BIGINT AS luck
            FROM range({rows}) AS one(i)
        )
    )
) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 262144)
"""
"""Rows in order of receipt, evenly spread; 0.17 % fail, one service fails from minute 15 on."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a replay took: rows, seconds, the most memory, and how much in each tenth of its time."""

    rows: int
    wall_s: float
    cpu_s: float
    most_bytes: int
    course: tuple[int, ...]
    told: list[str]


def make_day(folder: Path, seconds: int) -> Path:
    """Writes the trace of so many seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = int(RATE * seconds)
    _table(folder / "agents.csv", ("agent_id", "region", "country", "asn"), [
        (f"a{i:04d}", f"r{i % 20:02d}", f"C{i % 20 // 2:02d}", 64500 + i % 60) for i in range(AGENTS)
    ])  # fmt: skip
    _table(folder / "targets.csv", ("target_id", "service", "component", "provider", "kind", "interval_s"), [
        (f"t{i:03d}", f"s{i // 5:02d}", f"c{i % 5}", f"p{i // 20}", "http", INTERVAL_S)
        for i in range(TARGETS)
    ])  # fmt: skip
    with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as database:
        start_us = int(START.timestamp() * 1e6)
        path = str(folder / "results.parquet").replace("'", "''")
        database.execute("SET preserve_insertion_order = true")
        database.execute(_RESULTS.format(
            agents=AGENTS, targets=TARGETS, start=start_us, apart=1e6 / RATE, rows=rows, path=path
        ))  # fmt: skip
    meta = {"version": 1, "name": "day", "start": START.isoformat(), "rows": rows}
    meta["end"] = (START + timedelta(seconds=seconds)).isoformat()
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def _table(path: Path, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        out = writer(file)
        out.writerow(head)
        out.writerows(rows)


def watch_replay(folder: Path) -> Watched:
    """Replays a trace by the command in a process of its own."""
    rows = int(json.loads((folder / "meta.json").read_text())["rows"])
    program = Path(sys.executable).with_name("faultline")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        [str(program), "replay", str(folder), "--json"], stdout=subprocess.PIPE, text=True
    )
    course: list[int] = []
    watcher = Thread(target=_watch, args=(process, course))
    watcher.start()
    out, _ = process.communicate()
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise RuntimeError(f"replay ended with {process.returncode}")
    return Watched(
        rows=rows,
        wall_s=time.monotonic() - began,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        most_bytes=max(course, default=0),
        course=_tenths(course),
        told=out.splitlines(),
    )


def _watch(process: "subprocess.Popen[str]", course: list[int]) -> None:
    while process.poll() is None:
        try:
            words = Path(f"/proc/{process.pid}/statm").read_text().split()
        except OSError:
            return
        course.append(int(words[1]) * resource.getpagesize())
        time.sleep(0.1)


def _tenths(course: list[int]) -> tuple[int, ...]:
    """The most of each tenth of the time."""
    size = max(1, len(course) // 10)
    return tuple(max(course[at : at + size]) for at in range(0, size * 10, size) if course[at : at + size])


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="faultline-day-") as place:
        seen = watch_replay(make_day(Path(place) / "day", SECONDS))
    rate = seen.rows / seen.cpu_s
    growth = seen.course[-1] / max(seen.course[len(seen.course) // 2 - 1], 1)
    return [
        {"name": f"replay of the first {SECONDS} s of it", "value": seen.rows, "unit": "results"},
        {"name": "rate", "value": rate, "unit": "results/CPU-s"},
        {"name": "most memory (1500 allowed)", "value": seen.most_bytes / 1e6, "unit": "MB"},
        {"name": "memory of the last tenth by that of the fifth", "value": growth, "unit": "1 is flat"},
        {
            "name": "the day's 288 million at this rate",
            "value": RATE * DAY_S / rate / 60,
            "unit": "CPU-minutes",
        },
        {"name": "outages told (one was made)", "value": len(seen.told), "unit": "outages"},
    ]
