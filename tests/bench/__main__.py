"""Runs the benchmarks, prints one table and writes build/bench.json: `python -m tests.bench [NAME ...]`.

With --docs it runs nothing and writes docs/benchmarks.md from the last build/bench.json.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from tests.bench.rows import Row

BENCHES = {
    "probes": "CPU a probe and timing error, beside blackbox_exporter",
    "agent": "memory of an agent with 1,000 targets",
    "uplinks": "an agent's CPU and bytes a result over gRPC and MQTT",
    "store": "rows a second into DuckDB, query times",
    "influx": "from the wire into InfluxDB: CPU a result beside influxd's own, sizes, memory",
    "queries": "what every question costs at one and ten million results",
    "ingest": "results a second from wire to stored and correlated; idle streams",
    "verdict": "drawn worlds: Faultline beside the rules in use today",
    "churn": "networks that go dark among agents that come and go",
    "ticks": "what a tick costs, as agents, targets and simultaneous faults grow",
    "labelled": "the labelled worlds d01 to d06: found, right scope, delay; replay speed",
    "day": "memory and rate of replay: 1,000 agents x 100 targets at 30 s",
    "asking": "made worlds with agents asked to probe now, beside without: delays, probes more",
    "lab": "time from an injected fault to suspected and confirmed",
    "page": "size of the page",
}
"""Every module of tests/bench by its name, and what it measures."""

OUT = Path("build/bench.json")
PAGE = Path("docs/benchmarks.md")
HEAD = """# Benchmarks

Every figure here was printed by `make bench` (one of them: `make bench ONLY=name`), and this page was
written from its `build/bench.json` by `.venv/bin/python -m tests.bench --docs`. Two cores, everything on
one machine: absolute figures vary up to twofold between runs; ratios are of one run and hold better.
"""


def merge(old: list[Row], new: list[Row], name: str) -> list[Row]:
    """The rows of earlier runs with those of one bench replaced."""
    return [row for row in old if not row["name"].startswith(f"{name}.")] + new


def show(rows: list[Row], console: Console) -> None:
    """Prints rows as a table."""
    table = Table(Column("name", overflow="fold"), "value", "unit", "peer", "ratio", title="make bench")
    for row in rows:
        peer, ratio = row.get("peer_value"), row.get("ratio")
        beside = "" if peer is None else f"{row.get('peer', '')} {peer:,.6g}".strip()
        table.add_row(
            row["name"], f"{row['value']:,.6g}", row["unit"], beside, "" if ratio is None else f"{ratio:.2f}"
        )
    console.print(table)


def page(rows: list[Row]) -> str:
    """The rows as a Markdown page, a section a bench."""
    parts = [HEAD]
    for bench, what in BENCHES.items():
        mine = [row for row in rows if row["name"].startswith(f"{bench}.")]
        if not mine:
            continue
        parts += [
            f"## {bench}: {what}\n",
            "| figure | value | unit | peer | ratio |",
            "| --- | ---: | --- | --- | ---: |",
        ]
        for row in mine:
            peer = f"{row.get('peer', '')} {row['peer_value']:,.4g}" if "peer_value" in row else ""
            ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
            name = row["name"].partition(".")[2]
            parts.append(f"| {name} | {row['value']:,.6g} | {row['unit']} | {peer} | {ratio} |")
        parts.append("")
    return "\n".join(parts)


def main(names: list[str]) -> int:
    """Runs the named benches, or all."""
    if names == ["--docs"]:
        PAGE.write_text(page(json.loads(OUT.read_text())))
        return 0
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"{unknown[0]}: is not one of {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    OUT.parent.mkdir(exist_ok=True)
    rows: list[Row] = json.loads(OUT.read_text()) if OUT.exists() else []
    for name in names or BENCHES:
        print(f"{name}: {BENCHES[name]} ...", flush=True)
        started = time.monotonic()
        found: list[Row] = import_module(f"tests.bench.{name}").run()
        rows = merge(rows, [{**row, "name": f"{name}.{row['name']}"} for row in found], name)
        OUT.write_text(json.dumps(rows, indent=1) + "\n")
        print(f"{name}: {len(found)} figures in {time.monotonic() - started:.0f} s", flush=True)
    show(rows, Console())
    print(f"written to {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
