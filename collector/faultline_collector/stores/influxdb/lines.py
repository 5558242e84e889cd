"""Results as InfluxDB's line protocol, a column at a time. Pure; docs/storage.md shows the schema.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from faultline.columns import NOT_REACHED
from faultline.outcomes import Outcome
from faultline_collector.results import Int64, ResultBatch
from faultline_collector.stores.influxdb.bytetable import Column, Texts, decimals, lines, texts
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

_KNOWN_TAGS = 2**16
_SMALL = 2**16
_ROWS = 2500
"""So many lines at once stay near the cache of a processor; a power of two would share few of its lines."""

_FEW = RECORD_NUMBERS[3:]
_SPARSE = ("attempt", "flags", "status")
_FIELD = [b'%s="' % field.encode() for field in (RECORD, BACKLOG)]
_TAG = re.compile("[,= ]")
_UNPLAIN = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Lines(NamedTuple):
    """Lines, each ended by a newline, and how many: to count them takes a tenth of formatting them."""

    text: bytes
    number: int


def result_lines(placed: PlacedResults, roles: Sequence[Role]) -> Iterator[Lines]:
    """Lines of all results, in pieces; `roles` stand beside the targets. Raises StoreError for a bad id."""
    if not len(placed):
        return
    results = placed.results
    times = times_ns(results)
    begin, sort, late = _tags(placed, roles, _twins(results, times)), _sorts(results), _late(results)
    detail = _details(results)
    for rows, timings, told in _patterns(results):
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            measured = [decimals(results.timings_us[name].take(part)) for name in timings]
            columns: list[Column] = [MEASUREMENT.encode(), *(tag.rows(part) for tag in begin)]
            columns.append(sort.fields.rows(part))
            for name, digits in zip(timings, measured, strict=True):
                columns += [b"%s_us=" % name.encode(), *digits, b"i,"]
            columns += [detail.fields.rows(part)] if told else []
            columns += [late.rows(part), *_identity(results, part), sort.record.rows(part)]
            for digits in measured:
                columns += [b" ", *digits]
            columns.append(b";%s;" % " ".join(timings).encode())
            columns += [detail.record.rows(part)] if told else []
            columns += [b'" ', *decimals(times.take(part))]
            yield Lines(lines(len(part), columns), len(part))


def times_ns(results: ResultBatch) -> Int64:
    """When each result stands in InfluxDB: its start by the collector's clock, apart by its sequence."""
    return results.judged_us * NANOSECONDS + (results.sequence % NANOSECONDS).astype(np.int64)


def tagged(measurement: str, tags: Mapping[str, str]) -> bytes:
    """The begin of a line; raises StoreError for a bad value."""
    return measurement.encode() + b"".join(tag_text(name, value) for name, value in sorted(tags.items()))


@lru_cache(_KNOWN_TAGS)
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


class _Both(NamedTuple):
    """The same twice: as fields of their own, and as a part of the record."""

    fields: Texts
    record: Texts


def _patterns(results: ResultBatch) -> Iterator[tuple[npt.NDArray[np.intp], tuple[str, ...], bool]]:
    """Rows with the same timings, and with or without a detail; which timings those are, and if with one."""
    names = tuple(sorted(results.timings_us))
    mask = (results.detail >= 0).astype(np.int64) if len(results.detail) else np.zeros(len(results), np.int64)
    for bit, name in enumerate(names, start=1):
        mask |= (results.timings_us[name] != NOT_REACHED).astype(np.int64) << bit
    first, numbers = _numbered(mask)
    for number, pattern in enumerate(mask[first].tolist()):
        reached = tuple(name for bit, name in enumerate(names, start=1) if pattern >> bit & 1)
        yield np.flatnonzero(numbers == number), reached, bool(pattern & 1)


def _sorts(results: ResultBatch) -> _Both:
    """What few results differ in: one text for each combination of all these columns that occurs."""
    columns = [getattr(results, name) for name in _FEW]
    first, codes = _numbered(code_of(columns))
    sorts = [
        dict(zip(_FEW, row, strict=True)) for row in zip(*(c[first].tolist() for c in columns), strict=True)
    ]
    fields = [
        b' outcome="%s",' % Outcome(sort["outcome"]).word.encode()
        + b"".join(b"%s=%di," % (name.encode(), sort[name]) for name in _SPARSE if sort[name])
        for sort in sorts
    ]
    record = [" ".join(str(sort[name]) for name in _FEW).encode() for sort in sorts]
    return _Both(texts(fields, codes), texts(record, codes))


def _numbered(codes: Int64) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where each code that occurs is found, and for each place which of these it has, mostly unsorted."""
    if codes.max() >= _SMALL:
        _, first, number = np.unique(codes, return_index=True, return_inverse=True)
        return first, number
    found = np.flatnonzero(np.bincount(codes))
    numbers = np.empty(int(found[-1]) + 1, np.intp)
    numbers[found] = np.arange(len(found))
    number = numbers.take(codes)
    places = np.empty(len(found), np.intp)
    places[number] = np.arange(len(codes))
    return places, number


def _details(results: ResultBatch) -> _Both:
    """Details, for those rows that have one."""
    found = [plain(detail) for detail in results.details]
    return _Both(
        texts([b"detail=%s," % quoted(text) for text in found], results.detail),
        texts([_quotable(text) for text in found], results.detail),
    )


def _late(results: ResultBatch) -> Texts:
    """The field of the record: which, by whether a result came in time."""
    late = results.received_us - results.judged_us
    return texts(_FIELD, ((late < IN_TIME_US[0]) | (late > IN_TIME_US[1])).astype(np.intp))


def _identity(results: ResultBatch, some: npt.NDArray[np.intp]) -> list[Column]:
    """The begin of the record of some results."""
    columns: list[Column] = [*decimals(results.sequence.take(some)), b";"]
    for name in RECORD_NUMBERS[: -len(_FEW)]:
        columns += [*decimals(getattr(results, name).take(some)), b" "]
    return columns


def _tags(placed: PlacedResults, roles: Sequence[Role], twins: Int64) -> list[Texts]:
    """For each tag, in order of its name: its texts, name and all."""
    results = placed.results
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
    return [_tag(name, list(of), codes) for name, (of, codes) in words.items()]


def _tag(name: str, words: Sequence[str | int], codes: npt.NDArray[np.integer]) -> Texts:
    found = {word: tag_text(name, str(word or "")) for word in set(words)}
    return texts([found[word] for word in words], codes)


def _twins(results: ResultBatch, times: Int64) -> Int64:
    """0 but for results that would land on the point of another: those of a pair at the same nanosecond.

    A clock that stands still makes them. They are told apart by a tag, in order of their sequence.
    """
    twins = np.zeros(len(results), np.int64)
    code = code_of((results.source, results.target, times))
    if np.all(np.diff(np.sort(code))):
        return twins
    order = np.lexsort((results.sequence, code))
    again = np.concatenate(([False], np.diff(code[order]) == 0))
    place = np.arange(len(order))
    twins[order] = place - np.maximum.accumulate(np.where(again, 0, place))
    return twins
