"""Records out of InfluxDB as results, and the Flux that asks for them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from faultline_collector.results import Int32, ResultBatch, Source
from faultline_collector.stores.influxdb.lines import MEASUREMENT, RECORD_NUMBERS, unplain
from faultline_collector.stores.order import DAY_US
from faultline_collector.stores.places import Place, PlacedResults, gathered
from faultline_collector.stores.store import StoreError
from faultline_collector.stores.summary import Span

MOST_IDS = 100
"""Beyond so many ids a filter is not worth its text: all are read, and selected here."""

_Kind = TypeVar("_Kind", bound=np.generic)
_ROWS = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US, _LAST_US = -(2**63) // 1000 + 2, 2**63 // 1000 - 2
_TAGS = ("agent", "spool", "target", "region", "network", "family")
_KEPT = ", ".join(f'"{name}"' for name in ("_value", *_TAGS))


def flux_text(text: str) -> str:
    """A Flux string literal."""
    escaped = re.sub(r'(["\\]|\$\{)', r"\\\1", text)
    return f'"{escaped}"'


def flux_time(at_us: int) -> str:
    """A Flux time literal; what InfluxDB cannot hold becomes the first or last time that it can."""
    at = _EPOCH + timedelta(microseconds=min(max(at_us, _FIRST_US), _LAST_US))
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def records_query(
    bucket: str, fields: Sequence[str], span: Span, ids: Iterable[tuple[str, frozenset[str] | None]]
) -> str:
    """Asks for the given fields of results whose start lies in the span, of the given ids by tag."""
    conditions = [f'r._measurement == "{MEASUREMENT}"', _any_of("_field", sorted(fields))]
    conditions += [
        _any_of(tag, sorted(some)) for tag, some in ids if some is not None and len(some) <= MOST_IDS
    ]
    found = f"{flux_range(bucket, span)} |> filter(fn: (r) => {' and '.join(conditions)})"
    return f"{found} |> keep(columns: [{_KEPT}])"


def extent_query(bucket: str, span: Span, measurement: str = MEASUREMENT, field: str = "outcome") -> str:
    """Asks for the first and the last time of a point in the span."""
    ours = f'r._measurement == "{measurement}" and r._field == "{field}"'
    found = f"{flux_range(bucket, span)} |> filter(fn: (r) => {ours})"
    ends = 'group() |> keep(columns: ["_time"])'
    return "\n".join(
        f'{found} |> {end}() |> {ends} |> {by}(column: "_time") |> yield(name: "{end}")'
        for end, by in (("first", "min"), ("last", "max"))
    )


def extent(rows: Iterable[list[str]]) -> list[Span]:
    """A span for each time in the answer to `extent_query`."""
    return [
        Span(at_us, at_us + 1)
        for header, some in tables(rows)
        for row in some
        for at_us in (_microseconds(row[header.index("_time")]),)
    ]


def days_query(bucket: str, span: Span, measurement: str, field: str) -> str:
    """Asks for the days in a span, which must not be endless, that have a point."""
    ours = f'r._measurement == "{measurement}" and r._field == "{field}"'
    return (
        f"{flux_range(bucket, span)} |> filter(fn: (r) => {ours})"
        ' |> aggregateWindow(every: 1d, fn: count, timeSrc: "_start", createEmpty: false)'
        ' |> group() |> unique(column: "_time") |> keep(columns: ["_time"])'
    )


def days(rows: Iterable[list[str]]) -> list[int]:
    """The days (since 1970) in the answer to `days_query`."""
    return [
        _microseconds(row[header.index("_time")]) // DAY_US for header, some in tables(rows) for row in some
    ]


def flux_range(bucket: str, span: Span) -> str:
    """The begin of a query for a span of time; one at least as long as InfluxDB wants it."""
    until_us = max(span.until_us, span.since_us + 1)
    times = f"start: {flux_time(span.since_us)}, stop: {flux_time(until_us)}"
    return f"from(bucket: {flux_text(bucket)}) |> range({times})"


def _microseconds(text: str) -> int:
    return int(np.datetime64(text.rstrip("Z"), "ns").astype(np.int64)) // 1000


def records(rows: Iterable[list[str]]) -> PlacedResults:
    """The results in the rows of an answer to `records_query`."""
    parts = [_results(header, some) for header, some in tables(rows)]
    return gathered(parts)


def _any_of(column: str, values: Sequence[str]) -> str:
    return "(" + " or ".join(f"r.{column} == {flux_text(value)}" for value in values) + ")"


def tables(rows: Iterable[list[str]]) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Runs of rows with the same columns, of bounded length; raises StoreError for an error among them."""
    header: list[str] = []
    held: list[list[str]] = []
    for row in rows:
        if len(row) > 1 and header:
            held.append(row)
        if held and (len(row) < 2 or len(held) == _ROWS):
            yield header, held
            held = []
        if len(row) < 2:
            header = []
        elif not header:
            header = row
    if "error" in header:
        raise StoreError(f"InfluxDB cannot answer: {' '.join(held[0]) if held else 'it does not say why'}")
    if held:
        yield header, held


def _results(header: list[str], rows: list[list[str]]) -> PlacedResults:
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    absent = ("",) * len(rows)
    runs = Runs(columns["table"])
    agent, spool, target, region, network, _ = (runs.heads(columns.get(tag, absent)) for tag in _TAGS)
    sequence, numbers, names, details = zip(*(text.split(";", 3) for text in columns["_value"]), strict=True)
    sources, source = coded(zip(agent, spool, strict=True))
    target_ids, target_code = coded(target)
    told, detail = coded(details)
    places, place = coded(zip(region, network, strict=True))
    fixed, timings_us = _numbers(numbers, names)
    results = ResultBatch(
        sources=tuple(Source(*words) for words in sources),
        source=runs.spread(source),
        target_ids=tuple(target_ids),
        target=runs.spread(target_code),
        sequence=np.fromstring(" ".join(sequence), np.uint64, sep=" "),
        timings_us=timings_us,
        details=tuple(unplain(text) for text in told),
        detail=np.where(np.array([bool(text) for text in told])[detail], detail, -1).astype(np.int32),
        **{
            name: column.astype(_TYPES.get(name, np.int64))
            for name, column in zip(RECORD_NUMBERS, fixed, strict=True)
        },
    )
    return PlacedResults(results, tuple(Place(r, int(n or 0)) for r, n in places), runs.spread(place))


_TYPES: dict[str, type[np.generic]] = {
    "attempt": np.uint8, "outcome": np.uint8, "status": np.uint16, "family": np.uint8, "flags": np.uint8,
}  # fmt: skip


def _numbers(texts: Sequence[str], names: Sequence[str]) -> tuple[npt.NDArray[np.int64], dict[str, Int32]]:
    """The fixed numbers of each record, a row each; and its timings by name, -1 where there is none."""
    fixed = np.empty((len(RECORD_NUMBERS), len(texts)), np.int64)
    words, code = coded(names)
    timings = {name: np.full(len(texts), -1, np.int32) for word in words for name in word.split()}
    for key, word in enumerate(words):
        rows = np.flatnonzero(code == key)
        own = (
            np.fromstring(" ".join(texts[row] for row in rows.tolist()), np.int64, sep=" ")
            .reshape(len(rows), -1)
            .T
        )
        fixed[:, rows] = own[: len(RECORD_NUMBERS)]
        for name, column in zip(word.split(), own[len(RECORD_NUMBERS) :], strict=True):
            timings[name][rows] = column
    return fixed, timings


class Runs:
    """Rows of one table of an answer stand together, and have the same tags: those are read once a run."""

    def __init__(self, table: Sequence[str]) -> None:
        names = np.array(table)
        self._first = np.flatnonzero(np.concatenate(([True], names[1:] != names[:-1])))
        self._lengths = np.diff(self._first, append=len(names))

    def heads(self, column: Sequence[str]) -> list[str]:
        """What the first row of each run has."""
        return [column[row] for row in self._first.tolist()]

    def spread(self, heads: npt.NDArray[_Kind]) -> npt.NDArray[_Kind]:
        """What stands at the head of a run, for each row of it."""
        return np.repeat(heads, self._lengths)


def microseconds(times: Sequence[str]) -> npt.NDArray[np.int64]:
    """Microseconds since 1970, of times of which many are the same."""
    words, codes = coded(times)
    return np.array([_microseconds(word) for word in words], np.int64)[codes]


def coded(words: Iterable[Any]) -> tuple[list[Any], Int32]:
    """Each different word once, and beside each word its place among them."""
    codes: dict[Any, int] = {}
    column = np.fromiter((codes.setdefault(word, len(codes)) for word in words), np.int32)
    return list(codes), column
