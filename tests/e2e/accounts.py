"""What became of every result that agents recorded: each is stored once, or rejected, or dropped."""

import csv
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from faultline.ranges import Ranges
from faultline_collector.lab.lab import Lab
from faultline_collector.lab.world import Vantage
from faultline_collector.results import Source
from faultline_collector.stores.duckdb import DuckdbStore
from faultline_collector.stores.store import ReceivedRange, ResultQuery

_FOREVER_US = 2**62
_QUERY_S = 120.0
_SEQUENCES = """
from(bucket: "{bucket}") |> range(start: 0, stop: 2200-01-01T00:00:00Z)
  |> filter(fn: (r) => r._measurement == "results" and (r._field == "record" or r._field == "backlog"))
  |> keep(columns: ["agent", "spool", "_value"])
"""

Sequences = Mapping[Source, list[int]]
"""The sequences that a store holds, each as often as it is stored."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one spool file says of itself: its source, and the last sequence below which nothing waits."""

    source: Source
    last: int


@dataclass(slots=True)
class Account:
    """What became of the results of every spool; `problems` is empty when none is lost or doubled."""

    spools: int = 0
    recorded: int = 0
    stored: int = 0
    rejected: int = 0
    dropped: int = 0
    problems: list[str] = field(default_factory=list)


def read_spool(lab: Lab, vantage: Vantage) -> Held:
    """Reads the spool file of an agent that has ended."""
    path = lab.agent_folder(vantage) / "spool.db"
    with closing(sqlite3.connect(path, timeout=10)) as db:
        facts = dict(db.execute("SELECT name, value FROM facts WHERE name IN ('spool_id', 'next_sequence')"))
        held = [first for (first,) in db.execute("SELECT first FROM batches UNION SELECT first FROM dropped")]
    following = min([int(facts.get("next_sequence", 1)), *held])
    return Held(Source(vantage.id, facts["spool_id"]), following - 1)


def in_duckdb(file: Path) -> tuple[Sequences, list[ReceivedRange]]:
    """What a file holds, and every range that it knows the fate of."""
    rows: dict[Source, list[int]] = {}
    with closing(DuckdbStore(file)) as store:
        for batch in store.results(ResultQuery(0, _FOREVER_US)):
            for source, sequence in zip(batch.source.tolist(), batch.sequence.tolist(), strict=True):
                rows.setdefault(batch.sources[source], []).append(sequence)
        return rows, store.ledger()


def in_influxdb(url: str, org: str, bucket: str, token: str) -> Sequences:
    """What a bucket holds, by InfluxDB's own answer: tables of CSV, each with a line of names before it."""
    rows: dict[Source, list[int]] = {}
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/vnd.flux"}
    flux = _SEQUENCES.format(bucket=bucket)
    with (
        httpx.Client(headers=headers, timeout=_QUERY_S, trust_env=False) as client,
        client.stream("POST", f"{url}/api/v2/query", params={"org": org}, content=flux) as answer,
    ):
        answer.raise_for_status()
        names: list[str] = []
        for words in csv.reader(answer.iter_lines()):
            if words[1:2] == ["result"]:
                names = words
            elif words:
                row = dict(zip(names, words, strict=True))
                rows.setdefault(Source(row["agent"], row["spool"]), []).append(_sequence(row["_value"]))
    return rows


def _sequence(record: str) -> int:
    """What a record begins with; docs/storage.md shows the whole of it."""
    return int(record.partition(";")[0])


def in_outbox(folder: Path) -> list[ReceivedRange]:
    """Every range that the collector's outbox knows the fate of; also while the collector runs."""
    with closing(sqlite3.connect(folder / "accounts.db", timeout=10)) as db:
        return [
            ReceivedRange(Source(agent, spool), first, last, fate, reason)
            for agent, spool, fate, reason, runs in db.execute(
                "SELECT agent, spool, fate, reason, runs FROM ranges"
            )
            for first, last in json.loads(runs)
        ]


def account(rows: Sequences, ledger: Iterable[ReceivedRange], spools: Iterable[Held]) -> Account:
    """Compares a store with what the spools recorded: every sequence once, or rejected, or dropped."""
    total = Account()
    by_fate = _fates(ledger)
    known = {held.source for held in spools}
    total.problems += [
        f"{source} is no spool's" for source in rows.keys() | by_fate.keys() if source not in known
    ]
    for held in spools:
        _account_spool(held, rows.get(held.source, []), by_fate.get(held.source, {}), total)
    return total


def _account_spool(held: Held, rows: list[int], fates: dict[str, Ranges], total: Account) -> None:
    if not rows:
        total.problems.append(f"{held.source}: nothing is stored")
    distinct = Ranges((number, number) for number in sorted(set(rows)))
    if len(set(rows)) != len(rows):
        total.problems.append(f"{held.source}: {len(rows) - len(set(rows))} results are stored twice")
    if list(distinct) != list(fates.get("stored", Ranges())):
        total.problems.append(f"{held.source}: stored rows and ranges differ")
    every = distinct.copy()
    for fate, ranges in fates.items():
        if fate != "stored":
            if any(list(distinct.within(first, last)) for first, last in ranges):
                total.problems.append(f"{held.source}: {fate} results are stored too")
            every.update(ranges)
    missing = list(every.missing(1, held.last))
    if missing:
        total.problems.append(f"{held.source}: of 1..{held.last} nobody knows {missing}")
    total.spools += 1
    total.recorded += held.last
    total.stored += distinct.count()
    total.rejected += fates.get("rejected", Ranges()).count()
    total.dropped += fates.get("dropped", Ranges()).count()


def _fates(ledger: Iterable[ReceivedRange]) -> dict[Source, dict[str, Ranges]]:
    fates: dict[Source, dict[str, Ranges]] = {}
    for item in ledger:
        fates.setdefault(item.source, {}).setdefault(item.fate, Ranges()).add(item.first, item.last)
    return fates
