"""A made-up world as a trace's folder, version 1 of the format."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from faultline.outcomes import WORDS
from faultline_collector.fleet import Fleet, Target
from faultline_collector.results import ResultBatch
from faultline_collector.worlds.making import World
from faultline_collector.worlds.scenario import Truth, seconds

AGENT_FIELDS = ("id", "region", "country", "asn", "site", "latitude", "longitude", "version", "ca_bundle")
TARGET_FIELDS = ("id", "service", "component", "provider", "kind", "interval_s", "home_region")

_COLUMNS = """
SELECT make_timestamptz(received) AS received_at, make_timestamptz(started) AS started_at,
       agents[agent + 1] AS agent_id, targets[target + 1] AS target_id, seq, words[outcome] AS outcome,
       {timings}, status AS http_status
FROM columns, (SELECT ?::VARCHAR[] AS agents, ?::VARCHAR[] AS targets, ?::VARCHAR[] AS words)
"""


def write_trace(world: World, folder: Path) -> Path:
    """Writes the world; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _table(folder / "agents.csv", "agent_id", AGENT_FIELDS, world.fleet.agents)
    _table(folder / "targets.csv", "target_id", TARGET_FIELDS, world.fleet.targets)
    _results(folder / "results.parquet", world.results)
    times = {name: _iso(at) for name, at in (("start", world.scenario.start), ("end", world.scenario.end))}
    meta = {"version": 1, "name": world.scenario.name, **times, "rows": len(world.results)}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    return folder


def _iso(at: datetime) -> str:
    return at.isoformat()


def _table(path: Path, first: str, fields: Sequence[str], things: Iterable[object]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((first, *fields[1:]))
        writer.writerows([getattr(thing, name) for name in fields] for thing in things)


def _results(path: Path, results: ResultBatch) -> None:
    columns: dict[str, Any] = {
        "received": results.received_us,
        "started": results.started_us,
        "agent": results.source,
        "target": results.target,
        "seq": results.sequence,
        "outcome": results.outcome,
        "status": results.status,
    }
    timings = []
    for name, column in results.timings_us.items():
        columns[name] = column
        timings.append(f"if({name} < 0, NULL, {name} / 1000)::FLOAT AS {name}_ms")
    words = [word for word, _ in sorted(WORDS.items(), key=lambda item: item[1])]
    given = [[s.agent_id for s in results.sources], list(results.target_ids), words]
    with duckdb.connect(":memory:", config={"threads": "1"}) as database:
        database.register("columns", columns)
        database.execute("SET preserve_insertion_order = true")
        query = _COLUMNS.format(timings=", ".join(timings))
        database.execute("CREATE TABLE made AS " + query, given)
        database.execute(f"COPY made TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)")


def write_truth(world: World, path: Path) -> Path:
    """Writes what truly broke, a JSON object a fault, as scorers of traces read it; gives the path."""
    facts = [_fact(world, f"f{i}", truth) for i, truth in enumerate(world.scenario.truth)]
    path.write_text(json.dumps(facts, indent=1) + "\n")
    return path


def _fact(world: World, name: str, truth: Truth) -> dict[str, Any]:
    begins_at, ends_at = truth.began[0], truth.ended[0]
    return {
        "id": name,
        "scope": truth.scope.value,
        "subject": {"kind": truth.subject.kind, "id": truth.subject.id},
        "targets": targets_of(world.fleet, truth),
        "regions": regions_of(world.fleet, truth),
        "layer": truth.layer,
        "severity": truth.severity,
        "optional": truth.optional,
        "start_s": seconds(world.scenario, begins_at),
        "end_s": seconds(world.scenario, ends_at),
        "start": _iso(begins_at),
        "end": _iso(ends_at),
    }


def targets_of(fleet: Fleet, truth: Truth) -> list[str]:
    """The targets that are truly out; none for networks, agents and the collector."""
    return [target.id for target in fleet.targets if _is_of(target, truth)]


def _is_of(target: Target, truth: Truth) -> bool:
    mine = {"service": target.service, "provider": target.provider}.get(truth.subject.kind)
    return mine == truth.subject.id and (not truth.components or target.component in truth.components)


def regions_of(fleet: Fleet, truth: Truth) -> list[str]:
    """The regions from which it is truly seen."""
    if truth.regions:
        return sorted(truth.regions)
    if truth.subject.kind == "agent":
        return [agent.region for agent in fleet.agents if agent.id == truth.subject.id]
    if truth.subject.kind == "cohort":
        return sorted({agent.region for agent in fleet.agents if agent.ca_bundle == truth.subject.id})
    return sorted({agent.region for agent in fleet.agents if not truth.asns or agent.asn in truth.asns})
