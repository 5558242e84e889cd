"""Figures of history as cells of a table."""

from typing import Any

from faultline_collector.commands.asking import when, zone

_AXES = ("service", "component", "target", "provider", "region", "network", "family")


def availability_columns(by: str, *, utc: bool) -> tuple[str, ...]:
    """The names above `availability_row`."""
    names = (*_axes(by), f"start ({zone(utc=utc)})", "ok", "failed", "unknown", "known", "available")
    over = () if "region" in _axes(by) else ("weighted", "worst")
    return tuple(_heading(name) for name in (*names, *over))


def availability_row(row: dict[str, Any], by: str, *, utc: bool) -> tuple[str, ...]:
    """One row of the API; where nothing is known it says so."""
    cells = (
        *_key(row, by),
        when(row["start"], utc=utc),
        *(str(row[name]) for name in ("ok", "failed", "unknown")),
        f"{row['coverage']:.0%}",
        _share(row["availability"]),
    )
    if "region" in _axes(by):
        return cells
    worst = "no data" if row["worst"] is None else f"{row['worst']:.3%} {row['worst_region']}"
    return (*cells, _share(row["weighted"]), worst)


def latency_columns(by: str, *, utc: bool) -> tuple[str, ...]:
    """The names above `latency_row`."""
    names = (*_axes(by), f"start ({zone(utc=utc)})", "good", "known", "p50 ms", "p95 ms", "p99 ms")
    over = () if "region" in _axes(by) else ("weighted p50", "worst p95")
    return tuple(_heading(name) for name in (*names, *over))


def latency_row(row: dict[str, Any], by: str, *, utc: bool) -> tuple[str, ...]:
    """One row of the API; where nothing is known it says so."""
    cells = (
        *_key(row, by),
        when(row["start"], utc=utc),
        str(row["count"]),
        f"{row['coverage']:.0%}",
        *(_ms(row[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
    )
    if "region" in _axes(by):
        return cells
    worst = "no data" if row["worst_p95_ms"] is None else f"{_ms(row['worst_p95_ms'])} {row['worst_region']}"
    return (*cells, _ms(row["weighted_p50_ms"]), worst)


def _axes(by: str) -> tuple[str, ...]:
    asked = {word.strip() for word in by.split(",")}
    asked |= {"service"} if "component" in asked else set()
    return tuple(axis for axis in _AXES if axis in asked)


def _key(row: dict[str, Any], by: str) -> tuple[str, ...]:
    return tuple(_word(axis, row[axis]) for axis in _axes(by))


def _word(axis: str, value: str | int | None) -> str:
    if axis == "network" and value:
        return f"AS{value}"
    if axis == "family":
        return f"IPv{value}" if value else ""
    return str(value or "none")


def _heading(name: str) -> str:
    word, space, zoned = name.partition(" (")
    return word.upper() + space + zoned


def _share(share: float | None) -> str:
    return "no data" if share is None else f"{share:.3%}"


def _ms(ms: float | None) -> str:
    return "no data" if ms is None else f"{ms:.1f}"
