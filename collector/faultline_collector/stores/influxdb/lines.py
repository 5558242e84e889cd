"""Results as InfluxDB's line protocol, a column at a time. Pure; docs/storage.md shows the schema.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED
from faultline.outcomes import Outcome
from faultline_collector.results import Int64, Mask, ResultBatch
from faultline_collector.stores.influxdb.bytetable import Bytes, decimals, lines, literal, texts
from faultline_collector.stores.influxdb.roles import Role
from faultline_collector.stores.places import PlacedResults
from faultline_collector.stores.rollups import code_of
from faultline_collector.stores.store import StoreError

MEASUREMENT = "results"
RECORD, BACKLOG = "record", "backlog"
"""The field with the whole result as text: of one that came in time, and of one that came late."""

IN_TIME_US = (-5_000_000, 60_000_000)
"""A result that is received so long after its start, at least and at most, comes in time."""

RECORD_NUMBERS = (
    "started_us", "offset_us", "received_us", "attempt", "outcome", "status", "family", "flags",
)  # fmt: skip
"""A record is its sequence, ";", these numbers and then its timings, ";", their names, ";", its detail."""

NANOSECONDS = 1000
"""A microsecond has so many; the sequence says which of them is a result's."""

_ROWS = 4096
"""So many lines at once stay within the processor's cache."""

_SPARSE = ("attempt", "flags", "status")
_OUTCOMES = [b"", *(b' outcome="%s",' % outcome.word.encode() for outcome in Outcome)]
_FIELD = [b'%s="' % field.encode() for field in (RECORD, BACKLOG)]
_UNPLAIN = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029]")


def result_lines(placed: PlacedResults, roles: Sequence[Role]) -> Iterator[bytes]:
    """Lines of all results, in pieces; `roles` stand beside the targets. Raises StoreError for a bad id."""
    if not len(placed):
        return
    words, series = _series(placed, roles)
    for rows, timings in _patterns(placed.results):
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            yield _page(placed.results.select(part), words, series[part], timings)


def times_ns(results: ResultBatch) -> Int64:
    """When each result stands in InfluxDB: its start by the collector's clock, apart by its sequence."""
    return results.judged_us * NANOSECONDS + (results.sequence % NANOSECONDS).astype(np.int64)


def tagged(measurement: str, tags: Mapping[str, str]) -> bytes:
    """The begin of a line; tags without a value are left out. Raises StoreError for an unusable value."""
    pairs = (b",%s=%s" % (name.encode(), _tag(value)) for name, value in sorted(tags.items()) if value)
    return measurement.encode() + b"".join(pairs)


def quoted(text: str) -> bytes:
    """A text field's value as it stands in a line."""
    return b'"%s"' % _quotable(text)


def plain(text: str) -> str:
    """The text without control characters, to be undone by `unplain`."""
    return _UNPLAIN.sub(lambda found: f"\\{ord(found[0]):04x}", text)


def unplain(text: str) -> str:
    """What `plain` was given."""
    return re.sub(r"\\([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text) if "\\" in text else text


def _tag(value: str) -> bytes:
    if value.endswith("\\") or not value.isprintable():
        raise StoreError(f"{value!r} cannot be a tag of InfluxDB", permanent=True)
    return "".join("\\" + letter if letter in ",= " else letter for letter in value).encode()


def _quotable(text: str) -> bytes:
    return text.replace("\\", "\\\\").replace('"', '\\"').encode()


def _patterns(results: ResultBatch) -> Iterator[tuple[npt.NDArray[np.intp], tuple[str, ...]]]:
    """Rows with the same timings, and with or without a detail; and which timings those are."""
    names = tuple(sorted(results.timings_us))
    mask = (results.detail >= 0).astype(np.int64) if len(results.detail) else np.zeros(len(results), np.int64)
    for bit, name in enumerate(names, start=1):
        mask |= (results.timings_us[name] != NOT_REACHED).astype(np.int64) << bit
    for pattern in np.unique(mask):
        reached = tuple(name for bit, name in enumerate(names, start=1) if pattern >> bit & 1)
        yield np.flatnonzero(mask == pattern), reached


def _page(
    results: ResultBatch, words: Sequence[bytes], series: npt.NDArray[np.intp], timings: Sequence[str]
) -> bytes:
    rows = len(results)
    measured = [decimals(results.timings_us[name]) for name in timings]
    columns = [texts(words, series), texts(_OUTCOMES, results.outcome)]
    for name in _SPARSE:
        column = getattr(results, name)
        columns += _present(
            [literal(b"%s=" % name.encode(), rows), decimals(column), literal(b"i,", rows)], column != 0
        )
    for name, digits in zip(timings, measured, strict=True):
        columns += [literal(b"%s_us=" % name.encode(), rows), digits, literal(b"i,", rows)]
    details = results.details if len(results.detail) and results.detail[0] >= 0 else ()
    if details:
        columns.append(texts([b"detail=%s," % quoted(plain(detail)) for detail in details], results.detail))
    columns += _record(results, timings, measured, details)
    return lines([*columns, literal(b'" ', rows), decimals(times_ns(results))])


def _record(
    results: ResultBatch, timings: Sequence[str], measured: Sequence[Bytes], details: Sequence[str]
) -> list[Bytes]:
    """The field with the whole result as text, but for the quote at its end."""
    rows = len(results)
    late = results.received_us - results.judged_us
    in_time = (late >= IN_TIME_US[0]) & (late <= IN_TIME_US[1])
    columns = [texts(_FIELD, (~in_time).astype(np.intp)), decimals(results.sequence), literal(b";", rows)]
    for digits in (*(decimals(getattr(results, name)) for name in RECORD_NUMBERS), *measured):
        columns += [digits, literal(b" ", rows)]
    columns[-1] = literal(b";%s;" % " ".join(timings).encode(), rows)
    if details:
        columns.append(texts([_quotable(plain(detail)) for detail in details], results.detail))
    return columns


def _present(columns: list[Bytes], rows: Mask) -> list[Bytes]:
    """The columns, empty in the other rows."""
    if rows.all():
        return columns
    return [column * rows[:, None] for column in columns] if rows.any() else []


def _series(placed: PlacedResults, roles: Sequence[Role]) -> tuple[list[bytes], npt.NDArray[np.intp]]:
    """The begins of lines that occur, and which one each result has."""
    results = placed.results
    twins = _twins(results)
    keys = (results.source, results.target, placed.place, results.family, twins)
    _, first, series = np.unique(code_of(keys), return_index=True, return_inverse=True)
    return [_begin(placed, roles, int(row), int(twins[row])) for row in first], series


def _begin(placed: PlacedResults, roles: Sequence[Role], row: int, twin: int) -> bytes:
    results = placed.results
    source, target = results.sources[results.source[row]], int(results.target[row])
    place = placed.places[placed.place[row]]
    tags = {
        "agent": source.agent_id, "spool": source.spool_id, "target": results.target_ids[target],
        "region": place.region, "network": _number(place.asn), "family": _number(int(results.family[row])),
        "twin": _number(twin), **roles[target]._asdict(),
    }  # fmt: skip
    return tagged(MEASUREMENT, tags)


def _number(number: int) -> str:
    return str(number) if number else ""


def _twins(results: ResultBatch) -> Int64:
    """0 but for results that would land on the point of another: those of a pair at the same nanosecond.

    A clock that stands still makes them. They are told apart by a tag, in order of their sequence.
    """
    twins = np.zeros(len(results), np.int64)
    code = code_of((results.source, results.target, times_ns(results)))
    if np.all(np.diff(np.sort(code))):
        return twins
    order = np.lexsort((results.sequence, code))
    again = np.concatenate(([False], np.diff(code[order]) == 0))
    place = np.arange(len(order))
    twins[order] = place - np.maximum.accumulate(np.where(again, 0, place))
    return twins
