"""A stored window as a trace: what `faultline export results` gives, written into a trace's folder."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from faultline_collector.api.export import RESULTS
from faultline_collector.fleet import Fleet
from faultline_collector.outages import iso
from faultline_collector.replay.trace import BadTrace

WARM_US = 30 * 60 * 1_000_000
"""How long before a window results are read, so that what is usual is known when it begins, microseconds."""

_AGENT_FIELDS = (
    "id", "region", "country", "asn", "site", "latitude", "longitude", "version", "ca_bundle",
)  # fmt: skip
_TARGET_FIELDS = (
    "id", "service", "component", "provider", "kind", "interval_s", "home_region", "family", "regions",
)  # fmt: skip

_COPY = """
COPY (
    SELECT received_at, started_at, agent AS agent_id, target AS target_id,
           row_number() OVER (PARTITION BY agent ORDER BY received_at, spool, sequence) AS seq,
           outcome, attempt, family, status AS http_status,
           saturated::UTINYINT + 2 * late::UTINYINT + 4 * asked::UTINYINT AS flags,
           dns_ms, connect_ms, tls_ms, first_byte_ms, total_ms
    FROM exported ORDER BY received_at, agent_id, seq
) TO '{path}' (FORMAT parquet)
"""
"""Stored results are there once each, so they are numbered anew: an agent may have had several spools."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time to be told again; microseconds since 1970."""

    since_us: int
    until_us: int

    @property
    def read_from_us(self) -> int:
        """Where reading begins."""
        return self.since_us - WARM_US


def write_window(lines: Iterable[bytes], fleet: Fleet, window: Window, folder: Path) -> Path:
    """Makes a trace's folder of exported results (CSV, in pieces); raises BadTrace when there are none."""
    exported = folder / "exported.csv"
    with exported.open("wb") as file:
        file.writelines(lines)
    rows = _copy(exported, folder)
    exported.unlink()
    if not rows:
        raise BadTrace(f"no result is stored between {iso(window.since_us)} and {iso(window.until_us)}")
    _table(folder / "agents.csv", "agent_id", _AGENT_FIELDS, fleet.agents)
    _table(folder / "targets.csv", "target_id", _TARGET_FIELDS, fleet.targets)
    times = {"start": iso(window.read_from_us), "end": iso(window.until_us)}
    meta = {"version": 1, "name": "stored window", **times, "rows": rows}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
    return folder


def _copy(exported: Path, folder: Path) -> int:
    """Sorts what was exported into results.parquet, spilling into the folder; gives the number of rows."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": "512MB", "threads": 2, "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False,
    }  # fmt: skip
    with duckdb.connect(config=config) as database:
        read = database.read_csv(str(exported), header=True, columns=RESULTS, na_values="")
        read.create_view("exported")
        path = str(folder / "results.parquet").replace("'", "''")
        copied = database.execute(_COPY.format(path=path)).fetchone()
    return int(copied[0]) if copied else 0


def _table(path: Path, first: str, fields: Sequence[str], things: Iterable[object]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((first, *fields[1:]))
        writer.writerows([_cell(getattr(thing, name)) for name in fields] for thing in things)


def _cell(value: object) -> object:
    return " ".join(value) if isinstance(value, tuple) else value
