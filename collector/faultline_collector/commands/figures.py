"""Figures of history as cells of a table."""

from collections.abc import Callable
from functools import partial
from typing import Any

from faultline_collector.commands.asking import when, zone

_AXES = ("service", "component", "target", "provider", "region", "network", "family")


Columns = dict[str, Callable[[dict[str, Any]], str]]
"""What stands in each column, by the name above it."""


def availability_columns(by: str, *, stepped: bool, utc: bool, brief: bool) -> Columns:
    """Columns for rows of availability; `brief` are those that fit a terminal."""
    counts: Columns = {name.upper(): _figure(name, str) for name in ("ok", "failed", "unknown")}
    columns = _keys(by, stepped=stepped, utc=utc, brief=brief)
    columns |= {"FAILED": lambda row: f"{row['failed']} of {row['ok'] + row['failed']}"} if brief else counts
    columns |= {"KNOWN": _known, "AVAILABLE": _figure("availability", _share)}
    if "region" in _axes(by):
        return columns
    return columns | {"WEIGHTED": _figure("weighted", _share), "WORST": _worst("worst", _share)}


def latency_columns(by: str, *, stepped: bool, utc: bool, brief: bool) -> Columns:
    """Columns for rows of latency; `brief` are those that fit a terminal."""
    columns = _keys(by, stepped=stepped, utc=utc, brief=brief)
    columns |= {"KNOWN": _known} if brief else {"GOOD": _figure("count", str), "KNOWN": _known}
    columns |= {f"P{n} MS": _figure(f"p{n}_ms", _ms) for n in (50, 95, 99)}
    if "region" in _axes(by):
        return columns
    weighted: Columns = {} if brief else {"WEIGHTED P50": _figure("weighted_p50_ms", _ms)}
    return columns | weighted | {"WORST P95": _worst("worst_p95_ms", _ms)}


def _keys(by: str, *, stepped: bool, utc: bool, brief: bool) -> Columns:
    columns: Columns = {axis.upper(): _figure(axis, partial(_word, axis)) for axis in _axes(by)}
    if brief and "component" in _axes(by):
        del columns["SERVICE"]
        columns = {"COMPONENT": lambda row: f"{row['service']}/{row['component']}"} | {
            name: column for name, column in columns.items() if name != "COMPONENT"
        }
    if stepped or not brief:
        columns[f"START ({zone(utc=utc)})"] = lambda row: when(row["start"], utc=utc)
    return columns


def _figure(name: str, write: Callable[[Any], str]) -> Callable[[dict[str, Any]], str]:
    return lambda row: write(row[name])


def _known(row: dict[str, Any]) -> str:
    return f"{row['coverage']:.0%}"


def _worst(name: str, write: Callable[[float | None], str]) -> Callable[[dict[str, Any]], str]:
    return lambda row: write(row[name]) + (f" {row['worst_region']}" if row["worst_region"] else "")


def _axes(by: str) -> tuple[str, ...]:
    asked = {word.strip() for word in by.split(",")}
    asked |= {"service"} if "component" in asked else set()
    return tuple(axis for axis in _AXES if axis in asked)


def _word(axis: str, value: str | int | None) -> str:
    if axis == "network" and value:
        return f"AS{value}"
    if axis == "family":
        return f"IPv{value}" if value else ""
    return str(value or "none")


def _share(share: float | None) -> str:
    return "no data" if share is None else f"{share:.3%}"


def _ms(ms: float | None) -> str:
    return "no data" if ms is None else f"{ms:.1f}"
