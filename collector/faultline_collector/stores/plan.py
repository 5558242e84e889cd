"""What a question is answered from: results where it must be, roll-ups where it can be. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from faultline_collector.stores.order import FOREVER_US
from faultline_collector.stores.rollups import FIVE_MINUTES_US, HOUR_US
from faultline_collector.stores.summary import Span, SummaryQuery

RAW = 0
"""Stands for results in the place of a width of roll-ups."""


class Piece(NamedTuple):
    """A stretch of the window, and from what it is answered: results, or roll-ups of `width_us`.

    Of roll-ups it means the cells that begin in it.
    """

    span: Span
    width_us: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Pieces in order of time that share no minute; `rounded` as in `Summary`."""

    pieces: tuple[Piece, ...]
    rounded: tuple[Span, ...] = ()


def plan(
    query: SummaryQuery, raw_from_us: int, rollups_from_us: int, hours_until_us: int = FOREVER_US
) -> Plan:
    """How to answer, where all results are kept from `raw_from_us` on and roll-ups from `rollups_from_us` on.

    Both are whole days, as is `hours_until_us`, from where on there are no roll-ups of an hour. Where there
    are results nothing is rounded: roll-ups are taken for whole cells within one step only. Where there are
    none, a cell counts in the step in which it begins.
    """
    since_us = max(query.since_us, rollups_from_us)
    middle_us = min(max(since_us, raw_from_us), query.until_us)
    old, recent = Span(since_us, middle_us), Span(max(middle_us, since_us), query.until_us)
    pieces = (*_cells(query, old, hours_until_us), *_recent(query, recent, hours_until_us))
    kept = tuple(piece for piece in pieces if piece.span.since_us < piece.span.until_us)
    return Plan(kept, tuple(_rounded(query, old)))


def _recent(query: SummaryQuery, span: Span, hours_until_us: int) -> Iterator[Piece]:
    first, last = _up(span.since_us, FIVE_MINUTES_US), _down(span.until_us, FIVE_MINUTES_US)
    if first >= last or not _fits(query, FIVE_MINUTES_US):
        yield Piece(span, RAW)
        return
    yield Piece(Span(span.since_us, first), RAW)
    yield from _cells(query, Span(first, last), hours_until_us)
    yield Piece(Span(last, span.until_us), RAW)


def _cells(query: SummaryQuery, span: Span, hours_until_us: int) -> Iterator[Piece]:
    first, last = _up(span.since_us, HOUR_US), _down(min(span.until_us, hours_until_us), HOUR_US)
    if first >= last or not _fits(query, HOUR_US):
        yield Piece(span, FIVE_MINUTES_US)
        return
    yield Piece(Span(span.since_us, first), FIVE_MINUTES_US)
    yield Piece(Span(first, last), HOUR_US)
    yield Piece(Span(last, span.until_us), FIVE_MINUTES_US)


def _fits(query: SummaryQuery, width_us: int) -> bool:
    """Whether no edge between two steps cuts a cell."""
    if query.since_us + query.width_us >= query.until_us:
        return True
    return query.since_us % width_us == 0 and query.width_us % width_us == 0


def _rounded(query: SummaryQuery, old: Span) -> Iterator[Span]:
    """Where cells are cut by an edge of the window or of a step, and no results are left to cut them by."""
    if old.since_us >= old.until_us:
        return
    if not _fits(query, FIVE_MINUTES_US):
        yield old
        return
    for edge_us in sorted({old.since_us, old.until_us}):
        if edge_us % FIVE_MINUTES_US:
            yield Span(_down(edge_us, FIVE_MINUTES_US), _up(edge_us, FIVE_MINUTES_US))


def _down(at_us: int, width_us: int) -> int:
    return at_us // width_us * width_us


def _up(at_us: int, width_us: int) -> int:
    return -(-at_us // width_us) * width_us
