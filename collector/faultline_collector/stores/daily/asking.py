"""A summary out of a DuckDB file: each piece of the plan is added up there, and only the sums are fetched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from faultline_collector.results import Int64
from faultline_collector.stores.daily import cells, tables
from faultline_collector.stores.daily.folding import State
from faultline_collector.stores.daily.packs import FilePacks
from faultline_collector.stores.order import MINUTE_US
from faultline_collector.stores.packed_counting import count_piece
from faultline_collector.stores.places import Place
from faultline_collector.stores.plan import RAW, Piece
from faultline_collector.stores.rollups import code_of
from faultline_collector.stores.summary import OUTCOMES, Span, Summary, SummaryQuery, empty_summary

Found = dict[str, npt.NDArray[Any]]

_KEYS = ("grp", "site", "family", "start_us")

_OTHERS = cells.COUNTS[1:]
_OTHER_SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in _OTHERS)
_SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in cells.COUNTS)
_STEP = "$since + ({at} - $since) // $step * $step AS start_us"
_RESULT_STEP = _STEP.format(at="judged_us")
_CELL_STEP = _STEP.format(at="start_us")

_COUNT_RESULTS = f"""
WITH minutes AS (
    SELECT {{keys}}{_RESULT_STEP}, judged_us // {MINUTE_US} AS minute, {cells.OWN_COUNTS},
        bool_or({cells.TOLD}) AS told
    FROM {{rows}} GROUP BY ALL
)
SELECT {{names}}start_us, {_SUMS}, coalesce(sum(
    least((minute + 1) * {MINUTE_US}, start_us + $step, $until) - greatest(minute * {MINUTE_US}, start_us)
) FILTER (told), 0)::BIGINT AS known_us
FROM minutes GROUP BY ALL
"""  # noqa: S608  our own names and whole numbers

_COUNT_CELLS = f"""
SELECT {{keys}}start_us, sum(n_ok)::BIGINT AS n_ok,
    bit_count(bit_or(bits))::BIGINT * {MINUTE_US} AS known_us
FROM {{rows}} GROUP BY ALL
"""  # noqa: S608

_IN_STEPS = f"""
SELECT {{names}}{_CELL_STEP}, sum(n_ok)::BIGINT AS n_ok, sum(known_us)::BIGINT AS known_us
FROM ({_COUNT_CELLS}) GROUP BY ALL
"""  # noqa: S608

_COUNT_OTHERS = f"""
SELECT {{keys}}{_CELL_STEP}, {_OTHER_SUMS} FROM {{rows}} AND n_others > 0 GROUP BY ALL
"""  # noqa: S608

_BIN_RESULTS = f"""
SELECT {{keys}}{_RESULT_STEP}, {{bin}} AS bin, count(*) AS number
FROM {{rows}} AND {cells.GOOD} AND {{column}} >= 0 GROUP BY ALL
"""  # noqa: S608

_BIN_CELLS = f"""
SELECT {{keys}}{_CELL_STEP}, bin, sum(number)::BIGINT AS number
FROM {{rows}} AND timing = $timing GROUP BY ALL
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Names:
    """Groups of targets and of places in order, and beside each key the number of its group, -1 for none."""

    groups: tuple[str, ...]
    group: Sequence[int]
    sites: tuple[Place, ...]
    site: Sequence[int]


def names_of(query: SummaryQuery, targets: Iterable[str], places: Sequence[Place]) -> Names:
    """How the query groups what the file has keys for."""
    groups = tuple(sorted(set(query.target_groups.values())))
    numbers = {name: number for number, name in enumerate(groups)}
    group = [numbers[query.target_groups[t]] if t in query.target_groups else -1 for t in targets]
    shown = [
        Place(place.region if query.by_region else "", place.asn if query.by_network else 0)
        if query.selects(place.region, place.asn)
        else None
        for place in places
    ]
    sites = tuple(sorted({place for place in shown if place is not None}))
    return Names(groups, group, sites, [-1 if place is None else sites.index(place) for place in shown])


class Asking:
    """One question to one state of a file."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, state: State, query: SummaryQuery, names: Names
    ) -> None:
        self._connection = connection
        self._state = state
        self._query = query
        self._names = names
        self._packs = FilePacks(connection, state.unfolded)
        columns = {"grp": "t.grp", "site": "p.grp"} | (
            {"family": "r.family::INTEGER"} if query.by_family else {}
        )
        self._columns = {name: column for name, column in columns.items() if name not in self._alone()}
        connection.register("target_groups", tables.pairs("grp", names.group))
        connection.register("place_groups", tables.pairs("grp", names.site))

    def _alone(self) -> set[str]:
        """Keys of which all have the same: to join and to group by them takes half the time for nothing."""
        groups = {"grp": self._names.group, "site": self._names.site}
        return {name for name, own in groups.items() if set(own) == {0}}

    def piece(self, piece: Piece) -> list[Summary]:
        """What one piece gives, in parts that share no minute."""
        if piece.width_us == RAW:
            return [self._of_results(piece.span)]
        rest = partial(self._of_cells, width_us=piece.width_us)
        return list(count_piece(self._query, piece, self._packs, rest))

    def _of_results(self, span: Span) -> Summary:
        days = tables.days(self._connection, *span)
        if not days:
            return empty_summary()
        selected = self._selected("s", "judged_us", span)
        rows = f"{tables.union(days)} r JOIN sources s ON s.key = r.source {selected} AND {cells.SCHEDULED}"
        counts = self._ask(_COUNT_RESULTS, rows, until=self._query.until_us)
        counts["outcomes"] = np.stack([counts[name] for name in cells.COUNTS[:-1]], axis=1)
        timing = self._query.timing
        if not any(timing in tables.timings_of(self._connection, day) for day in days):
            return self._summary(counts)
        column = cells.column_of(timing)
        bins = self._ask(_BIN_RESULTS, rows, {"bin": cells.bin_of(column), "column": column})
        return self._summary(counts, bins)

    def _of_cells(self, span: Span, width_us: int) -> Summary:
        stretches = cells.stretches(self._connection, width_us, *span)
        reach = Span(span.since_us - width_us, span.until_us + width_us)
        days = [day for day in tables.days(self._connection, *reach) if day in self._state.unfolded]
        selected = self._selected("r", "start_us", span)
        parts = [f"FROM {cells.cells_table(width_us, first)}" for first in stretches]
        parts += [cells.folded_cells(rows, width_us) for rows in self._unfolded(days, reach)]
        if not parts:
            return empty_summary()
        rows = f"({' UNION ALL BY NAME '.join(parts)}) r {selected}"
        whole = self._query.width_us == width_us and self._query.since_us % width_us == 0
        counts = self._ask(_COUNT_CELLS if whole else _IN_STEPS, rows)
        self._add_others(counts, self._ask(_COUNT_OTHERS, rows))
        timing = self._query.timing
        if not timing:
            return self._summary(counts)
        parts = [f"FROM {cells.bins_table(width_us, first)}" for first in stretches]
        timed = [day for day in days if timing in tables.timings_of(self._connection, day)]
        parts += [cells.folded_bins(rows, width_us, [timing]) for rows in self._unfolded(timed, reach)]
        if not parts:
            return self._summary(counts)
        rows = f"({' UNION ALL BY NAME '.join(parts)}) r {selected}"
        return self._summary(counts, self._ask(_BIN_CELLS, rows, timing=timing))

    def _unfolded(self, days: Iterable[int], reach: Span) -> list[str]:
        return [
            f"(FROM {tables.table_of(day)} WHERE rowid >= {self._state.unfolded[day]} "
            f"AND judged_us >= {reach.since_us} AND judged_us < {reach.until_us})"
            for day in days
        ]

    def _selected(self, placed: str, at: str, span: Span) -> str:
        families = self._query.families
        among = "" if families is None else f" AND r.family IN ({tables.listed(sorted(families))})"
        joins, conditions = "", f"{at} >= {span.since_us} AND {at} < {span.until_us}{among}"
        if "grp" in self._columns:
            joins += "JOIN target_groups t ON t.key = r.target "
            conditions += " AND t.grp >= 0"
        if "site" in self._columns:
            joins += f"JOIN place_groups p ON p.key = {placed}.place "
            conditions += " AND p.grp >= 0"
        return f"{joins}WHERE {conditions}"

    def _ask(self, asked: str, rows: str, more: dict[str, str] | None = None, **values: int | str) -> Found:
        keys = "".join(f"{column} AS {name}, " for name, column in self._columns.items())
        names = "".join(f"{name}, " for name in self._columns)
        values |= {"since": self._query.since_us, "step": self._query.width_us}
        asked = asked.format(keys=keys, names=names, rows=rows, **(more or {}))
        used = {name: value for name, value in values.items() if f"${name}" in asked}
        found = self._connection.execute(asked, used).fetchnumpy()
        number = len(found["start_us"])
        found = {key: np.zeros(number, np.int32) for key in _KEYS if key not in found} | found
        order = np.lexsort([found[key] for key in (*(("bin",) if "bin" in found else ()), *_KEYS[::-1])])
        return {name: column[order] for name, column in found.items()}

    def _add_others(self, counts: Found, others: Found) -> None:
        """Adds what is not good, which few cells have: adding it up in all takes as long as all the rest."""
        rows, outcomes = _rows_of(counts, others), np.zeros((len(counts["grp"]), OUTCOMES), np.int64)
        saturated = np.zeros(len(outcomes), np.int64)
        outcomes[:, 0] = counts["n_ok"]
        for column, name in enumerate(_OTHERS[:-1], start=1):
            outcomes[rows, column] = others[name]
        saturated[rows] = others[_OTHERS[-1]]
        counts |= {"outcomes": outcomes, "n_saturated": saturated}

    def _summary(self, counts: Found, bins: Found | None = None) -> Summary:
        regions = tuple(sorted({site.region for site in self._names.sites}))
        region = np.array([regions.index(site.region) for site in self._names.sites], np.int32)
        asn = np.array([site.asn for site in self._names.sites], np.int64)
        empty = np.empty(0, np.int64)
        return Summary(
            groups=self._names.groups,
            group=counts["grp"],
            regions=regions,
            region=region[counts["site"]],
            asn=asn[counts["site"]],
            family=counts["family"].astype(np.int64),
            start_us=counts["start_us"],
            outcomes=counts["outcomes"],
            saturated=counts[cells.COUNTS[-1]],
            known_us=counts["known_us"],
            bin_row=empty if bins is None else _rows_of(counts, bins),
            bin=empty if bins is None else bins["bin"].astype(np.int64),
            bin_count=empty if bins is None else bins["number"],
        )


def _rows_of(counts: Found, bins: Found) -> Int64:
    """The row of counts to which each bin belongs; both are in order."""
    code = code_of([np.concatenate([counts[key], bins[key]]).astype(np.int64) for key in _KEYS])
    number = len(counts["grp"])
    return np.searchsorted(code[:number], code[number:])
