"""A labelled world of our own, written as a trace: one fault of each scope after the other, amid noise."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultline.outcomes import WORDS, Outcome
from faultline_collector.fleet import Agent, Target
from faultline_collector.outages import Scope, State
from faultline_collector.replay.replay import replay
from faultline_collector.replay.trace import open_trace
from faultline_collector.results import ResultBatch, concatenate
from tests.collector.correlate.worlds import EPOCH_US, Fault, World, lab_fleet
from tests.collector.replay.traces import AGENT_FIELDS, TARGET_FIELDS, write_csv

FINE_S, BROKEN_S = 60, 60
"""Each fault comes after so many quiet seconds and lasts so long."""


@dataclass(frozen=True, slots=True)
class Label:
    """A fault, and what should be said of it."""

    scope: Scope
    subject: str
    outcome: Outcome
    breaks: Callable[[Agent, Target], bool]


LABELS = (
    Label(Scope.GLOBAL, "s03", Outcome.HTTP, lambda a, t: t.service == "s03"),
    Label(Scope.AGENT, "c1-r1-1", Outcome.DNS, lambda a, t: a.id == "c1-r1-1"),
    Label(
        Scope.REGIONAL,
        "s07",
        Outcome.CONNECT,
        lambda a, t: t.service == "s07" and a.region in ("c0-r0", "c0-r1"),
    ),
    Label(Scope.NETWORK, "201", Outcome.TIMEOUT, lambda a, t: a.asn == 201),
    Label(Scope.PROVIDER, "p1", Outcome.HTTP, lambda a, t: t.provider == "p1"),
    Label(Scope.NETWORK, "c2-r1", Outcome.TIMEOUT, lambda a, t: a.region == "c2-r1"),
)


def test_each_fault_of_a_labelled_world_is_told_once_and_as_what_it_is(tmp_path: Path) -> None:
    """Scope and subject of each, in order, and nothing of the noise between them."""
    outages = replay(open_trace(record(World(lab_fleet(), noise=0.002), tmp_path / "world")))
    assert [(o.scope, o.subject.id) for o in outages] == [(label.scope, label.subject) for label in LABELS]
    assert {outage.state for outage in outages} == {State.RESOLVED}


def record(world: World, folder: Path) -> Path:
    """Lets every label happen in the world and writes down as a trace what is received."""
    folder.mkdir()
    fleet, length_s = world.fleet, len(LABELS) * (FINE_S + BROKEN_S) + FINE_S
    agents = [(a.id, a.region, a.country, a.asn) for a in fleet.agents]
    write_csv(folder / "agents.csv", AGENT_FIELDS, agents)
    targets = [(t.id, t.service, t.component, t.provider, t.kind, t.interval_s) for t in fleet.targets]
    write_csv(folder / "targets.csv", TARGET_FIELDS, targets)
    results = concatenate([world.second(at_s, fault_at(at_s)) for at_s in range(length_s)])
    pq.write_table(table(results), folder / "results.parquet")
    start = datetime.fromtimestamp(EPOCH_US / 1e6, UTC)
    end = start + timedelta(seconds=length_s)
    meta = {"version": 1, "start": start.isoformat(), "end": end.isoformat(), "rows": len(results)}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def fault_at(at_s: int) -> Fault:
    """What is broken in that second."""
    number, within_s = divmod(at_s, FINE_S + BROKEN_S)
    if within_s < FINE_S or number == len(LABELS):
        return lambda agent, target, at: None
    label = LABELS[number]
    return lambda agent, target, at: label.outcome if label.breaks(agent, target) else None


def table(results: ResultBatch) -> pa.Table:
    """The columns that a trace must have, in order of receipt."""
    results = results.select(np.argsort(results.received_us, kind="stable"))
    words = {outcome: word for word, outcome in WORDS.items()}
    time = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "received_at": pa.array(results.received_us, time),
            "started_at": pa.array(results.started_us, time),
            "agent_id": [results.sources[source].agent_id for source in results.source],
            "target_id": [results.target_ids[target] for target in results.target],
            "seq": results.sequence,
            "outcome": [words[Outcome(outcome)] for outcome in results.outcome],
        }
    )
