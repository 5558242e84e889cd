"""What stands in the outbox: one entry an append, as bytes. Pure.

Results stay columns: four times smaller than lines, and a reader needs no parser of lines.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from faultline_collector.results import ResultBatch, Source, empty_batch
from faultline_collector.stores.influxdb.roles import Role
from faultline_collector.stores.places import Place, PlacedResults
from faultline_collector.stores.store import ReceivedRange

_FRAME = struct.Struct("<4sIIQ")
_MAGIC = b"flt1"
_HEAD = struct.Struct("<I")

_COLUMNS: tuple[tuple[str, str], ...] = (
    ("sequence", "<u8"), ("started_us", "<i8"), ("offset_us", "<i8"), ("received_us", "<i8"),
    ("source", "<i4"), ("target", "<i4"), ("status", "<u2"),
    ("attempt", "u1"), ("outcome", "u1"), ("family", "u1"), ("flags", "u1"),
)  # fmt: skip
_INT32 = "<i4"


def _nothing() -> PlacedResults:
    return PlacedResults(empty_batch(), (), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Results with their places and roles, ranges, and lines of other measurements, durable together."""

    placed: PlacedResults = field(default_factory=_nothing)
    roles: tuple[Role, ...] = ()
    ranges: tuple[ReceivedRange, ...] = ()
    lines: bytes = b""


class Framed(NamedTuple):
    """An entry that was found whole: its number, and where its bytes begin and end in what was read."""

    number: int
    begin: int
    end: int


def frame(number: int, payload: bytes) -> bytes:
    """An entry's bytes as they are appended, with length and checksum before them."""
    return _FRAME.pack(_MAGIC, len(payload), crc32(payload, number & 0xFFFFFFFF), number) + payload


def framed(data: bytes | memoryview) -> Iterator[Framed]:
    """The entries that stand whole in the data, until the first that does not."""
    at = 0
    while at + _FRAME.size <= len(data):
        magic, length, check, number = _FRAME.unpack_from(data, at)
        begin, end = at + _FRAME.size, at + _FRAME.size + length
        if magic != _MAGIC or end > len(data) or crc32(data[begin:end], number & 0xFFFFFFFF) != check:
            return
        yield Framed(number, begin, end)
        at = end


def encoded(entry: Entry) -> bytes:
    """An entry as bytes: a head in JSON, then columns, then lines."""
    results = entry.placed.results
    columns = [np.ascontiguousarray(getattr(results, name), kind) for name, kind in _COLUMNS]
    columns += [np.ascontiguousarray(column, _INT32) for column in results.timings_us.values()]
    columns += [np.ascontiguousarray(column, _INT32) for column in (entry.placed.place, results.detail)]
    head = json.dumps(
        {
            "results": len(results),
            "sources": [[source.agent_id, source.spool_id] for source in results.sources],
            "targets": results.target_ids,
            "details": results.details if len(results.detail) else None,
            "timings": list(results.timings_us),
            "places": entry.placed.places,
            "roles": entry.roles,
            "ranges": [_range_words(item) for item in entry.ranges],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    return b"".join([_HEAD.pack(len(head)), head, *(column.data for column in columns), entry.lines])


def decoded(payload: bytes | memoryview) -> Entry:
    """The entry that was encoded."""
    head, at = _head(payload)
    number = head["results"]
    columns, at = _read(payload, at, number, [kind for _, kind in _COLUMNS])
    names: list[str] = head["timings"]
    timings, at = _read(payload, at, number, [_INT32] * len(names))
    (place,), at = _read(payload, at, number, [_INT32])
    details: list[str] | None = head["details"]
    (detail,), at = _read(payload, at, number if details is not None else 0, [_INT32])
    results = ResultBatch(
        sources=tuple(Source(*words) for words in head["sources"]),
        target_ids=tuple(head["targets"]),
        timings_us=dict(zip(names, timings, strict=True)),
        details=tuple(details or ()),
        detail=detail,
        **{name: column for (name, _), column in zip(_COLUMNS, columns, strict=True)},
    )
    return Entry(
        PlacedResults(results, tuple(Place(*words) for words in head["places"]), place),
        tuple(Role(*words) for words in head["roles"]),
        tuple(_range(*words) for words in head["ranges"]),
        bytes(payload[at:]),
    )


def ranges_of(payload: bytes | memoryview) -> list[ReceivedRange]:
    """Only the ranges of an encoded entry."""
    return [_range(*words) for words in _head(payload)[0]["ranges"]]


def _head(payload: bytes | memoryview) -> tuple[dict[str, Any], int]:
    (length,) = _HEAD.unpack_from(payload)
    end = _HEAD.size + length
    return json.loads(bytes(payload[_HEAD.size : end])), end


def _read(
    payload: bytes | memoryview, at: int, number: int, kinds: Sequence[str]
) -> tuple[list[npt.NDArray[Any]], int]:
    columns = []
    for kind in kinds:
        column = np.frombuffer(payload, kind, number, at)
        columns.append(column)
        at += column.nbytes
    return columns, at


def _range_words(item: ReceivedRange) -> list[Any]:
    return [item.source.agent_id, item.source.spool_id, item.first, item.last, item.fate, item.reason]


def _range(agent: str, spool: str, first: int, last: int, fate: str, reason: str) -> ReceivedRange:
    return ReceivedRange(Source(agent, spool), first, last, fate, reason)
