"""Results as InfluxDB's line protocol, a column at a time. Pure; docs/storage.md shows the schema.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED
from faultline.outcomes import Outcome
from faultline_collector.results import Int64, ResultBatch
from faultline_collector.stores.influxdb.bytetable import Bytes, decimals, lines, texts
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

_ROWS = 2048
"""So many lines at once stay within the cache of a processor."""

_SPARSE = ("attempt", "flags", "status")
_OUTCOMES = [b"", *(b' outcome="%s",' % outcome.word.encode() for outcome in Outcome)]
_FIELD = [b'%s="' % field.encode() for field in (RECORD, BACKLOG)]
_TAG = re.compile("[,= ]")
_UNPLAIN = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029]")


def result_lines(placed: PlacedResults, roles: Sequence[Role]) -> Iterator[bytes]:
    """Lines of all results, in pieces; `roles` stand beside the targets. Raises StoreError for a bad id."""
    if not len(placed):
        return
    tags = _tags(placed, roles)
    for rows, timings in _patterns(placed.results):
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            begin = [texts(words, codes[part]) for words, codes in tags]
            yield _page(placed.results.select(part), begin, timings)


def times_ns(results: ResultBatch) -> Int64:
    """When each result stands in InfluxDB: its start by the collector's clock, apart by its sequence."""
    return results.judged_us * NANOSECONDS + (results.sequence % NANOSECONDS).astype(np.int64)


def tagged(measurement: str, tags: Mapping[str, str]) -> bytes:
    """The begin of a line; raises StoreError for a bad value."""
    return measurement.encode() + b"".join(tag_text(name, value) for name, value in sorted(tags.items()))


def tag_text(name: str, value: str) -> bytes:
    """A tag as it stands in a line, nothing without a value; raises StoreError when it cannot."""
    if value.endswith("\\") or not (value.isprintable()):
        raise StoreError(f"{value!r} cannot be a tag of InfluxDB", permanent=True)
    return b",%s=%s" % (name.encode(), _TAG.sub(r"\\\g<0>", value).encode()) if value else b""


def quoted(text: str) -> bytes:
    """A text field's value as it stands in a line."""
    return b'"%s"' % _quotable(text)


def plain(text: str) -> str:
    """The text without control characters, to be undone by `unplain`."""
    return _UNPLAIN.sub(lambda found: f"\\{ord(found[0]):04x}", text)


def unplain(text: str) -> str:
    """What `plain` was given."""
    return re.sub(r"\\([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text) if "\\" in text else text


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


def _page(results: ResultBatch, begin: list[Bytes], timings: Sequence[str]) -> bytes:
    measured = [decimals(results.timings_us[name]) for name in timings]
    columns: list[Bytes | bytes] = [MEASUREMENT.encode(), *begin, texts(_OUTCOMES, results.outcome)]
    for name in _SPARSE:
        columns += _sparse(name.encode(), getattr(results, name))
    for name, digits in zip(timings, measured, strict=True):
        columns += [b"%s_us=" % name.encode(), digits, b"i,"]
    details = results.details if len(results.detail) and results.detail[0] >= 0 else ()
    if details:
        columns.append(texts([b"detail=%s," % quoted(plain(detail)) for detail in details], results.detail))
    columns += _record(results, timings, measured, details)
    return lines([*columns, b'" ', decimals(times_ns(results))])


def _record(
    results: ResultBatch, timings: Sequence[str], measured: Sequence[Bytes], details: Sequence[str]
) -> list[Bytes | bytes]:
    """The field with the whole result as text, but for the quote at its end."""
    late = results.received_us - results.judged_us
    in_time = (late >= IN_TIME_US[0]) & (late <= IN_TIME_US[1])
    columns: list[Bytes | bytes] = [
        texts(_FIELD, (~in_time).astype(np.intp)),
        decimals(results.sequence),
        b";",
    ]
    for digits in (*(decimals(getattr(results, name)) for name in RECORD_NUMBERS), *measured):
        columns += [digits, b" "]
    columns[-1] = b";%s;" % " ".join(timings).encode()
    if details:
        columns.append(texts([_quotable(plain(detail)) for detail in details], results.detail))
    return columns


def _sparse(name: bytes, column: npt.NDArray[np.integer]) -> list[Bytes | bytes]:
    """A whole number as a field, nothing where it is 0."""
    present = column != 0
    if present.all():
        return [name + b"=", decimals(column), b"i,"]
    if not present.any():
        return []
    words = np.unique(column)
    fields = [b"%s=%di," % (name, word) if word else b"" for word in words.tolist()]
    return [texts(fields, np.searchsorted(words, column))]


def _tags(placed: PlacedResults, roles: Sequence[Role]) -> list[tuple[list[bytes], npt.NDArray[np.integer]]]:
    """For each tag, in order of its name: its texts, name and all, and which one each result has."""
    results, twins = placed.results, _twins(placed.results)
    words: dict[str, tuple[Iterable[str | int], npt.NDArray[np.integer]]] = {
        "agent": ((source.agent_id for source in results.sources), results.source),
        "component": ((role.component for role in roles), results.target),
        "family": (range(int(results.family.max()) + 1), results.family),
        "network": ((place.asn for place in placed.places), placed.place),
        "provider": ((role.provider for role in roles), results.target),
        "region": ((place.region for place in placed.places), placed.place),
        "service": ((role.service for role in roles), results.target),
        "spool": ((source.spool_id for source in results.sources), results.source),
        "target": (results.target_ids, results.target),
        "twin": (range(int(twins.max()) + 1), twins),
    }
    return [([tag_text(name, str(word or "")) for word in of], codes) for name, (of, codes) in words.items()]


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
