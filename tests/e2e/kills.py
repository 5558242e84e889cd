"""kill -9 of agents and of the collector at random moments, and what became of every result."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faultline.ranges import Ranges
from faultline_collector.lab.lab import Lab, LabOptions, Progress
from faultline_collector.lab.processes import Process
from faultline_collector.lab.world import Vantage
from faultline_collector.results import Source
from faultline_collector.stores.duckdb import DuckdbStore
from faultline_collector.stores.store import ResultQuery

_POLL_S = 0.1
_CAUGHT_UP_S = 90.0
_FOREVER_US = 2**62


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


async def run_kills(
    folder: Path, agent_kills: int, collector_kills: int, seed: int, progress: Progress
) -> Account:
    """Six agents at intervals of a second, the kills, and the account of every result."""
    lab = Lab(LabOptions(folder, agents=6, interval_s=2.0))
    random = Random(seed)
    try:
        await lab.open(progress)
        async with asyncio.TaskGroup() as killing:
            killing.create_task(kill_agents(lab, agent_kills, random))
            killing.create_task(kill_collector(lab, collector_kills, random))
        progress("everything has been killed; waiting for what was spooled")
        await caught_up(lab)
    finally:
        await lab.close()
    spools = [read_spool(lab, vantage) for vantage in lab.world.vantages]
    return account(lab.folder / "results.duckdb", spools)


async def kill_agents(lab: Lab, kills: int, random: Random) -> None:
    """Kills a random connected agent at a random moment and starts it again, so many times."""
    for _ in range(kills):
        await asyncio.sleep(random.uniform(0.1, 2.0))
        await _until(lambda: bool(_connected(lab)), "an agent connected")
        vantage = random.choice(_connected(lab))
        _kill(lab.crew[vantage.id])
        lab.start_agent(vantage)


async def kill_collector(lab: Lab, kills: int, random: Random) -> None:
    """Kills the collector at a random moment and starts it again, so many times."""
    for _ in range(kills):
        await asyncio.sleep(random.uniform(0.1, 2.0))
        _kill(lab.crew["collector"])
        await asyncio.sleep(random.uniform(0.0, 0.5))
        lab.start_collector()
        await lab.await_collector()


def _kill(process: Process) -> None:
    process.child.kill()
    process.child.wait()


def _connected(lab: Lab) -> list[Vantage]:
    return [vantage for vantage in lab.world.vantages if lab.stage.relays[vantage.id].connected]


async def caught_up(lab: Lab) -> None:
    """Waits until everything that is recorded by now has been acknowledged."""
    now_us = time.time_ns() // 1000
    folders = [lab.agent_folder(vantage) for vantage in lab.world.vantages]
    await _until(
        lambda: all(_waits_since(folder / "status.json", now_us) > now_us for folder in folders),
        "everything acknowledged",
    )


def _waits_since(status_file: Path, now_us: int) -> int:
    """Since when the oldest result waits that an agent still has, by a status written after `now_us`."""
    status = json.loads(status_file.read_text(encoding="utf-8"))
    if status["written_us"] <= now_us or status["spool"]["dropped"]:
        return 0
    return int(status["spool"]["oldest_us"]) or now_us + 1


async def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _CAUGHT_UP_S
    while not true():
        assert time.monotonic() < deadline, f"not within {_CAUGHT_UP_S:g} s: {what}"
        await asyncio.sleep(_POLL_S)


def read_spool(lab: Lab, vantage: Vantage) -> Held:
    """Reads the spool file of an agent that has ended."""
    path = lab.agent_folder(vantage) / "spool.db"
    with closing(sqlite3.connect(path, timeout=10)) as db:
        facts = dict(db.execute("SELECT name, value FROM facts WHERE name IN ('spool_id', 'next_sequence')"))
        held = [first for (first,) in db.execute("SELECT first FROM batches UNION SELECT first FROM dropped")]
    following = min([int(facts.get("next_sequence", 1)), *held])
    return Held(Source(vantage.id, facts["spool_id"]), following - 1)


def account(store_file: Path, spools: list[Held]) -> Account:
    """Compares the store with what the spools recorded: every sequence once, or rejected, or dropped."""
    total = Account(spools=len(spools))
    store = DuckdbStore(store_file)
    try:
        rows = _rows(store)
        by_fate = _fates(store)
    finally:
        store.close()
    known = {held.source for held in spools}
    total.problems += [
        f"{source} is no spool's" for source in rows.keys() | by_fate.keys() if source not in known
    ]
    for held in spools:
        _account_spool(held, rows.get(held.source, []), by_fate.get(held.source, {}), total)
    return total


def _account_spool(held: Held, rows: list[int], fates: dict[str, Ranges], total: Account) -> None:
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
    total.recorded += held.last
    total.stored += distinct.count()
    total.rejected += fates.get("rejected", Ranges()).count()
    total.dropped += fates.get("dropped", Ranges()).count()


def _rows(store: DuckdbStore) -> dict[Source, list[int]]:
    rows: dict[Source, list[int]] = {}
    for batch in store.results(ResultQuery(0, _FOREVER_US)):
        for source, sequence in zip(batch.source.tolist(), batch.sequence.tolist(), strict=True):
            rows.setdefault(batch.sources[source], []).append(sequence)
    return rows


def _fates(store: DuckdbStore) -> dict[Source, dict[str, Ranges]]:
    fates: dict[Source, dict[str, Ranges]] = {}
    for item in store.ledger():
        fates.setdefault(item.source, {}).setdefault(item.fate, Ranges()).add(item.first, item.last)
    return fates
