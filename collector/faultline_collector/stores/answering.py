"""A question answered as planned, piece by piece, from wherever each is kept. Pure but for what it calls."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from faultline_collector.stores.counting import added, count_cells, count_results
from faultline_collector.stores.packed_counting import Packs, count_piece
from faultline_collector.stores.places import PlacedResults
from faultline_collector.stores.plan import RAW, Plan
from faultline_collector.stores.rollups import Cells, merged
from faultline_collector.stores.summary import Span, Summary, SummaryQuery


def answer(
    query: SummaryQuery,
    plan: Plan,
    results: Callable[[Span], PlacedResults],
    cells: Callable[[Span, int], Sequence[Cells]],
    packs: Packs | None = None,
) -> Summary:
    """Answers as planned.

    `results` gives those that start in a span; `cells` gives partial cells of a width that begin in a span,
    together with what is not in any yet; days that are packed are not asked of it.
    """
    parts: list[Summary] = []
    for piece in plan.pieces:
        span, width_us = piece
        if width_us == RAW:
            parts.append(count_results(results(span), query, span))
            continue

        def rest(part: Span, width_us: int = width_us) -> Summary:
            return count_cells(merged(cells(part, width_us)), query, part)

        parts += count_piece(query, piece, packs, rest) if packs else [rest(span)]
    return replace(added(parts), rounded=plan.rounded)
