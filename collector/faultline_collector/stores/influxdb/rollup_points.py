"""Roll-ups as points of InfluxDB: lines out of cells, and cells out of rows. Pure; docs/storage.md has more.

A point is a whole cell and says which entries of the outbox it counts, so that writing it again changes
nothing, and a cell that was written before a crash is not counted twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.stores.influxdb.lines import tagged
from faultline_collector.stores.influxdb.reading import (
    Runs,
    coded,
    flux_range,
    flux_text,
    microseconds,
    tables,
)
from faultline_collector.stores.influxdb.roles import Role
from faultline_collector.stores.places import Place, PlacedResults
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US, Cells, code_of
from faultline_collector.stores.summary import OUTCOMES, Span

MEASUREMENTS = {FIVE_MINUTES_US: "rollup_5m", HOUR_US: "rollup_1h"}
"""One for each width of cells."""

HISTOGRAM = "histogram_"
"""With the name of a timing behind it: the field of its histogram."""

CELL = "cell"
"""The field that holds all of a cell but its histograms, and how far it counts."""

_TAGS = ("target", "service", "component", "provider", "region", "network", "family")
_SEPARATOR = "\x1f"
_KNOWN_BEGINS = 2**17
_NUMBERS = 2 + OUTCOMES  # saturated, minutes, outcomes


class Mark(NamedTuple):
    """How far a cell counts: entries up to `through` of the outbox named `epoch`."""

    epoch: str
    through: int

    def is_reached(self, text: str) -> bool:
        """Whether a cell that says `text` counts as far."""
        epoch, _, through = text.partition(" ")
        return epoch == self.epoch and int(through) >= self.through


class Written(NamedTuple):
    """Cells as they stand in InfluxDB, and as text how far each counts; a histogram alone says nothing."""

    cells: Cells
    marks: tuple[str, ...]


def with_roles(placed: PlacedResults, roles: Sequence[Role]) -> PlacedResults:
    """The results with targets that carry their roles, so that cells are divided by them too."""
    results = placed.results
    names = tuple(_SEPARATOR.join((t, *role)) for t, role in zip(results.target_ids, roles, strict=True))
    return replace(placed, results=replace(results, target_ids=names))


def without_roles(cells: Cells) -> Cells:
    """The cells with bare targets; some may then stand beside each other."""
    names = tuple(name.partition(_SEPARATOR)[0] for name in cells.target_ids)
    return replace(cells, target_ids=names)


def cell_lines(cells: Cells, mark: Mark) -> bytes:
    """A line for each cell, with targets that carry roles; bins stand in order, as `merged` leaves them."""
    histograms = _histograms(cells)
    names, places = cells.target_ids, cells.places
    keys = zip(cells.target.tolist(), cells.place.tolist(), cells.family.tolist(), strict=True)
    counts = zip(cells.outcomes.tolist(), cells.saturated.tolist(), cells.minutes.tolist(), strict=True)
    lines = []
    for own, (target, place, family), (outcomes, saturated, minutes), start_us in zip(
        histograms, keys, counts, cells.start_us.tolist(), strict=True
    ):
        fields = [f"{o.word}={n}i" for o, n in zip(Outcome, outcomes, strict=True) if n]
        fields += [f"saturated={saturated}i"] if saturated else []
        numbers = " ".join(map(str, (saturated, minutes, *outcomes)))
        fields += [f"known_minutes={minutes.bit_count()}i", f'{CELL}="{mark.epoch} {mark.through};{numbers}"']
        begin = _begin(cells.width_us, names[target], places[place], family)
        lines.append(b"%s %s %d\n" % (begin, ",".join(fields + own).encode(), start_us * 1000))
    return b"".join(lines)


def cells_query(bucket: str, width_us: int, span: Span, timings: Sequence[str] | None) -> str:
    """Asks for the cells of a width that begin in the span, with some histograms; None: with all."""
    fields = f'r._field == "{CELL}"'
    if timings is None:
        fields += f" or r._field =~ /^{HISTOGRAM}/"
    else:
        fields += "".join(f" or r._field == {flux_text(HISTOGRAM + name)}" for name in timings)
    ours = f'r._measurement == "{MEASUREMENTS[width_us]}" and ({fields})'
    kept = ", ".join(f'"{name}"' for name in ("_time", "_field", "_value", *_TAGS))
    return f"{flux_range(bucket, span)} |> filter(fn: (r) => {ours}) |> keep(columns: [{kept}])"


def written_cells(rows: Iterable[list[str]], width_us: int) -> Iterator[Written]:
    """The cells in the rows of an answer to `cells_query`; those of one key are to be added up."""
    for header, some in tables(rows):
        columns = dict(zip(header, zip(*some, strict=True), strict=True))
        yield _written(width_us, columns, Runs(columns["table"]))


@lru_cache(_KNOWN_BEGINS)
def _begin(width_us: int, name: str, place: Place, family: int) -> bytes:
    """The begin of a line; most are those of a step before."""
    target, *role = name.split(_SEPARATOR)
    words = (target, *role, place.region, str(place.asn or ""), str(family or ""))
    return tagged(MEASUREMENTS[width_us], dict(zip(_TAGS, words, strict=True)))


def _histograms(cells: Cells) -> list[list[str]]:
    """For each cell its fields with histograms; the same bin with the same count is put into words once."""
    fields: list[list[str]] = [[] for _ in range(len(cells))]
    number = len(cells.bin)
    if not number:
        return fields
    _, first, code = np.unique(code_of((cells.bin, cells.bin_count)), return_index=True, return_inverse=True)
    pairs = zip(cells.bin[first].tolist(), cells.bin_count[first].tolist(), strict=True)
    told = np.array([f"{at}:{count}" for at, count in pairs], np.object_)[code].tolist()
    new = np.diff(cells.bin_cell, prepend=-1) | np.diff(cells.bin_timing, prepend=-1)
    begins = np.flatnonzero(new)
    names = [f"{HISTOGRAM}{name}" for name in cells.timings]
    owners = zip(cells.bin_cell[begins].tolist(), cells.bin_timing[begins].tolist(), strict=True)
    for (cell, timing), begin, end in zip(
        owners, begins.tolist(), [*begins[1:].tolist(), number], strict=True
    ):
        fields[cell].append(f'{names[timing]}="{" ".join(told[begin:end])}"')
    return fields


def _written(width_us: int, columns: dict[str, tuple[str, ...]], runs: Runs) -> Written:
    """A run of rows has the same tags and field."""
    absent = ("",) * len(columns["_value"])
    tags = [runs.heads(columns.get(tag, absent)) for tag in _TAGS]
    target, service, component, provider, region, network, family = tags
    names, target_code = coded(map(_SEPARATOR.join, zip(target, service, component, provider, strict=True)))
    places, place = coded(zip(region, network, strict=True))
    fields, values = runs.heads(columns["_field"]), columns["_value"]
    own = runs.spread(np.array([field == CELL for field in fields], np.bool_))
    mine = np.flatnonzero(own).tolist()
    texts = ";".join([values[row] for row in mine]).split(";") if mine else []
    numbers = np.zeros((len(values), _NUMBERS), np.uint64)
    numbers[own] = np.fromstring(" ".join(texts[1::2]), np.uint64, sep=" ").reshape(-1, _NUMBERS)
    marks = [""] * len(values)
    for row, mark in zip(mine, texts[::2], strict=True):
        marks[row] = mark
    timings, bins = _bins([columns["_field"][row] for row in np.flatnonzero(~own).tolist()], values, own)
    cells = Cells(
        width_us=width_us,
        target_ids=tuple(names),
        target=runs.spread(target_code),
        places=tuple(Place(r, int(n or 0)) for r, n in places),
        place=runs.spread(place),
        family=runs.spread(np.array([int(text or 0) for text in family], np.int64)),
        start_us=microseconds(columns["_time"]),
        outcomes=numbers[:, 2:].astype(np.int64),
        saturated=numbers[:, 0].astype(np.int64),
        minutes=numbers[:, 1],
        timings=timings,
        bin_cell=bins[0],
        bin_timing=bins[1],
        bin=bins[2],
        bin_count=bins[3],
    )
    return Written(cells, tuple(marks))


def _bins(fields: Sequence[str], values: Sequence[str], own: Any) -> tuple[tuple[str, ...], Any]:
    """The timings that occur; and cell, timing, bin and count of each bin."""
    rows = np.flatnonzero(~own)
    timings, timing = coded(field.removeprefix(HISTOGRAM) for field in fields)
    texts = [values[row] for row in rows.tolist()]
    number = np.array([text.count(":") for text in texts], np.int64)
    pairs = np.fromstring(" ".join(texts).replace(":", " "), np.int64, sep=" ").reshape(-1, 2)
    return tuple(timings), (np.repeat(rows, number), np.repeat(timing, number), pairs[:, 0], pairs[:, 1])
