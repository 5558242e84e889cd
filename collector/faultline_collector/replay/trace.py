"""A trace, version 1: what a collector received, in a folder."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from faultline.columns import TOTAL
from faultline.outcomes import WORDS
from faultline_collector.fleet import Agent, Fleet, Network, Provider, Region, Service, Target
from faultline_collector.results import ResultBatch, Source

CHUNK = 1_048_576
"""Rows read at a time, as many as a row group usually has."""
REQUIRED = ("received_at", "started_at", "agent_id", "target_id", "seq", "outcome")
TIMINGS = ("dns", "connect", "tls", "first_byte", "total")


class BadTrace(Exception):
    """Raised when a folder is not a trace; its text is one sentence."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace's folder with what stands beside its results; times in microseconds since 1970."""

    folder: Path
    name: str
    start_us: int
    end_us: int
    rows: int
    fleet: Fleet

    @property
    def spool_id(self) -> str:
        """Stands for its agents' spools, so that two traces in one store are no resends of each other."""
        words = f"{self.name} {self.start_us} {self.end_us} {self.rows}"
        return f"trace-{blake2s(words.encode(), digest_size=6).hexdigest()}"


def open_trace(folder: Path) -> Trace:
    """Reads all but the results; raises BadTrace."""
    meta = _meta(folder / "meta.json")
    if not (folder / "results.parquet").is_file():
        raise BadTrace(f"{folder} has no results.parquet")
    fleet = _fleet(_table(folder / "agents.csv"), _table(folder / "targets.csv"), folder)
    try:
        return Trace(
            folder=folder,
            name=str(meta.get("name", folder.name)),
            start_us=_us(str(meta["start"])),
            end_us=_us(str(meta["end"])),
            rows=int(meta.get("rows", 0)),
            fleet=fleet,
        )
    except (KeyError, ValueError) as error:
        raise BadTrace(f"{folder / 'meta.json'}: start and end must be ISO 8601 times") from error


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _meta(path: Path) -> Mapping[str, Any]:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadTrace(f"{path.parent} is not a trace: it has no meta.json") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadTrace(f"{path} cannot be read as JSON") from error
    if not isinstance(meta, dict) or meta.get("version") != 1:
        raise BadTrace(f"{path}: only version 1 of the trace format is known")
    return meta


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise BadTrace(f"{path.parent} has no {path.name}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadTrace(f"{path} cannot be read as CSV") from error


def _fleet(agents: list[dict[str, str]], targets: list[dict[str, str]], folder: Path) -> Fleet:
    try:
        stands = sorted((_agent(row) for row in agents), key=lambda a: a.id)
        things = sorted((_target(row) for row in targets), key=lambda t: t.id)
    except (KeyError, ValueError) as error:
        raise BadTrace(
            f"{folder}: agents.csv or targets.csv has a row that lacks or garbles {error}"
        ) from error
    places = {a.region: a for a in stands}
    services: dict[str, list[str]] = {}
    for target in things:
        services.setdefault(target.service, []).append(target.component)
    return Fleet(
        regions=tuple(Region(r, r, a.country, a.latitude, a.longitude) for r, a in sorted(places.items())),
        networks=tuple(Network(n, f"AS{n}") for n in sorted({a.asn for a in stands})),
        providers=tuple(Provider(p, p) for p in sorted({t.provider for t in things if t.provider})),
        services=tuple(Service(s, s, tuple(c)) for s, c in sorted(services.items())),
        agents=tuple(stands),
        targets=tuple(things),
    )


def _agent(row: Mapping[str, str]) -> Agent:
    return Agent(
        id=row["agent_id"],
        region=row["region"],
        country=row["country"],
        asn=int(row["asn"]),
        site=row.get("site") or "",
        latitude=float(row.get("latitude") or 0),
        longitude=float(row.get("longitude") or 0),
        version=row.get("version") or "",
        ca_bundle=row.get("ca_bundle") or "",
    )


def _target(row: Mapping[str, str]) -> Target:
    return Target(
        id=row["target_id"],
        service=row["service"],
        component=row["component"],
        provider=row["provider"],
        kind=row["kind"],
        interval_s=float(row["interval_s"]),
        home_region=row.get("home_region") or "",
        family=int(row.get("family") or 0),
        regions=tuple((row.get("regions") or "").split()),
    )


class Results:
    """A trace's results in its file; both methods raise BadTrace."""

    def __init__(self, trace: Trace, database: duckdb.DuckDBPyConnection) -> None:
        self._trace = trace
        self._database = database
        self._path = str(trace.folder / "results.parquet")

    def last_start_us(self) -> int:
        """When the fleet's probing ended, by the agents' clocks: after it silence means nothing."""
        query = (
            "SELECT median(last) FROM "
            "(SELECT max(epoch_us(started_at)) AS last FROM read_parquet(?) GROUP BY agent_id)"
        )
        with self._sentences():
            found = self._database.execute(query, [self._path]).fetchone()
        end_us = self._trace.end_us
        return end_us if found is None or found[0] is None else min(end_us, int(found[0]))

    def batches(self, chunk: int = CHUNK) -> Iterator[ResultBatch]:
        """Streams them in order of receipt, `chunk` rows at a time; once."""
        with self._sentences():
            yield from _stream(self._database, self._trace, self._path, chunk)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise BadTrace(f"{self._path} cannot be read: {_first_line(error)}") from error


@contextmanager
def open_results(trace: Trace) -> Iterator[Results]:
    """A trace's results for as long as they are needed; DuckDB takes longer to open than to read a few."""
    with duckdb.connect(":memory:", config={"threads": "1"}) as database:
        yield Results(trace, database)


def read_results(trace: Trace, chunk: int = CHUNK) -> Iterator[ResultBatch]:
    """Streams the results in order of receipt, `chunk` rows at a time; raises BadTrace."""
    with open_results(trace) as results:
        yield from results.batches(chunk)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _stream(database: Any, trace: Trace, path: str, chunk: int) -> Iterator[ResultBatch]:
    described = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()
    columns = {row[0] for row in described}
    if lacking := [name for name in REQUIRED if name not in columns]:
        raise BadTrace(f"{path} lacks the column {lacking[0]}")
    sources = tuple(Source(a.id, trace.spool_id) for a in trace.fleet.agents)
    targets = tuple(t.id for t in trace.fleet.targets)
    for name, words in (("agent", [s.agent_id for s in sources]), ("target", targets), ("word", WORDS)):
        quoted = ", ".join("'" + word.replace("'", "''") + "'" for word in words) or "''"
        database.execute(f"CREATE TYPE {name}_code AS ENUM ({quoted})")
    rows = database.execute("SELECT count(*) FROM read_parquet(?)", [path]).fetchone()[0]
    query = _query(columns)
    for first in range(0, rows, chunk):
        part = database.execute(query, [path, first, first + chunk]).fetchnumpy()
        yield _batch(part, sources, targets)


def _query(columns: set[str]) -> str:
    optional = {"attempt": "UTINYINT", "family": "UTINYINT", "flags": "UTINYINT", "http_status": "USMALLINT"}
    parts = [
        f"coalesce({name}, 0)::{kind} AS {name}" if name in columns else f"0::{kind} AS {name}"
        for name, kind in optional.items()
    ]
    for name in TIMINGS:
        known = f"{name}_ms" in columns
        form = f"coalesce(round({name}_ms * 1000), -1)::INTEGER" if known else "(-1)::INTEGER"
        parts.append(f"{form} AS {name}")
    codes = [
        f"coalesce(enum_code(try_cast({column} AS {name}_code))::INTEGER, -1) AS {name}"
        for column, name in (("agent_id", "agent"), ("target_id", "target"), ("outcome", "word"))
    ]
    wanted = ("epoch_us(received_at) AS received", "epoch_us(started_at) AS started", "seq::UBIGINT AS seq")
    return f"SELECT {', '.join((*wanted, *codes, *parts))} " + (
        "FROM read_parquet(?, file_row_number = true) WHERE file_row_number >= ? AND file_row_number < ?"
    )


def _batch(part: Mapping[str, Any], agents: tuple[Source, ...], targets: tuple[str, ...]) -> ResultBatch:
    total = part["total"]
    outcome = np.array([int(o) for o in WORDS.values()] + [0], np.uint8)[part["word"]]
    return ResultBatch(
        sources=agents,
        source=part["agent"].astype(np.int32),
        target_ids=targets,
        target=part["target"].astype(np.int32),
        sequence=part["seq"],
        started_us=part["started"],
        offset_us=np.zeros(len(total), np.int64),
        received_us=part["received"],
        attempt=part["attempt"],
        outcome=outcome,
        status=part["http_status"],
        family=part["family"],
        flags=part["flags"],
        timings_us={name: part[name] for name in TIMINGS if name == TOTAL or name in part},
    )
